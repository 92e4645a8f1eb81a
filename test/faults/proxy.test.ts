import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/types.ts'
import type { RunningServer } from '../servers/programs.ts'
import { KEYS, versitygw } from '../servers/s3.ts'
import { OPERATIONS, Storm } from './storm.ts'
import { type FaultProxy, type ProxyFault, startFaultProxy } from './tcp-proxy.ts'

/** Connections that fail between our client and a server that shares no line of code with it. */

const TIMEOUTS = { firstByteTimeout: 200, stallTimeout: 150, connectTimeout: 500 }
const LANES = 4
const ROUNDS = OPERATIONS.length * 3

const FAULTS: readonly ProxyFault[] = [
  { kind: 'delay', ms: 5 },
  { kind: 'stall', direction: 'down', after: 600 },
  { kind: 'stall', direction: 'down', after: 90_000, ms: 60 },
  { kind: 'stall', direction: 'up', after: 30_000 },
  { kind: 'reset', direction: 'down', after: 0 },
  { kind: 'reset', direction: 'down', after: 20_000 },
  { kind: 'reset', direction: 'up', after: 400 },
  { kind: 'reset', direction: 'up', after: 200_000 },
  { kind: 'truncate', direction: 'down', after: 100 },
  { kind: 'truncate', direction: 'down', after: 40_000 },
  { kind: 'close' },
  { kind: 'refuse' },
  { kind: 'black-hole' },
]

describe.skipIf(versitygw.path === undefined)(`a proxy in front of versitygw${versitygw.absent}`, () => {
  let server: RunningServer
  let direct: Store
  beforeAll(async () => {
    server = await versitygw.start()
    direct = await openStore('s3://storm', { endpoint: server.endpoint, credentials: KEYS })
    await direct.createContainer?.()
  })
  afterAll(async () => {
    await direct?.close()
    await server?.stop()
  })

  let proxy: FaultProxy | undefined
  let store: Store | undefined
  afterEach(async () => {
    await store?.close()
    await proxy?.close()
  })

  test.each(FAULTS.map((fault, i) => [JSON.stringify(fault), fault, i] as const))(
    '%s',
    async (_, fault, i) => {
      const before = sockets()
      const port = Number(new URL(server.endpoint).port)
      proxy = await startFaultProxy(port, [{ probability: 0.5, fault }], i)
      const endpoint = `http://127.0.0.1:${proxy.port}`
      const options = { credentials: KEYS, baseDelay: 1, maxDelay: 4, partSize: 5 * 2 ** 20, ...TIMEOUTS }
      store = await openStore('s3://storm', { endpoint, ...options })
      const opened = store
      const storms = Array.from(
        { length: LANES },
        (_, lane) =>
          new Storm(opened, `fault-${i}/${lane}`, { seed: lane, rounds: ROUNDS, limit: 20_000, large: 5.5 * 2 ** 20 }),
      )
      const reports = await Promise.all(storms.map((storm) => storm.run()))
      expect(reports.reduce((sum, { runs }) => sum + runs, 0)).toBe(LANES * ROUNDS)
      expect(proxy.faults).toBeGreaterThan(0)
      for (const storm of storms) await storm.verify(direct)
      await store.close()
      await proxy.close()
      await eventually(() => sockets() <= before)
    },
    60_000,
  )
})

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 100 && !holds(); tries++) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(holds()).toBe(true)
}
