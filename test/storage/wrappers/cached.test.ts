import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startS3Server } from '../../../src/dev/s3/index.ts'
import { FileStore } from '../../../src/storage/file/file.ts'
import { MemoryStore } from '../../../src/storage/memory.ts'
import { openStore } from '../../../src/storage/open.ts'
import { openStoreSpec } from '../../../src/storage/spec.ts'
import type { GetOptions, Store } from '../../../src/storage/types.ts'
import { type CacheOptions, cached } from '../../../src/storage/wrappers/cached.ts'
import { layer } from '../../../src/storage/wrappers/layer.ts'
import { bytesOf, failing, storeConformance, textAt } from '../conformance.ts'
import { withFaults } from './faults.ts'

const KiB = 1024
let folder: string
let made = 0
const makeFolder = () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'headrace-cached-'))
}
const removeFolder = () => fs.rmSync(folder, { recursive: true, force: true })

for (const [name, inner] of [
  ['mem', () => new MemoryStore('cached')],
  ['file', () => new FileStore(join(folder, `store${made++}`), { sync: 'never' })],
] as const)
  storeConformance(
    `cached(${name})`,
    async () => {
      if (!fs.existsSync(folder ?? '')) makeFolder()
      return cached(inner(), { dir: join(folder, `cache${made++}`), bytes: 2 ** 20, blockSize: 4 * KiB })
    },
    async () => removeFolder(),
  )

/** Notes what is asked of a store. */
function watched(inner: Store) {
  const asked: string[] = []
  const rangeOf = ({ range }: GetOptions = {}) => (range === undefined ? '' : ` ${range.offset}+${range.length}`)
  const store = layer(inner, inner.spec, {
    head: (key, call) => {
      asked.push(`head ${key}`)
      return inner.head(key, call)
    },
    get: (key, call) => {
      asked.push(`get ${key}${rangeOf(call)}${call?.ifMatch === undefined ? '' : ' if'}`)
      return inner.get(key, call)
    },
  })
  return { store, take: () => asked.splice(0) }
}

beforeEach(makeFolder)
afterEach(removeFolder)

