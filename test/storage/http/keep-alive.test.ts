import { describe, expect, test } from 'vitest'
import { failing } from '../conformance.ts'
import { Fixture } from './fixture.ts'
import { get, sized, sleep, textOf } from './server.ts'

const here = new Fixture()

const request = (more: Parameters<typeof get>[1] = {}) => here.client.request(get(here.server.origin(), more))
const opened = () => here.client.counters.connectionsOpened
const openNow = () => here.client.counters.openConnections

describe('a connection', () => {
  test('carries one request after the other, the one used last first', async () => {
    await here.serve(async ({ socket, head }) => {
      if (head.startsWith('GET /slow')) await sleep(30)
      socket.write(sized('x'))
    })
    await Promise.all([request({ target: '/slow' }), request()])
    expect([opened(), openNow()]).toEqual([2, 2])
    for (let time = 0; time < 5; time++) await request()
    expect(here.server.received.map(({ connection }) => connection)).toEqual([0, 1, 0, 0, 0, 0, 0])
    expect(opened()).toBe(2)
  })

  test('is one of so many at most: more requests wait their turn', async () => {
    here.open({ connections: 3 })
    let now = 0
    let most = 0
    await here.serve(async ({ socket }) => {
      most = Math.max(most, ++now)
      await sleep(2)
      now--
      socket.write(sized('x'))
    })
    const targets = Array.from({ length: 30 }, (_, i) => `/${i}`)
    const answers = await Promise.all(targets.map((target) => request({ target })))
    expect(answers.map(({ body }) => textOf(body))).toEqual(targets.map(() => 'x'))
    expect([most, opened()]).toEqual([3, 3])
    const order = here.server.received.map(({ head }) => Number(/\d+/.exec(head)?.[0]))
    expect(order.slice(3)).toEqual(targets.slice(3).map((target) => Number(target.slice(1))))
  })

  test('is closed after the answer where the server says so, or speaks HTTP/1.0', async () => {
    const answers = [sized('x', 'Connection: close'), 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx', sized('x')]
    await here.serve(({ socket, connection }) => socket.write(answers[connection] ?? ''))
    for (let time = 0; time < 4; time++) expect(textOf((await request()).body)).toBe('x')
    expect(here.server.received.map(({ connection }) => connection)).toEqual([0, 1, 2, 2])
  })

  test('is closed where bytes follow that nobody asked for', async () => {
    await here.serve(({ socket, connection }) => socket.write(`${sized('x')}${connection === 0 ? sized('evil') : ''}`))
    for (let time = 0; time < 3; time++) expect(textOf((await request()).body)).toBe('x')
    expect(here.server.received.map(({ connection }) => connection)).toEqual([0, 1, 1])
  })

  test('is closed where bytes come while it is idle', async () => {
    await here.serve(async ({ socket, connection }) => {
      socket.write(sized('x'))
      await sleep(10)
      if (connection === 0) socket.write(sized('evil'))
    })
    await request()
    await expect.poll(openNow).toBe(0)
    expect(textOf((await request()).body)).toBe('x')
    expect(opened()).toBe(2)
  })

  test('is gone where the server closes it while it is idle', async () => {
    await here.serve(({ socket }) => socket.write(sized('x'), () => setTimeout(() => socket.end(), 10)))
    await request({ idempotent: false })
    await expect.poll(openNow).toBe(0)
    await request({ idempotent: false })
    expect(here.client.counters).toMatchObject({ connectionsOpened: 2, staleConnections: 0 })
  })

  test('is closed when it was idle for long', async () => {
    here.open({ idleTimeout: 80 })
    await here.serving(sized('x'))
    await request()
    await sleep(30)
    await request()
    expect([opened(), openNow()]).toEqual([1, 1])
    const start = performance.now()
    await expect.poll(openNow, { interval: 5 }).toBe(0)
    expect(performance.now() - start).toBeLessThan(400)
    await request()
    expect(opened()).toBe(2)
  })

  test('is closed before the server would', async () => {
    here.open({ idleTimeout: 800 })
    await here.serving(sized('x', 'Keep-Alive: timeout=1'))
    await request()
    const start = performance.now()
    await expect.poll(openNow, { interval: 5 }).toBe(0)
    expect(performance.now() - start).toBeLessThan(700)
  })

  test('that is idle keeps no process alive', async () => {
    here.open({ idleTimeout: 200 })
    await here.serving(sized('x'))
    const wraps = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
    const before = wraps()
    await request()
    for (const socket of here.server.sockets) socket.unref()
    await expect.poll(wraps, { interval: 5 }).toBe(before)
    expect(openNow()).toBe(1)
    // In use again, it does.
    const next = request()
    await sleep(0)
    expect(wraps()).toBe(before + 1)
    await next
  })
})

describe('a kept-alive connection that turns out to be dead', () => {
  /** The first connection answers once and is then closed, or reset, by the second request. */
  const dying = (end: 'destroy' | 'resetAndDestroy') =>
    here.serve(({ socket, connection, request }) => {
      if (connection === 0 && request === 1) socket[end]()
      else socket.write(sized(`${connection}`))
    })

  test.each(['destroy', 'resetAndDestroy'] as const)('is replaced by a fresh one (%s)', async (end) => {
    await dying(end)
    await request()
    const { body, peer } = await request({ method: 'PUT', body: [Buffer.from('again')] })
    expect([textOf(body), peer]).toEqual(['1', `127.0.0.1:${here.server.port}`])
    expect(here.server.received.map(({ body }) => textOf(body))).toEqual(['', 'again', 'again'])
    expect(here.client.counters).toMatchObject({
      staleConnections: 1,
      connectionsOpened: 2,
      requests: 2,
      openConnections: 1,
    })
  })

  test('is E_NETWORK where the request must not be sent twice', async () => {
    await dying('destroy')
    await request()
    await expect(request({ method: 'POST', idempotent: false })).rejects.toEqual(
      failing('E_NETWORK', 'the connection was closed before an answer came'),
    )
    expect(here.server.received).toHaveLength(2)
    expect(here.client.counters.staleConnections).toBe(0)
  })

  test('is E_NETWORK where the fresh one dies as well: once is enough', async () => {
    await here.serve(({ socket, connection, request }) => {
      if (connection + request === 0) socket.write(sized('x'))
      else socket.destroy()
    })
    await request()
    await expect(request()).rejects.toEqual(failing('E_NETWORK', 'before an answer came'))
    expect(here.server.received).toHaveLength(3)
    expect(here.client.counters.staleConnections).toBe(1)
  })

  test('is no such where some of an answer came', async () => {
    await here.serve(({ socket, request }) => {
      if (request === 0) socket.write(sized('x'))
      else socket.end('HTTP/1.1 20')
    })
    await request()
    await expect(request()).rejects.toEqual(failing('E_CORRUPT', 'within the head'))
    expect(here.server.received).toHaveLength(2)
  })

  test('is replaced within the number of connections', async () => {
    here.open({ connections: 1 })
    let most = 0
    await here.serve(({ socket, connection, request }) => {
      most = Math.max(most, here.client.counters.openConnections)
      if (connection === 0 && request === 1) socket.destroy()
      else socket.write(sized(`${connection}`))
    })
    await request()
    const answers = await Promise.all([request(), request(), request()])
    expect(answers.map(({ body }) => textOf(body))).toEqual(['1', '1', '1'])
    expect(most).toBe(1)
  })

  test('is replaced by a fresh one, not by another idle one', async () => {
    await here.serve(async ({ socket, request, connection }) => {
      if (request === 1 && connection < 4) socket.destroy()
      else {
        await sleep(5)
        socket.write(sized(`${connection}`))
      }
    })
    await Promise.all([request(), request(), request(), request()])
    expect(textOf((await request()).body)).toBe('4')
    expect(here.client.counters).toMatchObject({ staleConnections: 1, connectionsOpened: 5 })
  })
})
