import { createHash, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HeadraceError } from '../../../src/errors.ts'
import { openHttpClient } from '../../../src/storage/http/client.ts'
import type { HttpHead } from '../../../src/storage/http/types.ts'
import { remoteOptions } from '../../../src/storage/remote/options.ts'
import { type FetchRange, type RangeHead, rangedGet, rangedPartSize } from '../../../src/storage/remote/ranged-get.ts'
import { openSession } from '../../../src/storage/remote/session.ts'
import type { Session } from '../../../src/storage/remote/types.ts'
import type { GetOptions, Trace } from '../../../src/storage/types.ts'
import { failing } from '../conformance.ts'
import { answerRange, etagOf, TestServer } from './range-server.ts'

const KiB = 1024
const parts = { partSize: 16 * KiB, partsInFlight: 4 }

let server: TestServer
let session: Session
let object: Buffer

beforeEach(async () => {
  server = await new TestServer().listen()
  server.handler = (request, response) => answerRange(request, response, object)
  object = randomBytes(200 * KiB + 7)
  session = openSession({
    endpoints: [server.endpoint],
    client: openHttpClient(),
    options: remoteOptions({ baseDelay: 1, maxDelay: 4, attempts: 3 }),
  })
})
afterEach(async () => {
  await session.close()
  await server.close()
})

function headOf({ status, headers }: HttpHead): RangeHead {
  const [, first, last, total] = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/.exec(headers['content-range'] ?? '') ?? []
  const size = Number(status === 200 ? headers['content-length'] : total)
  const offset = Number(first ?? 0)
  const length = status === 200 ? size : last === undefined ? 0 : Number(last) - offset + 1
  return { info: { key: 'k', size, etag: headers.etag ?? '', modified: 0 }, offset, length }
}

/** A protocol of nothing but ranges. */
const fetchRange: FetchRange = ({ offset, length, ifMatch, place, signal, trace }) =>
  session.send(
    {
      doing: 'get x://b/k',
      url: 'x://b',
      key: 'k',
      idempotent: true,
      build: ({ origin }) => ({
        method: 'GET',
        origin,
        target: '/k',
        headers: { range: `bytes=${offset}-${offset + length - 1}`, ...(ifMatch && { 'if-match': ifMatch }) },
        idempotent: true,
        place: (head) => (head.status === 200 || head.status === 206 ? place(headOf(head)) : undefined),
      }),
      read: (response) => {
        if (response.status === 404) return undefined
        if (response.status === 412) throw new HeadraceError('E_STATE', 'k has changed', { url: 'x://b', key: 'k' })
        if (response.status >= 500) throw new HeadraceError('E_SERVER', 'internal error', { url: 'x://b', key: 'k' })
        return headOf(response)
      },
    },
    { ...(signal && { signal }), ...(trace && { trace }) },
  )

/** Comparing element by element would take longer than all else. */
const bytesAre = (data: Uint8Array | undefined, expected: Uint8Array) =>
  expect(data !== undefined && Buffer.compare(data, expected)).toBe(0)
const get = (options: GetOptions = {}, how = parts) => rangedGet('k', options, how, fetchRange)
const ranges = () => server.requests.map(({ headers }) => headers.range)

test('a small object comes in one request, without its size being asked for', async () => {
  object = randomBytes(5000)
  const body = await get()
  bytesAre(body?.data, object)
  expect(body?.info).toEqual({ key: 'k', size: 5000, etag: etagOf(object), modified: 0 })
  expect(ranges()).toEqual(['bytes=0-16383'])
})

test('a large one comes in parts side by side, each once, of the version that the first had', async () => {
  const body = await get()
  expect(body?.data.buffer.byteLength).toBe(object.length)
  expect(
    createHash('md5')
      .update(body?.data ?? '')
      .digest('hex'),
  ).toBe(etagOf(object).slice(1, -1))
  expect(ranges().sort()).toEqual(
    Array.from(
      { length: 13 },
      (_, i) => `bytes=${i * 16 * KiB}-${Math.min((i + 1) * 16 * KiB, object.length) - 1}`,
    ).sort(),
  )
  const conditions = server.requests.map(({ headers }) => headers['if-match'])
  expect(conditions).toEqual([undefined, ...Array(12).fill(etagOf(object))])
})

