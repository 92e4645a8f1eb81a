import net from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { overSocket } from '../dev/socket.ts'
import { type FaultProxy, type ProxyRule, startFaultProxy } from './tcp-proxy.ts'

/** A server that says back what it hears, from its first byte on; at the end of what it hears it ends too. */
let echo: net.Server
let received: Buffer
let echoPort: number
const proxies: FaultProxy[] = []
beforeEach(async () => {
  received = Buffer.alloc(0)
  echo = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (piece) => {
      received = Buffer.concat([received, piece])
    })
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
  echoPort = (echo.address() as net.AddressInfo).port
})
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close()
  await new Promise((resolve) => echo.close(resolve))
})

async function through(...rules: readonly ProxyRule[]) {
  const proxy = await startFaultProxy(echoPort, rules, 3)
  proxies.push(proxy)
  return { proxy, url: `tcp://127.0.0.1:${proxy.port}` }
}

const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 253))

test('without a rule everything passes', async () => {
  const { url, proxy } = await through()
  const answer = await overSocket(url, bytes, 500)
  expect(answer.bytes.equals(bytes)).toBe(true)
  expect(answer.end).toBe('open')
  expect([proxy.connections, proxy.faults]).toEqual([1, 0])
  await expect.poll(() => proxy.open).toBe(0)
})

test('delay holds every piece back', async () => {
  const { url } = await through({ fault: { kind: 'delay', ms: 60 } })
  const { firstByte, bytes: answer } = await overSocket(url, Buffer.from('hello'), 400)
  expect(answer.toString()).toBe('hello')
  expect(firstByte).toBeGreaterThanOrEqual(119)
})

test('stall stops one direction, for a time or for ever', async () => {
  const passing = await through({ fault: { kind: 'stall', direction: 'down', after: 1000, ms: 150 } })
  expect((await overSocket(passing.url, bytes, 120)).bytes.length).toBe(1000)
  expect((await overSocket(passing.url, bytes, 600)).bytes.equals(bytes)).toBe(true)
  const lasting = await through({ fault: { kind: 'stall', direction: 'up', after: 700 } })
  const { bytes: answer, end } = await overSocket(lasting.url, bytes, 200)
  expect([answer.length, end]).toEqual([700, 'open'])
})

test('reset comes after so many bytes, in either direction', async () => {
  const down = await through({ fault: { kind: 'reset', direction: 'down', after: 5000 } })
  const cut = await overSocket(down.url, bytes.subarray(0, 20_000))
  expect([cut.bytes.length, cut.end]).toEqual([5000, 'rst'])
  received = Buffer.alloc(0)
  const up = await through({ fault: { kind: 'reset', direction: 'up', after: 5000 } })
  expect((await overSocket(up.url, bytes.subarray(0, 20_000))).end).toBe('rst')
  expect(received.length).toBe(5000)
})

test('truncate ends in order, too early', async () => {
  const { url } = await through({ fault: { kind: 'truncate', direction: 'down', after: 1234 } })
  const { bytes: answer, end } = await overSocket(url, bytes.subarray(0, 20_000))
  expect([answer.equals(bytes.subarray(0, 1234)), end]).toEqual([true, 'fin'])
})

test('close and refuse end at once, a black hole never', async () => {
  const { url } = await through({ every: 2, fault: { kind: 'close' } }, { fault: { kind: 'refuse' } })
  expect(await overSocket(url, new Uint8Array())).toMatchObject({ end: 'rst', firstByte: undefined })
  expect(await overSocket(url, new Uint8Array())).toMatchObject({ end: 'fin', firstByte: undefined })
  const hole = await through({ fault: { kind: 'black-hole' } })
  expect(await overSocket(hole.url, bytes, 150)).toMatchObject({ end: 'open', firstByte: undefined })
  expect(received.length).toBe(0)
})

test('rules choose connections by number and seed, the same ones every time', async () => {
  const faulty = async (seed: number) => {
    const proxy = await startFaultProxy(
      echoPort,
      [{ probability: 0.5, skip: 2, times: 6, fault: { kind: 'refuse' } }],
      seed,
    )
    const ends: string[] = []
    for (let i = 0; i < 24; i++)
      ends.push((await overSocket(`tcp://127.0.0.1:${proxy.port}`, Buffer.from('x'), 30)).end)
    expect(proxy.faults).toBe(6)
    await proxy.close()
    return ends
  }
  const first = await faulty(1)
  expect(first.slice(0, 2)).toEqual(['open', 'open'])
  expect(first.filter((end) => end === 'rst')).toHaveLength(6)
  expect(await faulty(1)).toEqual(first)
  expect(await faulty(2)).not.toEqual(first)
})