function cacheFiles(): string[] {
  return fs
    .readdirSync(join(folder, 'cache'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'lock')
    .map((entry) => join(entry.parentPath, entry.name))
}
/** What another process has removed meanwhile takes no room. */
const sizeOf = (path: string) => fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
const cacheBytes = () => cacheFiles().reduce((sum, path) => sum + Math.ceil(sizeOf(path) / 4096) * 4096, 0)

function open(inner: Store = new MemoryStore('m'), options: Partial<CacheOptions> = {}) {
  const { store: seen, take } = watched(inner)
  const store = cached(seen, { dir: join(folder, 'cache'), bytes: 4 * 2 ** 20, blockSize: 4 * KiB, ...options })
  return { inner, store, take }
}

describe('what was read once', () => {
  test('comes from the directory, after the etag was asked for', async () => {
    const { inner, store, take } = open()
    const bytes = randomBytes(10_000)
    await inner.put('k', bytes)
    const first = await store.get('k')
    expect(take()).toEqual(['get k'])
    const second = await store.get('k')
    expect(take()).toEqual(['head k'])
    expect(second).toEqual(first)
    expect(second?.data).toEqual(new Uint8Array(bytes))
    expect(store.report()).toEqual({
      hits: 3,
      misses: 3,
      bytesFromCache: 10_000,
      bytesFetched: 10_000,
      damaged: 0,
      evicted: 0,
      unwritten: 0,
    })
  })

  test('is there for other stores of the same URL, and not for those of another', async () => {
    const { inner, store } = open()
    await inner.put('k', bytesOf('text'))
    await store.get('k')
    const again = open(inner)
    expect(await textAt(again.store, 'k')).toBe('text')
    expect(again.take()).toEqual(['head k'])
    const other = open(new MemoryStore('other'))
    await other.inner.put('k', bytesOf('mine'))
    expect(await textAt(other.store, 'k')).toBe('mine')
    expect(other.take()).toEqual(['get k'])
  })

  test('is not there for a bucket of the same name on another server', async () => {
    const at = (endpoint: string) => {
      const inner = new MemoryStore('bucket')
      const spec = { url: inner.url, options: { endpoint } }
      return { inner, store: open(layer(inner, spec, {}), { immutable: true }).store }
    }
    const [one, two] = [at('http://one'), at('http://two')]
    await one.inner.put('k', bytesOf('of one'))
    await two.inner.put('k', bytesOf('of two'))
    expect(await textAt(one.store, 'k')).toBe('of one')
    expect(await textAt(two.store, 'k')).toBe('of two')
  })

  test('is not there for a bucket of the same name on the server that the environment names meanwhile', async () => {
    const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
    const servers = await Promise.all([startS3Server(), startS3Server()])
    const inside: Store[] = []
    for (const { url } of servers) {
      vi.stubEnv('AWS_ENDPOINT_URL', url)
      inside.push(await openStore('s3://bucket', { credentials }))
    }
    vi.unstubAllEnvs()
    const texts = ['of one', 'of two']
    for (const [i, store] of inside.entries()) {
      await store.createContainer?.()
      await store.put('k', bytesOf(texts[i] ?? ''))
      expect(await textAt(open(store, { immutable: true }).store, 'k')).toBe(texts[i])
    }
    await Promise.all(inside.map((store) => store.close()))
    await Promise.all(servers.map((server) => server.close()))
  })

  test('is never older than the object: a change is seen at the next get', async () => {
    const { inner, store, take } = open()
    for (const text of ['one', 'two', 'six', 'eleven', '']) {
      await inner.put('k', bytesOf(text))
      expect(await textAt(store, 'k')).toBe(text)
      take()
      expect(await textAt(store, 'k')).toBe(text)
      expect(take()).toEqual(['head k'])
    }
    for await (const _ of inner.delete(['k']));
    expect(await store.get('k')).toBeUndefined()
    expect(take()).toEqual(['head k'])
    expect(await store.get('k')).toBeUndefined()
    expect(take()).toEqual(['get k'])
  })

  test('is of one version where the object changes between the questions', async () => {
    const inner = new MemoryStore('m')
    const one = randomBytes(20_000)
    const two = randomBytes(20_000)
    await inner.put('k', one)
    let change = false
    const changing = layer(inner, inner.spec, {
      get: async (key, call) => {
        if (change && call?.range) {
          change = false
          await inner.put('k', two)
        }
        return inner.get(key, call)
      },
    })
    const { store } = open(changing)
    await store.get('k', { range: { offset: 0, length: 5000 } })
    change = true
    expect((await store.get('k'))?.data).toEqual(new Uint8Array(two))
    expect((await store.get('k'))?.data).toEqual(new Uint8Array(two))
  })

  test('an object that changes with every question is E_STATE', async () => {
    const inner = new MemoryStore('m')
    await inner.put('k', randomBytes(20_000))
    const changing = layer(inner, inner.spec, {
      get: async (key, call) => {
        if (call?.range) await inner.put('k', randomBytes(20_000))
        return inner.get(key, call)
      },
    })
    const { store } = open(changing)
    await expect(store.get('k', { range: { offset: 0, length: 5000 } })).rejects.toEqual(failing('E_STATE'))
  })
})

describe('ranges', () => {
  test('are fetched and kept as blocks: each byte once', async () => {
    const { inner, store, take } = open()
    const bytes = randomBytes(10 * 4 * KiB + 100)
    await inner.put('k', bytes)
    const read = async (offset: number, length: number) => {
      const body = await store.get('k', { range: { offset, length } })
      expect(body?.data).toEqual(new Uint8Array(bytes.subarray(offset, offset + length)))
      return take()
    }
    expect(await read(5000, 10)).toEqual(['head k', 'get k 4096+4096 if'])
    expect(await read(4096, 4096)).toEqual(['head k'])
    expect(await read(0, 12_288)).toEqual(['head k', 'get k 0+4096 if', 'get k 8192+4096 if'])
    // The ends are wanted in part and fetched apart; what lies between comes in one request.
    expect(await read(12_289, 20_000)).toEqual([
      'head k',
      'get k 12288+4096 if',
      'get k 16384+12288 if',
      'get k 28672+4096 if',
    ])
    expect(await read(40_900, 500)).toEqual(['head k', 'get k 36864+4096 if', 'get k 40960+100 if'])
    expect(await read(0, bytes.length)).toEqual(['head k', 'get k 32768+4096 if'])
    expect(await read(0, bytes.length)).toEqual(['head k'])
    expect(store.report()).toMatchObject({ misses: 11, bytesFetched: bytes.length, damaged: 0 })
  })

  test('may go into memory of the caller, and nothing beyond is touched', async () => {
    const { inner, store } = open()
    const bytes = randomBytes(20_000)
    await inner.put('k', bytes)
    for (const round of [0, 1]) {
      const memory = new Uint8Array(12_000).fill(0xee)
      const into = memory.subarray(100, 100 + 10_005)
      const body = await store.get('k', { range: { offset: 3000, length: 10_000 }, into })
      expect([round, body?.data.byteOffset, body?.data.length]).toEqual([round, 100, 10_000])
      expect(Buffer.compare(memory.subarray(100, 10_100), bytes.subarray(3000, 13_000))).toBe(0)
      expect(memory.subarray(0, 100).every((byte) => byte === 0xee)).toBe(true)
      expect(memory.subarray(10_100).every((byte) => byte === 0xee)).toBe(true)
    }
  })

  test('a failure of the store inside is what is thrown, and nothing wrong is kept', async () => {
    const memory = new MemoryStore('m')
    const bytes = randomBytes(30_000)
    await memory.put('k', bytes)
    const { store } = open(withFaults(memory, [{ op: 'get', code: 'E_NETWORK', times: 1 }]))
    await expect(store.get('k', { range: { offset: 10, length: 20_000 } })).rejects.toEqual(failing('E_NETWORK'))
    expect((await store.get('k'))?.data).toEqual(new Uint8Array(bytes))
  })
})

describe('an immutable store', () => {
  test('is asked for nothing while the cache has it', async () => {
    const { inner, store, take } = open(undefined, { immutable: true })
    await inner.put('k', bytesOf('text'))
    expect(await textAt(store, 'k')).toBe('text')
    expect(take()).toEqual(['get k'])
    expect(await textAt(store, 'k')).toBe('text')
    expect((await store.get('k', { range: { offset: 1, length: 2 } }))?.data).toEqual(bytesOf('ex'))
    expect((await store.head('k'))?.size).toBe(4)
    expect(take()).toEqual([])
    // The promise was broken by others: what was seen first stays.
    await inner.put('k', bytesOf('other'))
    expect(await textAt(store, 'k')).toBe('text')
  })

  test('knows what was written through it', async () => {
    const { store } = open(undefined, { immutable: true })
    await store.put('k', bytesOf('one'))
    expect(await textAt(store, 'k')).toBe('one')
    await store.put('k', bytesOf('two'))
    expect(await textAt(store, 'k')).toBe('two')
    const writer = store.writer('k')
    await writer.write(bytesOf('three'))
    expect(await textAt(store, 'k')).toBe('two')
    await writer.close()
    expect(await textAt(store, 'k')).toBe('three')
    await store.put('a', bytesOf('four'))
    await store.copy?.('a', 'k')
    expect(await textAt(store, 'k')).toBe('four')
    for await (const _ of store.delete(['k']));
    expect(await store.get('k')).toBeUndefined()
  })

  test('does not mix versions where the promise was broken and a part is missing', async () => {
    const { inner, store } = open(undefined, { immutable: true })
    await inner.put('k', Buffer.alloc(20_000, 1))
    await store.get('k', { range: { offset: 0, length: 10 } })
    await inner.put('k', Buffer.alloc(20_000, 2))
    const body = await store.get('k')
    expect(new Set(body?.data)).toEqual(new Set([2]))
  })
})

describe('the bound', () => {
  test('is kept at every moment, and what was not used for longest goes first', async () => {
    const bytes = 64 * 4096
    const { inner, store, take } = open(undefined, { bytes, immutable: true })
    // Two files each: what is known of the object, and its one block of two clusters.
    const put = async (key: string) => {
      await inner.put(key, randomBytes(4096))
      await store.get(key)
      expect(cacheBytes()).toBeLessThanOrEqual(bytes)
      // Times of files decide.
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await put('old')
    await put('used')
    for (const path of cacheFiles()) fs.utimesSync(path, 1000, 1000)
    take()
    await store.get('used')
    expect(take()).toEqual([])
    for (let i = 0; i < 100; i++) await put(`k${i}`)
    expect(store.report().evicted).toBeGreaterThan(100)
    expect(cacheFiles().length).toBeGreaterThan(30)
    take()
    await store.get('k99')
    expect(take()).toEqual([])
    await store.get('old')
    expect(take()).toEqual(['get old'])
  })

  test('a use saves an entry from going first', async () => {
    const bytes = 64 * 4096
    const { inner, store, take } = open(undefined, { bytes, immutable: true })
    for (const key of ['a', 'b']) {
      await inner.put(key, randomBytes(4096))
      await store.get(key)
    }
    const fill = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        await inner.put(`k${i}`, randomBytes(4096))
        await store.get(`k${i}`)
      }
    }
    await fill(0, 14)
    for (const path of cacheFiles()) fs.utimesSync(path, 1000, 1000)
    await store.get('a')
    await fill(14, 24)
    take()
    expect(store.report().evicted).toBeGreaterThan(0)
    await store.get('a')
    expect(take()).toEqual([])
  })

  test('counts what is there when it begins', async () => {
    const bytes = 64 * 4096
    const { inner, store } = open(undefined, { bytes: 4 * 2 ** 20 })
    for (let i = 0; i < 100; i++) {
      await inner.put(`k${i}`, randomBytes(4000))
      await store.get(`k${i}`)
    }
    expect(cacheBytes()).toBeGreaterThan(bytes)
    const small = open(inner, { bytes })
    await inner.put('new', randomBytes(4000))
    await small.store.get('new')
    expect(cacheBytes()).toBeLessThanOrEqual(bytes)
  })

  test('what a killed process was writing is removed in the end', async () => {
    const { inner, store } = open(undefined, { bytes: 64 * 4096 })
    await inner.put('k', randomBytes(4000))
    await store.get('k')
    const [some = ''] = cacheFiles()
    const pending = join(some, '..', '.headrace-1-0123456789ab.tmp')
    fs.writeFileSync(pending, randomBytes(100))
    fs.utimesSync(pending, 1000, 1000)
    const fresh = join(some, '..', '.headrace-1-ba9876543210.tmp')
    fs.writeFileSync(fresh, randomBytes(100))
    await open(inner).store.get('k')
    expect([fs.existsSync(pending), fs.existsSync(fresh)]).toEqual([false, true])
  })
})