test('at most as many parts as it may are under way', async () => {
  server.handler = (request, response) => void setTimeout(() => answerRange(request, response, object), 10)
  await get()
  // The first may still arrive when the others begin.
  expect(server.mostActive).toBeLessThanOrEqual(5)
  expect(server.mostActive).toBeGreaterThanOrEqual(4)
})

test('the others do not wait for the bytes of the first', async () => {
  let finish = () => {}
  server.handler = (request, response) => {
    if (server.requests.length > 1) return answerRange(request, response, object)
    const length = 16 * KiB
    response.writeHead(206, {
      etag: etagOf(object),
      'content-range': `bytes 0-${length - 1}/${object.length}`,
      'content-length': length,
    })
    response.write(object.subarray(0, 10))
    finish = () => response.end(object.subarray(10, length))
  }
  const body = get()
  await expect.poll(() => server.requests.length).toBe(13)
  finish()
  bytesAre((await body)?.data, object)
})

test('any range of any object, into memory of the caller or not', async () => {
  for (const [offset, length] of [
    [0, 1],
    [0, object.length],
    [0, object.length + 99],
    [5, 16 * KiB],
    [5, 16 * KiB + 1],
    [100_000, undefined],
    [object.length - 1, 5],
    [object.length, undefined],
    [object.length, 3],
    [77, 0],
  ] as const) {
    const range = length === undefined ? { offset } : { offset, length }
    const expected = new Uint8Array(object.subarray(offset, offset + (length ?? object.length)))
    const body = await get({ range })
    bytesAre(body?.data, expected)
    expect(body?.info.size).toBe(object.length)
    const memory = new Uint8Array(expected.length + 20).fill(0xee)
    const into = memory.subarray(10, 10 + expected.length + 3)
    const placed = await get({ range, into })
    bytesAre(placed?.data, expected)
    expect([placed?.data.buffer, placed?.data.byteOffset]).toEqual([memory.buffer, 10])
    const around = [...memory.subarray(0, 10), ...memory.subarray(10 + expected.length)]
    expect(around).toEqual(Array(20).fill(0xee))
  }
})

test('empty, absent, past the end, too large for the memory', async () => {
  object = Buffer.alloc(0)
  expect((await get())?.data).toEqual(new Uint8Array())
  await expect(get({ range: { offset: 1 } })).rejects.toEqual(failing('E_USAGE', 'range.offset must be at most 0'))
  object = randomBytes(10)
  await expect(get({ range: { offset: 11 } })).rejects.toEqual(failing('E_USAGE', 'range.offset must be at most 10'))
  const into = new Uint8Array(9)
  await expect(get({ into })).rejects.toEqual(failing('E_LIMIT', '10 bytes', 'has 9'))
  expect(into).toEqual(new Uint8Array(9))
  server.handler = (_, response) => response.writeHead(404).end()
  expect(await get()).toBeUndefined()
})

test('a server that knows no ranges will do for the whole object', async () => {
  server.handler = (_, response) =>
    response.writeHead(200, { etag: '"x"', 'content-length': object.length }).end(object)
  bytesAre((await get())?.data, object)
  expect(server.requests).toHaveLength(1)
  await expect(get({ range: { offset: 5, length: 10 } })).rejects.toEqual(failing('E_CORRUPT', '3 attempts'))
})

