import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { openHttpClient } from '../../../src/storage/http/client.ts'
import type { HttpRequest } from '../../../src/storage/http/types.ts'
import { failing } from '../conformance.ts'
import { Fixture } from './fixture.ts'
import { get, sized, sleep, textOf } from './server.ts'

const here = new Fixture()

describe('a request', () => {
  test('is written as it was given, with host and length', async () => {
    await here.serving(sized(''))
    const origin = here.server.origin()
    await here.client.request(get(origin, { target: '/a%20b?c=d', headers: { 'x-a': 'b c\xe9' } }))
    await here.client.request(
      get(origin, { method: 'PUT', headers: { host: 'me' }, body: [Buffer.from('ab'), Buffer.from('c')] }),
    )
    await here.client.request(get(origin, { method: 'POST', headers: { 'content-length': '0' } }))
    await here.client.request(get(origin, { method: 'PUT', body: [new Uint8Array(0)] }))
    await here.client.request(get(origin, { method: 'DELETE' }))
    expect(here.server.received.map(({ head, body }) => [head, textOf(body)])).toEqual([
      [`GET /a%20b?c=d HTTP/1.1\r\nhost: 127.0.0.1:${here.server.port}\r\nx-a: b c\xe9\r\n\r\n`, ''],
      ['PUT /k HTTP/1.1\r\nhost: me\r\ncontent-length: 3\r\n\r\n', 'abc'],
      [`POST /k HTTP/1.1\r\nhost: 127.0.0.1:${here.server.port}\r\ncontent-length: 0\r\n\r\n`, ''],
      [`PUT /k HTTP/1.1\r\nhost: 127.0.0.1:${here.server.port}\r\ncontent-length: 0\r\n\r\n`, ''],
      [`DELETE /k HTTP/1.1\r\nhost: 127.0.0.1:${here.server.port}\r\n\r\n`, ''],
    ])
  })

  test.each<[string, Partial<HttpRequest>, string]>([
    ['a target with a blank', { target: '/a b' }, '"/a b"'],
    ['a target with a line end', { target: '/a\r\nx: y' }, 'target'],
    ['a target that is no path', { target: 'http://x/' }, 'target'],
    ['a name with capitals', { headers: { Host: 'x' } }, '"Host"'],
    ['a name with a colon', { headers: { 'a:b': 'x' } }, '"a:b"'],
    ['a value with a line end', { headers: { a: 'x\r\nb: y' } }, 'header a'],
    ['a value with a wide character', { headers: { a: '€' } }, 'header a'],
    ['a length that is not the body’s', { headers: { 'content-length': '5' } }, '"5"'],
    ['a transfer-encoding', { headers: { 'transfer-encoding': 'chunked' } }, 'transfer-encoding'],
    ['no protocol', { origin: { protocol: 'ftp:' as 'http:', host: 'h', port: 1 } }, '"ftp:"'],
    ['no port', { origin: { protocol: 'http:', host: 'h', port: 70_000 } }, '70000'],
    ['no host', { origin: { protocol: 'http:', host: 'a/b', port: 1 } }, '"a/b"'],
  ])('with %s is E_USAGE, and is not sent', async (_, wrong, word) => {
    await here.serving(sized(''))
    await expect(here.client.request(get(here.server.origin(), wrong))).rejects.toEqual(failing('E_USAGE', word))
    expect(here.client.counters).toMatchObject({ requests: 0, openConnections: 0 })
  })

  test('never shows its query or its headers in an error', async () => {
    await here.serve(({ socket }) => socket.destroy())
    const secret = { target: '/k?X-Amz-Signature=SECRET', headers: { authorization: 'SECRET' }, idempotent: false }
    const error = await here.client.request(get(here.server.origin(), secret)).catch((reason: unknown) => reason)
    const url = `http://127.0.0.1:${here.server.port}/k`
    expect(error).toEqual(failing('E_NETWORK', `GET ${url}: `))
    expect(error).toMatchObject({ details: { url } })
    const shown = Object.values(error as object).map((field) => JSON.stringify(field))
    expect([String(error), ...shown].join()).not.toContain('SECRET')
    const bad = await here.client
      .request(get(here.server.origin(), { headers: { authorization: 'SECRET\n' } }))
      .catch(String)
    expect(bad).not.toContain('SECRET')
  })
})

