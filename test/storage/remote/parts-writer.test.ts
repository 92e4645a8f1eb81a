import { createHash, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HeadraceError } from '../../../src/errors.ts'
import { openHttpClient } from '../../../src/storage/http/client.ts'
import type { Method } from '../../../src/storage/http/types.ts'
import { remoteOptions } from '../../../src/storage/remote/options.ts'
import { type ExistingPart, type PartsTarget, PartsWriter } from '../../../src/storage/remote/parts-writer.ts'
import { openSession } from '../../../src/storage/remote/session.ts'
import type { Session } from '../../../src/storage/remote/types.ts'
import { failing } from '../conformance.ts'
import { etagOf, TestServer } from './range-server.ts'

const KiB = 1024
const limits = { minPart: KiB, maxPart: 100 * KiB, maxParts: 100, maxObject: 4000 * KiB }

/** A server with uploads in parts: what is there is what its requests made. */
let server: TestServer
let session: Session
const objects = new Map<string, Buffer>()
const uploads = new Map<string, Map<number, Buffer>>()
let failing500: (path: string) => boolean
let delay: number
let heldMost: number

beforeEach(async () => {
  objects.clear()
  uploads.clear()
  failing500 = () => false
  delay = 0
  heldMost = 0
  server = await new TestServer().listen()
  server.handler = ({ method, path, body }, response) => {
    setTimeout(() => {
      if (failing500(`${method} ${path}`)) return void response.writeHead(500).end()
      const [, command = '', id = '', number = ''] = path.split('/')
      if (command === 'begin') {
        const made = `u${server.requests.length}`
        uploads.set(made, new Map())
        return void response.end(made)
      }
      if (command === 'part') uploads.get(id)?.set(Number(number), body)
      if (command === 'abort') uploads.delete(id)
      if (command === 'complete') {
        const listed: string[] = JSON.parse(body.toString())
        const held = [...(uploads.get(id) ?? [])].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)
        if (JSON.stringify(listed) !== JSON.stringify(held.map(etagOf))) return void response.writeHead(400).end()
        objects.set('k', Buffer.concat(held))
        uploads.delete(id)
      }
      if (command === 'put') {
        if (objects.has('k')) return void response.writeHead(412).end()
        objects.set('k', body)
      }
      if (command === 'list')
        return void response.end(
          JSON.stringify(
            [...uploads].map(([name, parts]) => [name, [...parts].map(([n, p]) => [n, p.length, etagOf(p)])]),
          ),
        )
      response.end(etagOf(body))
    }, delay)
  }
  session = openSession({
    endpoints: [server.endpoint],
    client: openHttpClient(),
    options: remoteOptions({ baseDelay: 1, maxDelay: 4, attempts: 2 }),
  })
})
afterEach(async () => {
  await session.close()
  await server.close()
})

function md5(pieces: readonly Uint8Array[]): string {
  const hash = createHash('md5')
  for (const piece of pieces) hash.update(piece)
  return `"${hash.digest('hex')}"`
}

class Target implements PartsTarget<string> {
  readonly limits = limits
  id = ''
  held = 0

  async #send(method: Method, target: string, body: readonly Uint8Array[] = [], signal?: AbortSignal): Promise<string> {
    this.held++
    heldMost = Math.max(heldMost, this.held)
    try {
      return await session.send(
        {
          doing: `${method} ${target}`,
          url: 'x://b',
          idempotent: true,
          build: ({ origin }) => ({ method, origin, target, headers: {}, body, idempotent: true }),
          read: ({ status, body: answer }) => {
            if (status === 412) throw new HeadraceError('E_EXISTS', 'k is there already', { url: 'x://b' })
            if (status !== 200) throw new HeadraceError('E_SERVER', `status ${status}`, { url: 'x://b' })
            return new TextDecoder().decode(answer)
          },
        },
        signal === undefined ? {} : { signal },
      )
    } finally {
      this.held--
    }
  }

  async putWhole(pieces: readonly Uint8Array[], signal: AbortSignal) {
    return this.#info(await this.#send('PUT', '/put', pieces, signal))
  }

  async begin() {
    this.id = await this.#send('POST', '/begin')
  }

  async part(number: number, pieces: readonly Uint8Array[], signal: AbortSignal) {
    const etag = await this.#send('PUT', `/part/${this.id}/${number}`, pieces, signal)
    expect(etag).toBe(md5(pieces))
    return etag
  }

  async complete(parts: readonly string[]) {
    return this.#info(await this.#send('POST', `/complete/${this.id}`, [Buffer.from(JSON.stringify(parts))]))
  }

  async abort() {
    await this.#send('DELETE', `/abort/${this.id}`)
  }

  async existing(): Promise<ReadonlyMap<number, ExistingPart<string>> | undefined> {
    const [found]: [string, [number, number, string][]][] = JSON.parse(await this.#send('GET', '/list'))
    if (found === undefined) return undefined
    this.id = found[0]
    return new Map(
      found[1].map(([n, size, etag]) => [n, { size, part: etag, matches: (pieces) => md5(pieces) === etag }]),
    )
  }

  #info(etag: string) {
    return { key: 'k', size: objects.get('k')?.length ?? -1, etag, modified: 0 }
  }
}