describe('an object that changes while it is read', () => {
  test('is E_STATE, and nothing is under way any more', async () => {
    const other = randomBytes(object.length)
    server.handler = (request, response) => answerRange(request, response, server.requests.length > 5 ? other : object)
    await expect(get()).rejects.toEqual(failing('E_STATE', 'k has changed'))
    // What was sent before the failure may arrive yet.
    await new Promise((resolve) => setTimeout(resolve, 50))
    await expect.poll(() => server.active).toBe(0)
    const seen = server.requests.length
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(server.requests).toHaveLength(seen)
  })

  test('is seen where the server does not look at If-Match, too', async () => {
    const other = randomBytes(object.length)
    server.handler = (request, response) => {
      const { 'if-match': _, ...headers } = request.headers
      answerRange({ ...request, headers }, response, server.requests.length > 5 ? other : object)
    }
    await expect(get()).rejects.toEqual(failing('E_STATE', 'k has changed', etagOf(other).slice(1, -1)))
  })

  test.each([
    ['is gone', 404],
    ['is shorter', 416],
  ])('and %s is E_STATE', async (_, status) => {
    server.handler = (request, response) => {
      if (server.requests.length < 5) answerRange(request, response, object)
      else response.writeHead(status, { 'content-range': 'bytes */5', etag: '"y"' }).end()
    }
    await expect(get()).rejects.toEqual(failing('E_STATE', 'k has changed'))
  })

  test('before its first part is there begins anew with none of the other parts', async () => {
    const other = randomBytes(object.length)
    server.handler = (request, response, incoming) => {
      if (server.requests.length > 1) return answerRange(request, response, other)
      const range = `bytes 0-${16 * KiB - 1}/${object.length}`
      response.writeHead(206, { etag: etagOf(object), 'content-range': range, 'content-length': 16 * KiB })
      response.write(object.subarray(0, 100), () => setTimeout(() => incoming.socket.destroy(), 5))
    }
    await expect(get()).rejects.toEqual(failing('E_STATE', 'k has changed'))
  })
})

describe('answers that are wrong', () => {
  const wrong: Record<string, (from: number, length: number) => string> = {
    'another offset': (from, length) => `bytes ${from + 1}-${from + length}/${object.length}`,
    'fewer bytes': (from, length) => `bytes ${from}-${from + length - 2}/${object.length}`,
    'more bytes': (from, length) => `bytes ${from}-${from + length}/${object.length}`,
  }
  test.each(Object.entries(wrong))('%s: asked for again, then E_CORRUPT', async (_, contentRange) => {
    for (const times of [2, 3]) {
      let left = times
      server.requests.length = 0
      server.handler = (request, response) => {
        const from = Number(/=(\d+)-/.exec(request.headers.range ?? '')?.[1])
        if (from !== 32 * KiB || left-- <= 0) return answerRange(request, response, object)
        const told = contentRange(from, 16 * KiB)
        const [, first, last] = /(\d+)-(\d+)/.exec(told) ?? []
        const part = object.subarray(Number(first), Number(last) + 1)
        response
          .writeHead(206, { etag: etagOf(object), 'content-range': told, 'content-length': part.length })
          .end(part)
      }
      if (times === 2) {
        const trace: Trace = {}
        bytesAre((await get({ trace }))?.data, object)
        expect(trace.retries).toBe(2)
        expect(server.requests).toHaveLength(15)
      } else await expect(get()).rejects.toEqual(failing('E_CORRUPT', '16384 bytes from 32768', '3 attempts'))
    }
  })

  test('a failure of one part ends the others and is what is thrown', async () => {
    server.handler = (request, response) => {
      if (request.headers.range === 'bytes=65536-81919') response.writeHead(500).end()
      else setTimeout(() => answerRange(request, response, object), 5)
    }
    await expect(get()).rejects.toEqual(failing('E_SERVER', 'internal error (3 attempts)'))
    await expect.poll(() => server.active).toBe(0)
    expect(server.requests.length).toBeLessThan(16)
  })
})

test('a signal ends it', async () => {
  const controller = new AbortController()
  server.handler = (request, response) => {
    if (server.requests.length < 4) answerRange(request, response, object)
    else controller.abort()
  }
  await expect(get({ signal: controller.signal })).rejects.toEqual(failing('E_CANCELLED'))
  await expect.poll(() => server.active).toBe(0)
  await expect(get({ signal: controller.signal })).rejects.toEqual(failing('E_CANCELLED'))
})

test('parts of very long ranges are larger', () => {
  const MiB = 2 ** 20
  const usual = { partSize: 8 * MiB, partsInFlight: 8 }
  expect(rangedPartSize(100 * MiB, usual)).toBe(8 * MiB)
  expect(rangedPartSize(2048 * MiB, usual)).toBe(8 * MiB)
  expect(rangedPartSize(2049 * MiB, usual)).toBe(16 * MiB)
  expect(rangedPartSize(2 ** 40, usual)).toBe(64 * MiB)
  expect(rangedPartSize(2 ** 40, { partSize: 100 * MiB, partsInFlight: 8 })).toBe(100 * MiB)
})