describe('a body that is sent', () => {
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

  test('arrives as it is, in pieces of any size', async () => {
    await here.serving(sized(''))
    const body = [0, 1, 0, 100_000, 300_000, 7, 262_144, 0, 600_001, 0].map((size) => randomBytes(size))
    await here.client.request(get(here.server.origin(), { method: 'PUT', body }))
    await here.client.request(
      get(here.server.origin(), { method: 'PUT', body: Array.from({ length: 3000 }, (_, i) => Buffer.from([i])) }),
    )
    const [first, second] = here.server.received
    expect(digest(first?.body ?? Buffer.alloc(0))).toBe(digest(Buffer.concat(body)))
    expect(second?.body).toEqual(Buffer.from(Array.from({ length: 3000 }, (_, i) => i & 255)))
    expect(here.client.counters.connectionsOpened).toBe(1)
    const heads = here.server.received.reduce((sum, { head }) => sum + head.length, 0)
    expect(here.client.counters.bytesSent).toBe(heads + 1_262_153 + 3000)
  })

  test('is sent no further once the answer is there, and the connection not used again', async () => {
    await here.serve(() => {})
    here.server.onHead = (socket) => {
      socket.pause()
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge')
    }
    const size = 64 * 2 ** 20
    const request = get(here.server.origin(), { method: 'PUT', body: [Buffer.alloc(size)] })
    const { status, body } = await here.client.request(request)
    expect([status, textOf(body)]).toEqual([413, 'large'])
    expect(here.client.counters.bytesSent).toBeLessThan(size / 2)
    await here.client.request(get(here.server.origin(), { method: 'PUT', body: [Buffer.alloc(5)] })).catch(() => {})
    expect(here.client.counters.connectionsOpened).toBe(2)
  })

  test('waits for a server that does not read, until the time is up', async () => {
    here.open({ stallTimeout: 150 })
    await here.serve(() => {})
    here.server.onHead = (socket) => socket.pause()
    const size = 64 * 2 ** 20
    const start = performance.now()
    await expect(
      here.client.request(get(here.server.origin(), { method: 'PUT', body: [Buffer.alloc(size)] })),
    ).rejects.toEqual(failing('E_TIMEOUT', 'the server took no byte for 150 ms'))
    expect(performance.now() - start).toBeLessThan(2000)
    expect(here.client.counters.bytesSent).toBeLessThan(size / 2)
  })
})

