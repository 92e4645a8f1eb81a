import { parseSize } from '../../bytes.ts'
import { booleanOption, finiteNumber, knownOptions, show } from '../../checks.ts'
import { HeadraceError, isHeadraceError, throwIfAborted } from '../../errors.ts'
import { allocate } from '../file/descriptor.ts'
import { checkRange, cutRange, roomFor } from '../range.ts'
import type { CallOptions, GetOptions, ObjectBody, ObjectInfo, ObjectWriter, Store } from '../types.ts'
import { CacheDirectory } from './cache-directory.ts'
import { entryId } from './cache-entry.ts'
import type { CacheReport } from './cache-report.ts'
import { copiesFrom, layer, wrappedSpec } from './layer.ts'

export interface CacheOptions {
  /** A directory for nothing else; made if it is missing. Any number of stores and processes may share it. */
  readonly dir: string
  /** What the directory may hold, or such as '10GiB'. At least 16 blocks. */
  readonly bytes: number | string
  /** Bytes that are fetched and kept together, 4 KiB to 64 MiB; 1 MiB. A small range costs the blocks that it touches. */
  readonly blockSize?: number | string
  /**
   * `true`: an object that was seen once never changes under its key, which is the caller's promise: nothing is asked
   * of the store inside while the cache has the bytes. `false` (the default): each get asks it for the object's etag.
   */
  readonly immutable?: boolean
}

export interface CachedStore extends Store {
  /** What the cache did; of what the store inside counts, that store tells. */
  report(): CacheReport
}

/** Bytes of what is known of one object; more than a store's metadata may have. */
const MAX_INFO = 64 * 1024
/** Blocks of one get that are read or written at once. */
const BLOCKS_TOGETHER = 8
/** An object that changes faster than it can be read is the caller's to know. */
const MAX_CHANGES = 3

/**
 * The same store with a bounded cache on a local disk before it: what is read is kept in blocks, with checksums. What a
 * get returns is one version of the object, the one that the store inside had when the get began; with `immutable` the
 * one that it had when the object was first seen, or was last written by this store. A cache that cannot be read or
 * written any more costs time, not the data. The directory's files are not synced: what a power cut leaves is checked.
 * E_USAGE for options that make no sense; the first get is E_ACCESS where the directory cannot be made.
 */
export function cached(store: Store, options: CacheOptions): CachedStore {
  knownOptions('cached', options, ['dir', 'bytes', 'blockSize', 'immutable'])
  const { dir, immutable = false } = options
  if (typeof dir !== 'string' || dir === '')
    throw new HeadraceError('E_USAGE', `dir must be the path of a directory, but got ${show(dir)}`)
  const blockSize = finiteNumber('blockSize', parseSize(options.blockSize ?? 2 ** 20, 'blockSize'), 4096, 2 ** 26)
  const bytes = parseSize(options.bytes, 'bytes')
  if (bytes < 16 * blockSize)
    throw new HeadraceError('E_USAGE', `bytes must be at least 16 blocks of ${blockSize} bytes, but got ${bytes}`)
  booleanOption('immutable', immutable)
  const reader = new CachedReader(store, new CacheDirectory(dir, bytes), blockSize, immutable)
  const { copy } = store
  const calls = layer(store, wrappedSpec(store, 'cached', { dir, bytes, blockSize, immutable }), {
    head: immutable ? (key, call) => reader.head(key, call) : undefined,
    get: (key, call) => reader.get(key, call),
    put: (key, body, call) => reader.changing(key, store.put(key, body, call)),
    writer: (key, call) => new ForgettingWriter(store.writer(key, call), reader, key),
    delete: async function* (keys, call) {
      for await (const result of store.delete(keys, call)) {
        await reader.forget(result.key)
        yield result
      }
    },
    copy: copy && ((from, to, call) => reader.changing(to, copy.call(store, from, to, call))),
    copyFrom: copiesFrom(store, (across) => (from, to, call) => reader.changing(to, across(from, to, call))),
    close: async () => {
      await reader.close()
      await store.close()
    },
  })
  return { ...calls, report: () => reader.report() }
}

/** Blocks that lie next to each other, from the object's `offset` on. */
interface Run {
  readonly blocks: readonly number[]
  readonly offset: number
  readonly length: number
}

class CachedReader {
  readonly #store: Store
  /** Servers may have buckets of one name. */
  readonly #place: readonly string[]
  readonly #directory: CacheDirectory
  readonly #blockSize: number
  readonly #immutable: boolean
  #hits = 0
  #misses = 0
  #bytesFromCache = 0
  #bytesFetched = 0