describe('a damaged file', () => {
  test.each<[string, (path: string, bytes: Buffer) => void]>([
    ['a flipped bit of data', (path, bytes) => fs.writeFileSync(path, flip(bytes, bytes.length - 1))],
    ['a flipped bit of the header', (path, bytes) => fs.writeFileSync(path, flip(bytes, 9))],
    ['cut off', (path, bytes) => fs.writeFileSync(path, bytes.subarray(0, bytes.length - 1))],
    ['too long', (path, bytes) => fs.writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(1)]))],
    ['empty', (path) => fs.writeFileSync(path, '')],
    ['a directory', replaceByDirectory],
  ])('%s is fetched anew', async (_, damage) => {
    const { inner, store, take } = open()
    const bytes = randomBytes(9000)
    await inner.put('k', bytes)
    await store.get('k')
    for (const path of cacheFiles()) damage(path, fs.readFileSync(path))
    take()
    for (let i = 0; i < 3; i++) expect((await store.get('k'))?.data).toEqual(new Uint8Array(bytes))
    expect(take()[0]).toBe('get k')
    expect(store.report().damaged).toBeGreaterThan(0)
  })

  test('files under each other’s names are no entries', async () => {
    const { inner, store } = open()
    await inner.put('a', Buffer.alloc(4096, 1))
    await inner.put('b', Buffer.alloc(4096, 2))
    await store.get('a')
    await store.get('b')
    const [one = '', two = ''] = cacheFiles().filter((path) => fs.statSync(path).size > 4096)
    fs.renameSync(one, `${one}x`)
    fs.renameSync(two, one)
    fs.renameSync(`${one}x`, two)
    expect(new Set((await store.get('a'))?.data)).toEqual(new Set([1]))
    expect(new Set((await store.get('b'))?.data)).toEqual(new Set([2]))
    expect(store.report().damaged).toBe(2)
  })
})

