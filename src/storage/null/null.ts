import { parseSize } from '../../bytes.ts'
import { knownOptions, nonNegativeInteger, oneOf, show } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { checkKey, checkPrefix, compareKeys } from '../keys.ts'
import { checkRange, cutRange, roomFor } from '../range.ts'
import type {
  CallOptions,
  DeleteResult,
  GetOptions,
  ListEntry,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectWriter,
  PutOptions,
  Store,
  StoreSpec,
  WriterOptions,
} from '../types.ts'

/** Bytes that an object has at some place; everything else of it is 0. */
export interface Island {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** An object that takes no memory but for what must be there. Islands are in order and do not overlap. */
export interface NullObject {
  /** Bytes. */
  readonly size: number
  readonly islands?: readonly Island[]
}

export interface NullStoreOptions {
  /** Of every object, bytes or such as `1MiB`. Absent: nothing is there, unless `objects` has it. */
  readonly size?: number | string
  /** What lies under a key, where it is one of many kinds; within one process. It wins over `size`. */
  readonly objects?: (key: string) => NullObject | undefined | Promise<NullObject | undefined>
  /** The keys that a listing tells, in order of their bytes. None where absent, for there is no end of them. */
  readonly keys?: () => Iterable<string>
  /**
   * `zero`: what is read is written to the memory that was given, as zeros and islands. `skip`: only islands are, and
   * the rest of the memory stays as it is, which costs nothing. `zero` where absent; new memory is always zeros.
   */
  readonly fill?: 'zero' | 'skip'
}

export const NULL_STORE_OPTIONS = ['size', 'objects', 'keys', 'fill'] as const

/** Operations since the store was opened, and the bytes that they moved. */
export interface NullReport {
  readonly gets: number
  readonly bytesRead: number
  readonly puts: number
  readonly bytesWritten: number
}

/**
 * Storage that costs nothing: what is read is zeros of the right size, what is written is counted and dropped. What a
 * program reaches on it is what it could reach at best.
 */
export class NullStore implements Store {
  readonly url: string
  readonly spec: StoreSpec
  readonly #size: number | undefined
  readonly #objects: NullStoreOptions['objects']
  readonly #keys: NullStoreOptions['keys']
  readonly #fill: 'zero' | 'skip'
  readonly #opened = Date.now()
  #gets = 0
  #bytesRead = 0
  #puts = 0
  #bytesWritten = 0