const open = (options = {}) =>
  new PartsWriter(new Target(), { key: 'k', partSize: 16 * KiB, partsInFlight: 3, ...options })
const asked = () => server.requests.map(({ method, path }) => `${method} ${path.replace(/u\d+/, 'U')}`)
const stored = (bytes: Uint8Array) => Buffer.compare(objects.get('k') ?? Buffer.alloc(0), bytes) === 0

/** Writes in pieces of many lengths. */
async function writeAll(writer: PartsWriter<string>, bytes: Buffer, piece = 5000): Promise<void> {
  for (let at = 0; at < bytes.length; at += piece) await writer.write(bytes.subarray(at, at + piece))
}

describe('an upload in parts', () => {
  test.each([0, 1, 16 * KiB - 1, 16 * KiB])('of %i bytes is one request', async (length) => {
    for (const known of [true, false]) {
      objects.clear()
      server.requests.length = 0
      const bytes = randomBytes(length)
      const writer = open(known ? { size: length } : {})
      await writeAll(writer, bytes)
      expect(asked()).toEqual([])
      expect((await writer.close()).size).toBe(length)
      expect(asked()).toEqual(['PUT /put'])
      expect(stored(bytes)).toBe(true)
    }
  })

  test.each([16 * KiB + 1, 100_000, 6 * 16 * KiB])(
    'of %i bytes is cut into parts, all of one size but the last',
    async (length) => {
      const bytes = randomBytes(length)
      for (const [known, piece] of [
        [true, 5000],
        [false, 5000],
        [false, 16 * KiB],
        [false, 70_000],
        [true, 1],
      ] as const) {
        if (piece === 1 && length > 20_000) continue
        objects.clear()
        server.requests.length = 0
        const writer = open(known ? { size: length } : {})
        await writeAll(writer, bytes, piece)
        expect(objects.size).toBe(0)
        await writer.close()
        expect(stored(bytes)).toBe(true)
        const count = Math.ceil(length / (16 * KiB))
        const parts = Array.from({ length: count }, (_, i) => `PUT /part/U/${i + 1}`)
        expect(asked().sort()).toEqual([...parts, 'POST /begin', 'POST /complete/U'].sort())
        const lengths = server.requests.filter(({ path }) => path.startsWith('/part')).map(({ body }) => body.length)
        expect(lengths.sort((a, b) => b - a)).toEqual([
          ...Array(count - 1).fill(16 * KiB),
          length - (count - 1) * 16 * KiB,
        ])
        expect(uploads.size).toBe(0)
      }
    },
  )

  test('of a whole body sends the parts from where they lie, also when it is too short or too long', async () => {
    for (const length of [0, 1, 16 * KiB, 16 * KiB + 1, 6 * 16 * KiB, 100_000]) {
      objects.clear()
      server.requests.length = 0
      const bytes = randomBytes(length)
      expect((await open({ size: length }).put(bytes)).size).toBe(length)
      expect(stored(bytes)).toBe(true)
      const count = Math.ceil(length / (16 * KiB))
      expect(server.requests.filter(({ path }) => path.startsWith('/part')).length).toBe(count > 1 ? count : 0)
    }
    for (const size of [99_999, 100_001]) {
      const message = `k: ${size} bytes were announced, but 100000 came`
      await expect(open({ size }).put(randomBytes(100_000))).rejects.toEqual(failing('E_STATE', message))
    }
    expect(uploads.size).toBe(0)
  })

  test('an empty piece is no part', async () => {
    const bytes = randomBytes(3 * 16 * KiB)
    for (const size of [undefined, bytes.length]) {
      objects.clear()
      const writer = open(size === undefined ? {} : { size })
      await writer.write(new Uint8Array())
      await writer.write(bytes.subarray(0, 32 * KiB))
      for (let i = 0; i < 3; i++) await writer.write(new Uint8Array())
      await writer.write(bytes.subarray(32 * KiB))
      await writer.close()
      expect(stored(bytes)).toBe(true)
    }
    const lengths = server.requests.filter(({ path }) => path.startsWith('/part')).map(({ body }) => body.length)
    expect(lengths).not.toContain(0)
  })

  test('the caller’s memory may be used again once a write is done', async () => {
    const bytes = randomBytes(200_000)
    const piece = Buffer.alloc(7000)
    const writer = open()
    for (let at = 0; at < bytes.length; at += 7000) {
      const length = bytes.copy(piece, 0, at)
      await writer.write(piece.subarray(0, length))
      piece.fill(0xee)
    }
    await writer.close()
    expect(stored(bytes)).toBe(true)
  })

  test('writes in the order of the calls, awaited or not', async () => {
    const bytes = randomBytes(150_000)
    const writer = open()
    const calls: Promise<unknown>[] = []
    for (let at = 0; at < bytes.length; at += 1000) calls.push(writer.write(bytes.subarray(at, at + 1000)))
    calls.push(writer.close())
    await Promise.all(calls)
    expect(stored(bytes)).toBe(true)
  })

  test('has at most as many parts under way as it may, and a write waits for room', async () => {
    delay = 30
    const writer = open()
    await writer.write(randomBytes(16 * KiB * 3))
    // Three are under way: a fourth that is full waits for one of them.
    const before = performance.now()
    await writer.write(randomBytes(16 * KiB))
    expect(performance.now() - before).toBeGreaterThan(5)
    await writer.write(randomBytes(16 * KiB * 8))
    await writer.close()
    expect(heldMost).toBe(3)
    expect(server.mostActive).toBe(3)
  })

  test('where parts had to grow, fewer are under way: memory stays what it was', async () => {
    delay = 5
    // 100 parts suffice for 4,000 KiB where each has 40: one is under way and one is filled.
    const writer = open({ size: 3000 * KiB, partSize: 16 * KiB })
    await writer.write(randomBytes(3000 * KiB))
    await writer.close()
    expect(server.requests[1]?.body.length).toBe(100 * KiB)
    expect(heldMost).toBe(1)
  })

  test('more parts than there may be are E_LIMIT, and nothing stays', async () => {
    const small = { ...limits, maxParts: 4, maxObject: 4 * 16 * KiB }
    const target = Object.assign(new Target(), { limits: small })
    const writer = new PartsWriter(target, { key: 'k', partSize: 16 * KiB, partsInFlight: 3 })
    await writer.write(randomBytes(4 * 16 * KiB))
    await expect(writer.write(randomBytes(16 * KiB))).rejects.toEqual(failing('E_LIMIT', '4 parts'))
    expect(uploads.size).toBe(0)
  })
})