function replaceByDirectory(path: string): void {
  fs.rmSync(path)
  fs.mkdirSync(path)
}

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

describe('a directory', () => {
  test('that cannot be made is E_ACCESS or E_NOT_FOUND that names it', async () => {
    const file = join(folder, 'file')
    fs.writeFileSync(file, '')
    const { inner, store } = open(undefined, { dir: join(file, 'cache') })
    await inner.put('k', bytesOf('x'))
    await expect(store.get('k')).rejects.toEqual(failing('E_NOT_FOUND', 'cannot use the cache directory', file))
    fs.rmSync(file)
    expect(await textAt(store, 'k')).toBe('x')
  })

  test('that cannot be written to any more costs time only', async () => {
    const { inner, store, take } = open()
    await inner.put('k', bytesOf('text'))
    await store.get('k')
    fs.rmSync(join(folder, 'cache'), { recursive: true })
    fs.writeFileSync(join(folder, 'cache'), 'in the way')
    take()
    expect(await textAt(store, 'k')).toBe('text')
    expect(await textAt(store, 'k')).toBe('text')
    expect(take()).toEqual(['get k', 'get k'])
    expect(store.report().unwritten).toBeGreaterThan(0)
  })

  test('where an entry cannot be put in its place closes the file once: its number may be another one by then', async () => {
    const { inner, store } = open()
    await inner.put('k', bytesOf('text'))
    await store.get('k')
    for (const path of cacheFiles()) {
      fs.rmSync(path)
      fs.mkdirSync(join(path, 'in the way'), { recursive: true })
    }
    const close = vi.spyOn(fs, 'close')
    try {
      expect(await textAt(store, 'k')).toBe('text')
      const opened = store.report().unwritten
      expect(opened).toBe(2)
      // Each of the two directories that stand where files should be was opened to be read, too.
      expect(close.mock.calls.length).toBe(opened + 1)
    } finally {
      close.mockRestore()
    }
  })

  test('is for its owner alone', async () => {
    const { inner, store } = open()
    await inner.put('k', bytesOf('text'))
    await store.get('k')
    expect(fs.statSync(join(folder, 'cache')).mode & 0o777).toBe(0o700)
  })
})