  constructor(store: Store, directory: CacheDirectory, blockSize: number, immutable: boolean) {
    this.#store = store
    this.#place = [store.url, store.endpoint ?? JSON.stringify(store.spec.options?.endpoint ?? '')]
    this.#directory = directory
    this.#blockSize = blockSize
    this.#immutable = immutable
  }

  report(): CacheReport {
    return {
      ...this.#directory.totals,
      hits: this.#hits,
      misses: this.#misses,
      bytesFromCache: this.#bytesFromCache,
      bytesFetched: this.#bytesFetched,
    }
  }

  close(): Promise<void> {
    return this.#directory.close()
  }

  async head(key: string, call?: CallOptions): Promise<ObjectInfo | undefined> {
    throwIfAborted(call?.signal, 'head')
    return (await this.#known(key)) ?? this.#store.head(key, call)
  }

  /** A change of an object, after which what is known of it is known no more. */
  async changing<T>(key: string, change: Promise<T>): Promise<T> {
    try {
      return await change
    } finally {
      await this.forget(key)
    }
  }

  async forget(key: string): Promise<void> {
    await this.#directory.remove(this.#infoId(key))
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    checkRange(options.range)
    throwIfAborted(options.signal, 'get')
    await this.#directory.begin()
    for (let changes = 0; ; changes++) {
      const known = await this.#known(key)
      try {
        const info = known !== undefined && this.#immutable ? known : await this.#ask(key, options, known)
        if (info === undefined) return undefined
        if ('data' in info) return info
        return await this.#assemble(info, options)
      } catch (error) {
        // The object changed after it was asked for: the caller wants one version, whichever it is.
        if (!isHeadraceError(error, 'E_STATE') || options.ifMatch !== undefined || changes === MAX_CHANGES) throw error
        await this.forget(key)
      }
    }
  }

  /** What the object is now; of one that is small or wanted whole, and not known yet, also its bytes at once. */
  async #ask(
    key: string,
    options: GetOptions,
    known: ObjectInfo | undefined,
  ): Promise<ObjectInfo | ObjectBody | undefined> {
    if (known === undefined && options.range === undefined) return this.#first(key, options)
    const { signal, trace } = options
    const info = await this.#store.head(key, { ...(signal && { signal }), ...(trace && { trace }) })
    if (info === undefined) {
      if (known !== undefined) await this.forget(key)
      return undefined
    }
    if (info.etag !== known?.etag) await this.#remember(info)
    return info
  }

