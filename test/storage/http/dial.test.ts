import { beforeEach, describe, expect, test, vi } from 'vitest'
import { failing } from '../conformance.ts'
import { identity } from './certificate.ts'
import { Fixture } from './fixture.ts'
import { ExactServer, get, sized, sleep, textOf } from './server.ts'

/** What the name service says of a host; it cannot be asked for names of our own choice. */
const names = new Map<string, string[]>()
const lookups: string[] = []

vi.mock('node:dns', () => ({
  lookup: (host: string, _: object, answer: (error: Error | null, found: { address: string }[]) => void) => {
    lookups.push(host)
    const found = names.get(host)
    const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' })
    setTimeout(() => {
      if (found === undefined) answer(error, [])
      else if (found.length > 0)
        answer(
          null,
          found.map((address) => ({ address })),
        )
    }, 5)
  },
}))

const here = new Fixture()
beforeEach(() => {
  names.clear()
  lookups.length = 0
})

/** The whole of 127/8 is this machine on Linux; of other systems only 127.0.0.1. */
const isLinux = process.platform === 'linux'

describe('a host', () => {
  const request = (host: string) => here.client.request(get(here.server.origin('http:', host)))

  test('is looked up once for many connections', async () => {
    names.set('one.test', ['127.0.0.1'])
    await here.serving(sized('x'))
    const answers = await Promise.all(Array.from({ length: 10 }, () => request('one.test')))
    expect(answers.map(({ peer }) => peer)).toEqual(Array(10).fill(`127.0.0.1:${here.server.port}`))
    expect(here.server.received[0]?.head).toContain(`host: one.test:${here.server.port}\r\n`)
    expect(lookups).toEqual(['one.test'])
  })

  test.runIf(isLinux)('of several addresses has connections to each of them', async () => {
    names.set('many.test', ['127.0.0.1', '127.0.0.2', '127.0.0.3'])
    await here.serve(
      async ({ socket }) => {
        await sleep(20)
        socket.write(sized('x'))
      },
      { host: '0.0.0.0' },
    )
    const answers = await Promise.all(Array.from({ length: 6 }, () => request('many.test')))
    const { port } = here.server
    expect(answers.map(({ peer }) => peer).sort()).toEqual([1, 1, 2, 2, 3, 3].map((n) => `127.0.0.${n}:${port}`))
  })

  test.runIf(isLinux)('falls to the next address where one refuses, and tries that one last from then on', async () => {
    names.set('half.test', ['127.0.0.2', '127.0.0.1'])
    await here.serve(async ({ socket }) => {
      await sleep(20)
      socket.write(sized('x', 'Connection: close'))
    })
    for (let time = 0; time < 4; time++) expect((await request('half.test')).peer).toBe(`127.0.0.1:${here.server.port}`)
    expect(here.client.counters.connectionsOpened).toBe(4)
  })

  test.runIf(isLinux)('that refuses everywhere is E_NETWORK, which says where', async () => {
    names.set('none.test', ['127.0.0.2', '127.0.0.3'])
    await here.serving(sized('x'))
    const { port } = here.server
    const failure = await request('none.test').catch((error: unknown) => error)
    expect(failure).toEqual(
      failing('E_NETWORK', `GET http://none.test:${port}/k: cannot connect to any of the 2 addresses of none.test`),
    )
    expect(failure).toEqual(failing('E_NETWORK', `127.0.0.3:${port}: connection refused`))
    expect(failure).toMatchObject({ details: { hint: 'is the server running, and is that its port?' } })
  })

  test.runIf(isLinux)('falls to the next address where one takes the connection and says nothing', async () => {
    names.set('mute.test', ['127.0.0.2', '127.0.0.1'])
    here.open({ connectTimeout: 400, verifyTls: false })
    await here.serve(({ socket }) => socket.write(sized('x')), { tls: identity('mute.test', 'DNS:mute.test') })
    const mute = await ExactServer.start(() => {}, { host: '127.0.0.2', port: here.server.port })
    const start = performance.now()
    const { peer } = await here.client.request(get(here.server.origin('https:', 'mute.test')))
    expect(peer).toBe(`127.0.0.1:${here.server.port}`)
    // Half of the time was the first one's.
    expect(performance.now() - start).toBeGreaterThan(150)
    expect(mute.connections).toBe(1)
    await mute.close()
  })

  test('that nobody knows is E_NETWORK', async () => {
    await here.serving(sized('x'))
    const failure = await request('unknown.test').catch((error: unknown) => error)
    expect(failure).toEqual(failing('E_NETWORK', 'cannot find unknown.test: no such host'))
    expect(failure).toMatchObject({ details: { hint: "check the endpoint's spelling" } })
  })

  test('whose name service does not answer is E_TIMEOUT', async () => {
    names.set('silent.test', [])
    here.open({ connectTimeout: 100 })
    await here.serving(sized('x'))
    await expect(request('silent.test')).rejects.toEqual(
      failing('E_TIMEOUT', 'no address of silent.test within 100 ms'),
    )
  })

  test('that refuses fails all requests that wait for it, and is tried again for later ones', async () => {
    here.open({ connections: 2 })
    await here.serving(sized('x'))
    const { port } = here.server
    const origin = here.server.origin()
    await here.server.close()
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => here.client.request(get(origin))))
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: failing('E_NETWORK', 'connection refused') })
    const revived = await ExactServer.start(({ socket }) => socket.write(sized('x')), { port })
    expect(textOf((await here.client.request(get(origin))).body)).toBe('x')
    await revived.close()
  })
})