test('options that make no sense are refused', () => {
  const dir = join(folder, 'cache')
  const store = new MemoryStore('m')
  const refused = (options: object, ...words: string[]) =>
    expect(() => cached(store, options as CacheOptions)).toThrow(failing('E_USAGE', ...words) as Error)
  refused({ dir: '', bytes: 2 ** 30 }, 'dir')
  refused({ dir, bytes: 'much' }, 'bytes', '"much"')
  refused({ dir, bytes: 15 * 2 ** 20 }, 'at least 16 blocks of 1048576')
  refused({ dir, bytes: 2 ** 30, blockSize: 100 }, 'blockSize')
  refused({ dir, bytes: 2 ** 30, immutable: 1 }, 'immutable')
  refused({ dir, bytes: 2 ** 30, size: 1 }, '"size"')
})

test('a spec opens the same cache', async () => {
  const dir = join(folder, 'cache')
  const inner = new FileStore(join(folder, 'store'), { sync: 'never' })
  const store = cached(inner, { dir, bytes: '16MiB' })
  await store.put('k', bytesOf('text'))
  await store.get('k')
  const again = await openStoreSpec(structuredClone(store.spec))
  expect(again.spec.wrappers).toEqual([
    { name: 'cached', options: { dir, bytes: 2 ** 24, blockSize: 2 ** 20, immutable: false } },
  ])
  expect(await textAt(again, 'k')).toBe('text')
  expect((again as ReturnType<typeof cached>).report().hits).toBe(1)
})

