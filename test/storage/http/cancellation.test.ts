import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { failing } from '../conformance.ts'
import { Fixture } from './fixture.ts'
import { get, sized, sleep } from './server.ts'

const here = new Fixture()

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length

describe('a signal', () => {
  test('ends a request before it is sent', async () => {
    await here.serving(sized('x'))
    const signal = AbortSignal.abort(new Error('why'))
    const request = here.client.request(get(here.server.origin(), { signal }))
    await expect(request).rejects.toEqual(
      failing('E_CANCELLED', `GET http://127.0.0.1:${here.server.port}/k: cancelled`),
    )
    await expect(request).rejects.toMatchObject({ details: { cause: new Error('why') } })
    expect(here.client.counters).toMatchObject({ requests: 0, openConnections: 0 })
  })

  test('ends a request that waits for its turn, and no other', async () => {
    here.open({ connections: 1 })
    await here.serve(async ({ socket }) => {
      await sleep(30)
      socket.write(sized('x'))
    })
    const controller = new AbortController()
    const first = here.client.request(get(here.server.origin()))
    const second = here.client.request(get(here.server.origin(), { target: '/second', signal: controller.signal }))
    const third = here.client.request(get(here.server.origin(), { target: '/third' }))
    await expect.poll(() => here.server.received.length, { interval: 1 }).toBe(1)
    controller.abort()
    await expect(second).rejects.toEqual(failing('E_CANCELLED'))
    await Promise.all([first, third])
    expect(here.server.received.map(({ head }) => head.split(' ')[1])).toEqual(['/k', '/third'])
    expect(here.client.counters.connectionsOpened).toBe(1)
    expect(listeners(controller.signal)).toBe(0)
  })

  test.each([
    ['before an answer', ''],
    ['within the head', 'HTTP/1.1 200 OK\r\nContent'],
    ['within the body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345'],
  ])('ends a request %s, and its connection', async (_, text) => {
    await here.serving(text)
    const controller = new AbortController()
    const request = here.client.request(get(here.server.origin(), { signal: controller.signal }))
    await expect.poll(() => here.server.received.length, { interval: 1 }).toBe(1)
    await sleep(20)
    expect(listeners(controller.signal)).toBe(1)
    controller.abort()
    await expect(request).rejects.toEqual(failing('E_CANCELLED'))
    expect(listeners(controller.signal)).toBe(0)
    await expect.poll(() => here.server.sockets.size, { interval: 1 }).toBe(0)
    expect(here.client.counters.openConnections).toBe(0)
  })

  test('leaves the memory of the body alone from then on', async () => {
    let rest = () => {}
    await here.serve(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'a'.repeat(50_000)}`)
      rest = () => socket.write('a'.repeat(50_000))
    })
    const memory = new Uint8Array(100_000)
    const controller = new AbortController()
    const place = () => memory
    const request = here.client.request(get(here.server.origin(), { signal: controller.signal, place }))
    await expect.poll(() => memory[49_999], { interval: 1 }).toBe(97)
    // Both in one turn: the bytes are there when the signal comes.
    rest()
    controller.abort()
    await expect(request).rejects.toEqual(failing('E_CANCELLED'))
    memory.fill(1)
    await sleep(50)
    expect(memory.every((byte) => byte === 1)).toBe(true)
  })

  test('ends a request even from within place', async () => {
    await here.serving(sized('abc'))
    const memory = new Uint8Array(3)
    const controller = new AbortController()
    const place = () => {
      controller.abort()
      return memory
    }
    const request = here.client.request(get(here.server.origin(), { signal: controller.signal, place }))
    await expect(request).rejects.toEqual(failing('E_CANCELLED'))
    expect(memory).toEqual(new Uint8Array(3))
    expect((await here.client.request(get(here.server.origin()))).body).toHaveLength(3)
    expect(here.client.counters.connectionsOpened).toBe(2)
  })

  test('ends a body that is being sent', async () => {
    await here.serve(() => {})
    here.server.onHead = (socket) => socket.pause()
    const controller = new AbortController()
    const body = [Buffer.alloc(32 * 2 ** 20)]
    const request = here.client.request(get(here.server.origin(), { method: 'PUT', body, signal: controller.signal }))
    await expect.poll(() => here.client.counters.bytesSent, { interval: 1 }).toBeGreaterThan(100_000)
    controller.abort()
    await expect(request).rejects.toEqual(failing('E_CANCELLED'))
    expect(here.client.counters.openConnections).toBeLessThanOrEqual(1)
  })

  test('of many requests has one listener, and none when they are over', async () => {
    await here.serving(sized('x'))
    const { signal } = new AbortController()
    const requests = Array.from({ length: 100 }, () => here.client.request(get(here.server.origin(), { signal })))
    expect(listeners(signal)).toBe(1)
    await Promise.all(requests)
    expect(listeners(signal)).toBe(0)
  })

  test('has no listener left after any failure', async () => {
    await here.serve(({ socket, head }) => {
      if (head.startsWith('GET /destroy')) socket.destroy()
      else socket.write('nonsense')
    })
    const { signal } = new AbortController()
    const fail = (more: Parameters<typeof get>[1]) =>
      here.client.request(get(here.server.origin(), { signal, ...more }))
    await expect(fail({})).rejects.toEqual(failing('E_CORRUPT'))
    await expect(fail({ target: '/destroy' })).rejects.toEqual(failing('E_NETWORK'))
    await expect(fail({ target: 'bad' })).rejects.toEqual(failing('E_USAGE'))
    await expect(fail({ origin: { ...here.server.origin(), port: 1 } })).rejects.toEqual(failing('E_NETWORK'))
    expect(listeners(signal)).toBe(0)
  })
})
