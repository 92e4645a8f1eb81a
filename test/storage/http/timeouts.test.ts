import { describe, expect, test } from 'vitest'
import { Ticker } from '../../../src/storage/http/ticker.ts'
import { failing } from '../conformance.ts'
import { Fixture } from './fixture.ts'
import { get, sized, sleep, textOf } from './server.ts'

const here = new Fixture()

/** How long it takes until the request fails with E_TIMEOUT, in milliseconds. */
async function timeToFail(reason: string, more: Parameters<typeof get>[1] = {}): Promise<number> {
  const start = performance.now()
  const url = `http://127.0.0.1:${here.server.port}/k`
  await expect(here.client.request(get(here.server.origin(), more))).rejects.toEqual(
    failing('E_TIMEOUT', `GET ${url}: ${reason}`),
  )
  return performance.now() - start
}

describe('time is up', () => {
  const generous = { connectTimeout: 5000, firstByteTimeout: 5000, stallTimeout: 5000, idleTimeout: 5000 }
  // Late by a tick, and by what a busy machine adds; never early.
  const soon = (time: number) => {
    expect(time).toBeGreaterThanOrEqual(120)
    expect(time).toBeLessThan(600)
  }

  test('where no byte of the answer comes', async () => {
    here.open({ ...generous, firstByteTimeout: 120 })
    await here.serve(() => {})
    soon(await timeToFail('no byte of the answer came within 120 ms'))
    expect(here.client.counters.openConnections).toBe(0)
  })

  test('where only interim answers come', async () => {
    here.open({ ...generous, firstByteTimeout: 120 })
    await here.serve(({ socket }) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'))
    soon(await timeToFail('no byte of the answer came within 120 ms'))
  })

  test.each([
    ['the head', 'HTTP/1.1 200 OK\r\nConte'],
    ['the body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab'],
    ['a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab'],
  ])('where %s stops half-way', async (_, text) => {
    here.open({ ...generous, stallTimeout: 120 })
    await here.serving(text)
    soon(await timeToFail('the answer brought no byte for 120 ms'))
  })

  test('not while bytes keep coming, however slowly', async () => {
    here.open({ ...generous, stallTimeout: 150, firstByteTimeout: 150 })
    const answer = sized('0123456789')
    await here.serve(async ({ socket }) => {
      for (const byte of answer) {
        socket.write(Buffer.of(byte))
        await sleep(8)
      }
    })
    const { body, timing } = await here.client.request(get(here.server.origin()))
    expect(textOf(body)).toBe('0123456789')
    expect(timing.end - timing.sent).toBeGreaterThan(300)
  })

  test('not while the server takes bytes, however slowly', async () => {
    // The system takes the next bytes once a third of its own memory is free again: up to 1.4 MB on the loopback.
    here.open({ ...generous, stallTimeout: 1000 })
    await here.serving(sized('x'))
    here.server.onConnection = (socket) =>
      socket.on('data', () => {
        socket.pause()
        setTimeout(() => socket.resume(), 8)
      })
    const body = [Buffer.alloc(12 * 2 ** 20)]
    const { timing } = await here.client.request(get(here.server.origin(), { method: 'PUT', body }))
    expect(here.server.received[0]?.body).toHaveLength(12 * 2 ** 20)
    expect(timing.end - timing.sent).toBeGreaterThan(1100)
  })

  test('not because this process was busy for long', async () => {
    here.open({ ...generous, firstByteTimeout: 60 })
    await here.serve(({ socket }) => setTimeout(() => socket.write(sized('x')), 20))
    const request = here.client.request(get(here.server.origin()))
    await expect.poll(() => here.server.received.length, { interval: 1 }).toBe(1)
    const until = performance.now() + 200
    while (performance.now() < until);
    expect(textOf((await request).body)).toBe('x')
  })
})

test('ticks last so long that no time-out comes early, and that none comes late by more than an eighth', () => {
  const ticker = new Ticker(800)
  expect([ticker.atLeast(800), ticker.atMost(800)]).toEqual([9, 8])
  expect([ticker.atLeast(30_000), ticker.atMost(50)]).toEqual([301, 1])
  expect(new Ticker(1).atLeast(1)).toBe(2)
  expect(new Ticker(60_000).atLeast(1000)).toBe(5)
})