describe('announced bytes', () => {
  test('that do not all come are E_STATE, and nothing stays', async () => {
    for (const length of [10, 50_000]) {
      const writer = open({ size: length + 1 })
      await writer.write(randomBytes(length))
      await expect(writer.close()).rejects.toEqual(
        failing('E_STATE', `${length + 1} bytes were announced, but ${length} came`),
      )
    }
    expect(uploads.size).toBe(0)
    expect(objects.size).toBe(0)
  })

  test('and more than them, too', async () => {
    const writer = open({ size: 40_000 })
    await writer.write(randomBytes(30_000))
    await expect(writer.write(randomBytes(10_001))).rejects.toEqual(failing('E_STATE', 'but 40001 came'))
    await expect(writer.close()).rejects.toEqual(failing('E_STATE', 'aborted, or failed'))
    expect(uploads.size).toBe(0)
  })
})

describe('a failure leaves nothing', () => {
  test.each(['PUT /part/U/3', 'POST /complete', 'POST /begin'])('of %s', async (which) => {
    failing500 = (path) => path.replace(/u\d+/, 'U').startsWith(which)
    const writer = open()
    const outcome = await writeAll(writer, randomBytes(200_000))
      .then(() => writer.close())
      .catch((error) => error)
    expect(outcome).toEqual(failing('E_SERVER', 'status 500 (2 attempts)'))
    await expect(writer.write(randomBytes(1))).rejects.toEqual(failing('E_STATE', 'aborted, or failed'))
    await writer.abort()
    expect(uploads.size).toBe(0)
    expect(objects.size).toBe(0)
    await expect.poll(() => server.active).toBe(0)
  })

  test('of a put that finds the key taken', async () => {
    objects.set('k', Buffer.from('first'))
    const writer = open()
    await writer.write(randomBytes(5))
    await expect(writer.close()).rejects.toEqual(failing('E_EXISTS'))
    expect(objects.get('k')?.toString()).toBe('first')
  })

  test('of an abort, while parts are under way', async () => {
    delay = 10
    const writer = open()
    await writer.write(randomBytes(16 * KiB * 3 + 1))
    const waiting = writer.write(randomBytes(16 * KiB * 5)).catch((error) => error)
    await writer.abort()
    expect(await waiting).toBeInstanceOf(HeadraceError)
    expect(uploads.size).toBe(0)
    await writer.abort()
    expect(asked().filter((each) => each.startsWith('DELETE'))).toHaveLength(1)
  })

  test('of a signal, without anyone touching the writer again', async () => {
    const controller = new AbortController()
    const writer = open({ signal: controller.signal })
    await writer.write(randomBytes(100_000))
    controller.abort()
    await expect.poll(() => asked().filter((each) => each.startsWith('DELETE'))).toHaveLength(1)
    expect(uploads.size).toBe(0)
    await expect(writer.write(randomBytes(1))).rejects.toEqual(failing('E_CANCELLED', 'k'))
    await expect(writer.close()).rejects.toEqual(failing('E_CANCELLED', 'k'))
  })

  test('an abort that comes after the close is too late', async () => {
    const bytes = randomBytes(100_000)
    const writer = open()
    await writer.write(bytes)
    delay = 10
    const closed = writer.close()
    const aborted = writer.abort()
    const outcome = await closed.catch((error) => error)
    await aborted
    // Either it was whole before the abort, or there is nothing.
    if (outcome instanceof Error) expect([objects.size, uploads.size]).toEqual([0, 0])
    else expect(stored(bytes)).toBe(true)
    const other = open()
    await other.write(bytes)
    await other.close()
    await other.abort()
    expect(stored(bytes)).toBe(true)
  })
})

