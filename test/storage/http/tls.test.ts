import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { failing } from '../conformance.ts'
import { type Identity, identity } from './certificate.ts'
import { Fixture } from './fixture.ts'
import { get, type Received, sized, sleep, textOf } from './server.ts'

let local: Identity
let other: Identity
beforeAll(() => {
  local = identity('localhost', 'DNS:localhost,IP:127.0.0.1')
  other = identity('other', 'DNS:other.test')
})

describe('over TLS', () => {
  const here = new Fixture()
  const request = (more: Parameters<typeof get>[1] = {}, host = '127.0.0.1') =>
    here.client.request(get(here.server.origin('https:', host), more))
  const serve = (answer: (received: Received) => void, tls: Identity & { readonly ALPNProtocols?: string[] } = local) =>
    here.serve(answer, { tls })

  test('a server whose authority was named is trusted, by name and by address', async () => {
    here.open({ ca: local.cert })
    const names: unknown[] = []
    await serve(
      ({ socket }) => {
        const { servername, alpnProtocol } = socket as TLSSocket & { servername: string | false }
        names.push([servername, alpnProtocol])
        socket.write(sized('x'))
      },
      { ...local, ALPNProtocols: ['h2', 'http/1.1'] },
    )
    expect(textOf((await request()).body)).toBe('x')
    expect(textOf((await request({}, 'localhost')).body)).toBe('x')
    expect(names).toEqual([
      [false, 'http/1.1'],
      ['localhost', 'http/1.1'],
    ])
  })

  test('bodies of any size land in place, on one connection', async () => {
    here.open({ ca: local.cert })
    const bodies = [0, 1, 5000, 16_384, 20_000, 3_000_000].map((size) => randomBytes(size))
    await serve(({ socket, head }) => socket.write(sized(bodies[Number(/\d+/.exec(head)?.[0])] ?? '')))
    for (const [i, body] of bodies.entries()) {
      const memory = Buffer.alloc(body.length + 2, 1)
      const place = () => memory.subarray(1, -1)
      await request({ target: `/${i}`, place })
      expect(memory.equals(Buffer.concat([Buffer.of(1), body, Buffer.of(1)]))).toBe(true)
    }
    expect(here.client.counters).toMatchObject({ connectionsOpened: 1, staleConnections: 0 })
  })

  test('bodies arrive as they are', async () => {
    here.open({ ca: local.cert })
    await serve(({ socket }) => socket.write(sized('')))
    const body = [10, 300_000, 1_000_000].map((size) => randomBytes(size))
    for (let time = 0; time < 3; time++) await request({ method: 'PUT', body })
    for (const received of here.server.received) expect(received.body.equals(Buffer.concat(body))).toBe(true)
    expect(here.server.received).toHaveLength(3)
  })

  test('an answer is the same wherever it is cut', async () => {
    here.open({ ca: local.cert })
    const answer = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
    await serve(async ({ socket, head }) => {
      const cut = Number(/\d+/.exec(head)?.[0])
      socket.write(answer.subarray(0, cut))
      await sleep(2)
      socket.write(answer.subarray(cut))
    })
    const cuts = Array.from({ length: answer.length }, (_, cut) => request({ target: `/${cut}` }))
    expect(new Set((await Promise.all(cuts)).map(({ body }) => textOf(body)))).toEqual(new Set(['abc']))
  })

  test('a server that nobody vouches for is refused before anything is sent', async () => {
    await serve(({ socket }) => socket.write(sized('x')))
    const failure = await request().catch((error: unknown) => error)
    expect(failure).toEqual(failing('E_NETWORK', "the server's certificate is signed by itself"))
    expect(failure).toMatchObject({ details: { hint: "give the authority's certificate (PEM) as the option ca" } })
    here.open({ ca: other.cert })
    await expect(request()).rejects.toEqual(failing('E_NETWORK', 'certificate'))
    expect(here.server.received).toEqual([])
  })

  test('a certificate for another name is refused', async () => {
    here.open({ ca: other.cert })
    await serve(({ socket }) => socket.write(sized('x')), other)
    await expect(request({}, 'localhost')).rejects.toEqual(
      failing('E_NETWORK', "the server's certificate is for another name"),
    )
    expect(here.server.received).toEqual([])
  })

  test('a server that does not speak TLS is told as one', async () => {
    here.open()
    const plain = createServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
      socket.on('error', () => {})
    }).listen(0, '127.0.0.1')
    await once(plain, 'listening')
    const { port } = plain.address() as AddressInfo
    const failure = await here.client
      .request(get({ protocol: 'https:', host: '127.0.0.1', port }, {}))
      .catch((error: unknown) => error)
    plain.close()
    expect(failure).toEqual(failing('E_NETWORK', `127.0.0.1:${port}: the server does not speak TLS (wrong version`))
    expect(failure).toMatchObject({ details: { hint: 'does its URL begin with http://, and not with https://?' } })
  })

  test('anything is taken where the user says so', async () => {
    here.open({ verifyTls: false })
    await serve(({ socket }) => socket.write(sized('x')), other)
    expect(textOf((await request()).body)).toBe('x')
  })

  test('later connections go on with the session of earlier ones', async () => {
    here.open({ ca: local.cert })
    const reused: boolean[] = []
    await serve(({ socket }) => {
      reused.push((socket as TLSSocket).isSessionReused())
      socket.write(sized('x', 'Connection: close'))
    })
    for (let time = 0; time < 3; time++) await request()
    expect(reused).toEqual([false, true, true])
  })

  test('a kept-alive connection that is dead is replaced', async () => {
    here.open({ ca: local.cert })
    await serve(({ socket, connection, request }) => {
      if (connection === 0 && request === 1) socket.destroy()
      else socket.write(sized(`${connection}`))
    })
    await request()
    expect(textOf((await request()).body)).toBe('1')
    expect(here.client.counters).toMatchObject({ staleConnections: 1, connectionsOpened: 2 })
  })

  test('a server that speaks something else is E_NETWORK', async () => {
    await here.serve(({ socket }) => socket.write(sized('x')))
    here.server.onConnection = (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')
    await expect(request()).rejects.toEqual(failing('E_NETWORK', `cannot connect to 127.0.0.1:${here.server.port}`))
  })

  test('a server that takes the connection and says nothing is E_TIMEOUT', async () => {
    here.open({ connectTimeout: 120 })
    await here.serve(() => {})
    const start = performance.now()
    await expect(request()).rejects.toEqual(
      failing('E_TIMEOUT', `no connection to 127.0.0.1:${here.server.port} within 120 ms`),
    )
    const time = performance.now() - start
    expect(time).toBeGreaterThanOrEqual(120)
    expect(time).toBeLessThan(600)
    await expect.poll(() => here.server.sockets.size).toBe(0)
  })

  test('a signal ends the handshake', async () => {
    await here.serve(() => {})
    const controller = new AbortController()
    const ended = request({ signal: controller.signal })
    await expect.poll(() => here.server.sockets.size, { interval: 1 }).toBe(1)
    controller.abort()
    await expect(ended).rejects.toEqual(failing('E_CANCELLED'))
  })
})