describe('an answer', () => {
  test('has status, headers, body, times and the peer', async () => {
    await here.serve(async ({ socket }) => {
      await sleep(20)
      socket.write('HTTP/1.1 201 Made\r\nContent-Length: 4\r\nETag: "e"\r\n\r\nab')
      await sleep(20)
      socket.write('cd')
    })
    const before = performance.now()
    const { status, headers, body, timing, peer } = await here.client.request(get(here.server.origin()))
    expect({ status, headers, body: textOf(body), peer }).toEqual({
      status: 201,
      headers: { 'content-length': '4', etag: '"e"' },
      body: 'abcd',
      peer: `127.0.0.1:${here.server.port}`,
    })
    expect(timing.sent).toBeGreaterThanOrEqual(before)
    expect(timing.firstByte - timing.sent).toBeGreaterThan(15)
    expect(timing.end - timing.firstByte).toBeGreaterThan(15)
    expect(timing.end).toBeLessThanOrEqual(performance.now())
  })

  test('has its first byte when the head that counts begins', async () => {
    await here.serve(async ({ socket }) => {
      socket.write('HTTP/1.1 102 Processing\r\n\r\n')
      await sleep(40)
      socket.write(sized('x'))
    })
    const { timing } = await here.client.request(get(here.server.origin()))
    expect(timing.firstByte - timing.sent).toBeGreaterThan(30)
  })

  test('is the same wherever it is cut', { timeout: 20_000 }, async () => {
    const answer = Buffer.from(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nT: x\r\n\r\n',
    )
    await here.serve(async ({ socket, head }) => {
      const cut = Number(/\d+/.exec(head)?.[0])
      socket.write(answer.subarray(0, cut))
      await sleep(2)
      socket.write(answer.subarray(cut))
    })
    const answers = Array.from({ length: answer.length }, async (_, cut) => {
      const memory = new Uint8Array(19)
      const { body } = await here.client.request(get(here.server.origin(), { target: `/${cut}`, place: () => memory }))
      expect(body).toBe(memory)
      return textOf(body)
    })
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['abc0123456789abcdef']))
    expect(here.client.counters.connectionsOpened).toBe(64)
  })

  test('of 20 MB lands in place', async () => {
    const body = randomBytes(20_000_000)
    await here.serving(sized(body))
    const memory = Buffer.alloc(body.length + 2, 1)
    const place = () => memory.subarray(1, -1)
    for (let time = 0; time < 2; time++) {
      memory.fill(1)
      await here.client.request(get(here.server.origin(), { place }))
      expect(memory.equals(Buffer.concat([Buffer.of(1), body, Buffer.of(1)]))).toBe(true)
    }
    expect(here.client.counters.connectionsOpened).toBe(1)
    expect(here.client.counters.bytesReceived).toBe(2 * sized(body).length)
  })

  test('that is not HTTP is E_CORRUPT at once', async () => {
    await here.serving('SSH-2.0-OpenSSH\r\n')
    await expect(here.client.request(get(here.server.origin()))).rejects.toEqual(
      failing('E_CORRUPT', `GET http://127.0.0.1:${here.server.port}/k: `, 'SSH-2.0'),
    )
  })

  test('that ends early is E_CORRUPT, that is reset E_NETWORK', async () => {
    await here.serve(({ socket, request, connection }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123', () => {
        if (connection + request === 0) socket.end()
        else setTimeout(() => socket.resetAndDestroy(), 20)
      })
    })
    await expect(here.client.request(get(here.server.origin()))).rejects.toEqual(
      failing('E_CORRUPT', '7 bytes before the end'),
    )
    await expect(here.client.request(get(here.server.origin()))).rejects.toEqual(
      failing('E_NETWORK', 'connection reset before the answer was complete'),
    )
    expect(here.server.received).toHaveLength(2)
  })

  test('that lasts until the connection ends is complete then', async () => {
    await here.serve(({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'))
    for (let time = 0; time < 2; time++)
      expect(textOf((await here.client.request(get(here.server.origin()))).body)).toBe('all of it')
    expect(here.client.counters.connectionsOpened).toBe(2)
  })

  test('ends with what place throws, and with the connection', async () => {
    await here.serving(sized('x'.repeat(100_000)))
    const error = new RangeError('no room')
    const place = () => {
      throw error
    }
    await expect(here.client.request(get(here.server.origin(), { place }))).rejects.toBe(error)
    expect((await here.client.request(get(here.server.origin()))).body).toHaveLength(100_000)
    expect(here.client.counters.connectionsOpened).toBe(2)
  })

  test.each([
    ['longer', 99_999, 'the body has 100000 bytes, but 99999 were expected'],
    ['shorter', 100_001, 'the body has 100000 bytes, but 100001 were expected'],
  ])('that is %s than its place is E_CORRUPT', async (_, length, reason) => {
    await here.serving(sized('x'.repeat(100_000)))
    const request = get(here.server.origin(), { place: () => new Uint8Array(length) })
    await expect(here.client.request(request)).rejects.toEqual(failing('E_CORRUPT', reason))
  })
})

describe('a client', () => {
  test('has options, each checked', () => {
    const wrong = (options: object) => () => openHttpClient(options)
    expect(wrong({ connexions: 1 })).toThrow(failing('E_USAGE', '"connexions"') as Error)
    expect(wrong({ connections: 0 })).toThrow(failing('E_USAGE', 'connections', '0') as Error)
    for (const name of ['connectTimeout', 'firstByteTimeout', 'stallTimeout', 'idleTimeout'])
      expect(wrong({ [name]: 1.5 })).toThrow(failing('E_USAGE', name, '1.5') as Error)
    expect(wrong({ verifyTls: 'no' })).toThrow(failing('E_USAGE', 'verifyTls', '"no"') as Error)
    expect(wrong({ ca: 5 })).toThrow(failing('E_USAGE', 'ca', '5') as Error)
    expect(wrong({ ca: 'x' })).toThrow(failing('E_CONFIG', 'ca') as Error)
  })

  test('ends what is under way when it is closed, wherever it stands', async () => {
    here.open({ connections: 2 })
    await here.serve(({ socket, head }) => {
      if (head.startsWith('GET /half')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123')
    })
    const ends = ['/half', '/unanswered', '/waiting'].map((target) =>
      here.client.request(get(here.server.origin(), { target })),
    )
    const outcomes = Promise.allSettled(ends)
    await expect.poll(() => here.server.received.length).toBe(2)
    await here.client.close()
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'E_CANCELLED' } })
    expect(here.client.counters).toMatchObject({ openConnections: 0, connectionsOpened: 2, requests: 3 })
    await expect(here.client.request(get(here.server.origin()))).rejects.toEqual(failing('E_STATE', 'closed'))
  })

  test('closed while it connects opens nothing afterwards', async () => {
    await here.serving(sized(''))
    const request = here.client.request(get(here.server.origin()))
    const closed = Promise.all([here.client.close(), here.client.close()])
    await expect(request).rejects.toEqual(failing('E_CANCELLED', 'the client was closed'))
    await closed
    expect(here.client.counters).toMatchObject({ openConnections: 0, connectionsOpened: 0 })
    await here.client.close()
  })
})