describe('several processes', () => {
  const loader = fileURLToPath(new URL('../../cache/typescript-loader.mjs', import.meta.url))
  const child = fileURLToPath(new URL('cache-child.ts', import.meta.url))
  const bytes = 128 * 4096
  const count = 60
  const fill = async () => {
    const store = new FileStore(join(folder, 'store'), { sync: 'never' })
    for (let n = 0; n < count; n++)
      await store.put(
        `k${n}`,
        Uint8Array.from({ length: 9000 }, (_, i) => (n * 7 + i) & 0xff),
      )
    return store
  }
  const start = (seed: number): ChildProcess =>
    spawn(
      process.execPath,
      ['--import', loader, child, join(folder, 'store'), join(folder, 'cache'), `${bytes}`, `${count}`, `${seed}`],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
  const running = (process: ChildProcess) => {
    const said = { dots: 0, error: '' }
    process.stdout?.on('data', (data: Buffer) => {
      said.dots += data.length
    })
    process.stderr?.on('data', (data: Buffer) => {
      said.error += data
    })
    return said
  }

  test('share a directory, evicting all the time, and all read what is right', async () => {
    await fill()
    const processes = [1, 2, 3].map(start)
    const said = processes.map(running)
    try {
      await expect
        .poll(() => said.map(({ dots, error }) => error || dots > 8), { timeout: 40_000 })
        .toEqual([true, true, true])
      // Each may have written a sixteenth more than it knows of.
      expect(cacheBytes()).toBeLessThanOrEqual(bytes * (1 + 3 / 16))
    } finally {
      for (const process of processes) process.kill('SIGKILL')
      await Promise.all(processes.map((process) => process.exitCode ?? process.signalCode ?? once(process, 'exit')))
    }
  })

  test('killed at any moment, leave a cache that gives what is right', async () => {
    const store = await fill()
    for (let round = 0; round < 4; round++) {
      const process = start(round + 10)
      const said = running(process)
      await expect.poll(() => said.error || said.dots > round % 3, { timeout: 40_000, interval: 7 }).toBe(true)
      process.kill('SIGKILL')
      await once(process, 'exit')
    }
    const { store: after } = open(store, { bytes })
    for (let n = 0; n < count; n++) {
      const body = await after.get(`k${n}`)
      expect(body?.data.every((byte, i) => byte === ((n * 7 + i) & 0xff))).toBe(true)
    }
    expect(after.report().damaged).toBe(0)
    expect(cacheBytes()).toBeLessThanOrEqual(bytes)
    // Nothing holds the lock of those that are gone.
    expect(after.report().unwritten).toBe(0)
    expect(after.report().hits).toBeGreaterThan(0)
  })
})