  /** The whole of an object of which nothing is known: asking for its etag first would be another request. */
  async #first(key: string, options: GetOptions): Promise<ObjectBody | undefined> {
    const body = await this.#store.get(key, options)
    if (body === undefined) return undefined
    this.#bytesFetched += body.data.length
    const { info, data } = body
    const blocks = this.#blocksOf(0, info.size)
    this.#misses += blocks.length
    await together(blocks, (block) => {
      const [from, to] = this.#bounds(block, info)
      return this.#directory.write(this.#blockId(info, block), data.subarray(from, to))
    })
    await this.#remember(info)
    return body
  }

  async #assemble(info: ObjectInfo, options: GetOptions): Promise<ObjectBody> {
    const { key, size } = info
    if (options.ifMatch !== undefined && options.ifMatch !== info.etag)
      throw new HeadraceError('E_STATE', `${key} has changed: its etag is not ${show(options.ifMatch)} any more`, {
        key,
      })
    const { offset, length } = cutRange(options.range, size, key)
    const data = options.into === undefined ? allocate(length, key) : roomFor(options.into, length, key)
    const missing: number[] = []
    await together(this.#blocksOf(offset, length), async (block) => {
      throwIfAborted(options.signal, `get of ${key}`)
      if (!(await this.#fromDirectory(info, block, offset, data))) missing.push(block)
    })
    missing.sort((a, b) => a - b)
    await together(this.#runs(missing, info, offset, length), (run) => this.#fetch(info, run, offset, data, options))
    return { info, data }
  }

  async #fromDirectory(info: ObjectInfo, block: number, offset: number, data: Uint8Array): Promise<boolean> {
    const [from, to] = this.#bounds(block, info)
    const whole = from >= offset && to <= offset + data.length
    const place = whole ? data.subarray(from - offset, to - offset) : allocate(to - from, info.key)
    if (!(await this.#directory.read(this.#blockId(info, block), place))) {
      this.#misses++
      return false
    }
    const used = whole ? place.length : copyOverlap(place, from, data, offset)
    this.#hits++
    this.#bytesFromCache += used
    return true
  }

  async #fetch(info: ObjectInfo, run: Run, offset: number, data: Uint8Array, options: GetOptions): Promise<void> {
    const { signal, trace, parts, pageCache } = options
    const inside = run.offset >= offset && run.offset + run.length <= offset + data.length
    const into = inside
      ? data.subarray(run.offset - offset, run.offset - offset + run.length)
      : allocate(run.length, info.key)
    const body = await this.#store.get(info.key, {
      range: { offset: run.offset, length: run.length },
      into,
      ifMatch: info.etag,
      ...(signal && { signal }),
      ...(trace && { trace }),
      ...(parts && { parts }),
      ...(pageCache && { pageCache }),
    })
    if (body === undefined || body.data.length !== run.length)
      throw new HeadraceError('E_STATE', `${info.key} has changed while it was read`, { key: info.key })
    this.#bytesFetched += run.length
    if (!inside) copyOverlap(into, run.offset, data, offset)
    await together(run.blocks, (block) => {
      const [from, to] = this.#bounds(block, info)
      return this.#directory.write(this.#blockId(info, block), into.subarray(from - run.offset, to - run.offset))
    })
  }

  /** Missing blocks as few requests; those at the ends that are wanted in part apart, since they need memory of their own. */
  #runs(missing: readonly number[], info: ObjectInfo, offset: number, length: number): Run[] {
    const runs: number[][] = []
    let joinable = false
    for (const block of missing) {
      const [from, to] = this.#bounds(block, info)
      const whole = from >= offset && to <= offset + length
      const last = runs.at(-1)
      if (whole && joinable && last?.at(-1) === block - 1) last.push(block)
      else runs.push([block])
      joinable = whole
    }
    return runs.map((blocks) => {
      const [from] = this.#bounds(blocks[0] ?? 0, info)
      const [, to] = this.#bounds(blocks.at(-1) ?? 0, info)
      return { blocks, offset: from, length: to - from }
    })
  }

  #blocksOf(offset: number, length: number): number[] {
    const first = Math.floor(offset / this.#blockSize)
    const end = length === 0 ? first : Math.ceil((offset + length) / this.#blockSize)
    return Array.from({ length: end - first }, (_, i) => first + i)
  }

  #bounds(block: number, { size }: ObjectInfo): [number, number] {
    return [block * this.#blockSize, Math.min((block + 1) * this.#blockSize, size)]
  }

  #infoId(key: string): Buffer {
    return entryId('info', ...this.#place, key)
  }

  #blockId({ key, etag, size }: ObjectInfo, block: number): Buffer {
    return entryId('block', ...this.#place, key, etag, size, this.#blockSize, block)
  }

  async #known(key: string): Promise<ObjectInfo | undefined> {
    const bytes = await this.#directory.readAll(this.#infoId(key), MAX_INFO)
    return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as ObjectInfo)
  }

  async #remember(info: ObjectInfo): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(info))
    if (bytes.length <= MAX_INFO) await this.#directory.write(this.#infoId(info.key), bytes)
  }
}

/** Copies what two pieces of one object have in common; returns how many bytes. */
function copyOverlap(source: Uint8Array, sourceAt: number, target: Uint8Array, targetAt: number): number {
  const from = Math.max(sourceAt, targetAt)
  const to = Math.min(sourceAt + source.length, targetAt + target.length)
  target.set(source.subarray(from - sourceAt, to - sourceAt), from - targetAt)
  return to - from
}

/** All are over when it returns, also where one failed: memory of the caller must not be written to any more. */
async function together<T>(items: readonly T[], each: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await each(item)
  }
  const lanes = Array.from({ length: Math.min(BLOCKS_TOGETHER, items.length) }, lane)
  for (const outcome of await Promise.allSettled(lanes)) if (outcome.status === 'rejected') throw outcome.reason
}

class ForgettingWriter implements ObjectWriter {
  readonly #writer: ObjectWriter
  readonly #reader: CachedReader
  readonly #key: string

  constructor(writer: ObjectWriter, reader: CachedReader, key: string) {
    this.#writer = writer
    this.#reader = reader
    this.#key = key
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#writer.write(chunk)
  }

  close(): Promise<ObjectInfo> {
    return this.#reader.changing(this.#key, this.#writer.close())
  }

  abort(): Promise<void> {
    return this.#writer.abort()
  }
}