  constructor(name: string, options: NullStoreOptions = {}) {
    knownOptions('a null store', options, NULL_STORE_OPTIONS)
    const { size, objects, keys, fill = 'zero' } = options
    oneOf('fill', fill, ['zero', 'skip'])
    this.#size = size === undefined ? undefined : parseSize(size, 'size')
    this.#objects = objects
    this.#keys = keys
    this.#fill = fill
    this.url = `null://${name}`
    this.spec = { url: this.url, options: { ...(this.#size !== undefined && { size: this.#size }), fill } }
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
    checkKey(key)
    throwIfAborted(signal, 'head')
    const object = await this.#at(key)
    return object && this.#info(key, object.size)
  }

  async get(key: string, { range, into, signal }: GetOptions = {}): Promise<ObjectBody | undefined> {
    checkKey(key)
    checkRange(range)
    throwIfAborted(signal, 'get')
    const object = await this.#at(key)
    if (object === undefined) return undefined
    const { offset, length } = cutRange(range, object.size, key)
    const data = into === undefined ? new Uint8Array(length) : roomFor(into, length, key)
    if (into !== undefined && this.#fill === 'zero') data.fill(0)
    if (object.islands !== undefined) copyIslands(object.islands, offset, data)
    this.#gets++
    this.#bytesRead += length
    return { info: this.#info(key, object.size), data }
  }

  async *list(prefix: string, { delimiter, startAfter = '', signal }: ListOptions = {}): AsyncGenerator<ListEntry> {
    checkPrefix(prefix)
    let rolled: string | undefined
    for (const key of this.#keys?.() ?? []) {
      throwIfAborted(signal, 'list')
      if (!key.startsWith(prefix) || compareKeys(key, startAfter) <= 0) continue
      const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
      if (cut >= 0) {
        if (rolled !== undefined && key.startsWith(rolled)) continue
        rolled = key.slice(0, cut + 1)
        yield { kind: 'prefix', prefix: rolled }
        continue
      }
      const object = await this.#at(key)
      if (object !== undefined) yield { kind: 'object', ...this.#info(key, object.size) }
    }
  }

  async put(key: string, body: Uint8Array, { signal }: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key)
    throwIfAborted(signal, 'put')
    return this.#drop(key, body.length)
  }

  writer(key: string, options: WriterOptions = {}): ObjectWriter {
    checkKey(key)
    return new NullWriter(key, options, (bytes) => this.#drop(key, bytes))
  }

  async *delete(keys: Iterable<string>, { signal }: CallOptions = {}): AsyncGenerator<DeleteResult> {
    for (const key of keys) {
      throwIfAborted(signal, 'delete')
      yield { key }
    }
  }

  report(): NullReport {
    return {
      gets: this.#gets,
      bytesRead: this.#bytesRead,
      puts: this.#puts,
      bytesWritten: this.#bytesWritten,
    }
  }

  async close(): Promise<void> {}

  #at(key: string): NullObject | undefined | Promise<NullObject | undefined> {
    const plain = this.#size === undefined ? undefined : { size: this.#size }
    if (this.#objects === undefined) return plain
    const found = this.#objects(key)
    return found instanceof Promise ? found.then((object) => object ?? plain) : (found ?? plain)
  }

  #info(key: string, size: number): ObjectInfo {
    return { key, size, etag: `null-${size}`, modified: this.#opened }
  }

  #drop(key: string, size: number): ObjectInfo {
    this.#puts++
    this.#bytesWritten += size
    return this.#info(key, size)
  }
}

/** Of the islands those parts that lie in `data`, which begins at `offset`. */
function copyIslands(islands: readonly Island[], offset: number, data: Uint8Array): void {
  const end = offset + data.length
  let low = 0
  let high = islands.length
  // The first island that ends behind the offset.
  while (low < high) {
    const middle = (low + high) >> 1
    const island = islands[middle] as Island
    if (island.offset + island.bytes.length <= offset) low = middle + 1
    else high = middle
  }
  for (let i = low; i < islands.length; i++) {
    const island = islands[i] as Island
    if (island.offset >= end) break
    const from = Math.max(offset, island.offset)
    const to = Math.min(end, island.offset + island.bytes.length)
    data.set(island.bytes.subarray(from - island.offset, to - island.offset), from - offset)
  }
}

/** Counts what is written. */
class NullWriter implements ObjectWriter {
  readonly #key: string
  readonly #options: WriterOptions
  readonly #publish: (bytes: number) => ObjectInfo
  #bytes = 0
  #state: 'open' | 'closed' | 'aborted' = 'open'

  constructor(key: string, options: WriterOptions, publish: (bytes: number) => ObjectInfo) {
    this.#key = key
    this.#options = options
    this.#publish = publish
    if (options.size !== undefined) nonNegativeInteger('size', options.size)
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#check('write to')
    this.#bytes += chunk.length
  }

  async close(): Promise<ObjectInfo> {
    this.#check('close')
    const { size = this.#bytes } = this.#options
    if (this.#bytes !== size) {
      this.#state = 'aborted'
      const reason = `${show(this.#key)} was to have ${size} bytes, but ${this.#bytes} came`
      throw new HeadraceError('E_STATE', reason, { key: this.#key })
    }
    this.#state = 'closed'
    return this.#publish(this.#bytes)
  }

  async abort(): Promise<void> {
    if (this.#state === 'open') this.#state = 'aborted'
  }

  #check(doing: string): void {
    throwIfAborted(this.#options.signal, `writing ${this.#key}`)
    if (this.#state === 'open') return
    throw new HeadraceError('E_STATE', `cannot ${doing} ${show(this.#key)}: its writer is ${this.#state}`, {
      key: this.#key,
    })
  }
}