describe('an interrupted upload is resumed', () => {
  const bytes = randomBytes(10 * 16 * KiB + 100)
  const interrupt = async () => {
    failing500 = (path) => path.endsWith('/8')
    const writer = open({ resume: true })
    await expect(writeAll(writer, bytes).then(() => writer.close())).rejects.toEqual(failing('E_SERVER'))
    failing500 = () => false
    const [left] = uploads.values()
    server.requests.length = 0
    return left ?? new Map<number, Buffer>()
  }

  test('without sending again what is there already', async () => {
    const left = await interrupt()
    expect(left.size).toBeGreaterThanOrEqual(5)
    const there = [...left.keys()]
    const writer = open({ resume: true })
    await writeAll(writer, bytes)
    await writer.close()
    expect(stored(bytes)).toBe(true)
    const sent = asked().flatMap((each) => /\/part\/U\/(\d+)/.exec(each)?.[1] ?? [])
    expect([...there, ...sent.map(Number)].sort((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, i) => i + 1))
    expect(asked()).not.toContain('POST /begin')
    expect(uploads.size).toBe(0)
  })

  test('but what is other bytes, or fewer, is sent', async () => {
    const left = await interrupt()
    left.set(2, randomBytes(16 * KiB))
    left.set(3, bytes.subarray(32 * KiB, 40 * KiB))
    const writer = open({ resume: true })
    await writeAll(writer, bytes)
    await writer.close()
    expect(stored(bytes)).toBe(true)
    expect(asked()).toEqual(expect.arrayContaining(['PUT /part/U/2', 'PUT /part/U/3']))
    expect(asked()).not.toContain('PUT /part/U/1')
  })

  test('an abort drops its parts, also those of before; so does what can never succeed', async () => {
    await interrupt()
    const writer = open({ resume: true })
    await writeAll(writer, bytes.subarray(0, 60_000))
    await writer.abort()
    expect(uploads.size).toBe(0)
    await interrupt()
    const short = open({ resume: true, size: bytes.length + 1 })
    await writeAll(short, bytes)
    await expect(short.close()).rejects.toEqual(failing('E_STATE'))
    expect(uploads.size).toBe(0)
  })
})
