import { randomBytes } from 'node:crypto'
import { show } from '../checks.ts'
import { HeadraceError, throwIfAborted } from '../errors.ts'
import { checkKey, checkPrefix, compareKeys } from './keys.ts'
import { checkRange, cutRange, roomFor } from './range.ts'
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
} from './types.ts'

interface Held {
  readonly info: ObjectInfo
  readonly bytes: Uint8Array
}

interface Attributes {
  readonly contentType?: string | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** Objects in this process's memory, for tests and small things. Each instance is a store of its own: its spec opens an empty one. */
export class MemoryStore implements Store {
  readonly url: string
  readonly spec: StoreSpec
  readonly #objects = new Map<string, Held>()
  #sorted: readonly string[] | undefined
  /** Etags are of one store: what caches them must not take another store's object for this one's. */
  readonly #id = randomBytes(6).toString('hex')
  #version = 0

  constructor(name: string) {
    this.url = `mem://${name}`
    this.spec = { url: this.url }
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
    checkKey(key)
    throwIfAborted(signal, 'head')
    return this.#objects.get(key)?.info
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    checkKey(key)
    checkRange(options.range)
    throwIfAborted(options.signal, 'get')
    const held = this.#objects.get(key)
    if (held === undefined) return undefined
    const { info, bytes } = held
    if (options.ifMatch !== undefined && options.ifMatch !== info.etag)
      throw new HeadraceError('E_STATE', `${key} has changed: its etag is not ${show(options.ifMatch)} any more`, {
        key,
      })
    const { offset, length } = cutRange(options.range, bytes.length, key)
    const part = bytes.subarray(offset, offset + length)
    if (options.into === undefined) return { info, data: part.slice() }
    const data = roomFor(options.into, length, key)
    data.set(part)
    return { info, data }
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ListEntry> {
    checkPrefix(prefix)
    const { delimiter, startAfter = '', signal } = options
    this.#sorted ??= [...this.#objects.keys()].sort(compareKeys)
    let rolled: string | undefined
    for (const key of this.#sorted) {
      throwIfAborted(signal, 'list')
      if (!key.startsWith(prefix) || compareKeys(key, startAfter) <= 0) continue
      const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
      const held = this.#objects.get(key)
      if (cut < 0) {
        if (held !== undefined) yield { kind: 'object', ...held.info }
      } else if (rolled === undefined || !key.startsWith(rolled)) {
        rolled = key.slice(0, cut + 1)
        yield { kind: 'prefix', prefix: rolled }
      }
    }
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(key)
    throwIfAborted(options.signal, 'put')
    return this.#set(key, Uint8Array.from(body), options)
  }

  writer(key: string, options: PutOptions = {}): ObjectWriter {
    checkKey(key)
    return new MemoryWriter(key, options, (bytes) => this.#set(key, bytes, options))
  }

  async *delete(keys: Iterable<string>, { signal }: CallOptions = {}): AsyncGenerator<DeleteResult> {
    for (const key of keys) {
      throwIfAborted(signal, 'delete')
      yield this.#remove(key)
    }
  }

  async copy(from: string, to: string, options: PutOptions = {}): Promise<ObjectInfo> {
    checkKey(from)
    checkKey(to)
    throwIfAborted(options.signal, 'copy')
    const held = this.#objects.get(from)
    if (held === undefined)
      throw new HeadraceError('E_NOT_FOUND', `cannot copy ${show(from)}: it is not there`, { key: from })
    const { contentType, metadata } = held.info
    return this.#set(to, held.bytes, { ...attributes({ contentType, metadata }), ...options })
  }

  async close(): Promise<void> {
    this.#objects.clear()
    this.#sorted = undefined
  }

  #set(key: string, bytes: Uint8Array, options: PutOptions): ObjectInfo {
    const { ifNoneMatch, modified = Date.now() } = options
    const present = this.#objects.has(key)
    if (present && ifNoneMatch !== undefined) throw new HeadraceError('E_EXISTS', `${key} is there already`, { key })
    if (!present) this.#sorted = undefined
    const etag = `${this.#id}-${++this.#version}`
    const info: ObjectInfo = { key, size: bytes.length, etag, modified, ...attributes(options) }
    this.#objects.set(key, { info, bytes })
    return info
  }

  #remove(key: string): DeleteResult {
    try {
      checkKey(key)
      if (this.#objects.delete(key)) this.#sorted = undefined
      return { key }
    } catch (error) {
      return { key, error: error instanceof Error ? error : new Error(String(error)) }
    }
  }
}

/** A copy of what is said of an object: names of metadata in lower case, nothing where there is none. */
function attributes({ contentType, metadata = {} }: Attributes): Pick<ObjectInfo, 'contentType' | 'metadata'> {
  const pairs = Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), value])
  return {
    ...(contentType !== undefined && { contentType }),
    ...(pairs.length > 0 && { metadata: Object.fromEntries(pairs) }),
  }
}

class MemoryWriter implements ObjectWriter {
  readonly #key: string
  readonly #signal: AbortSignal | undefined
  readonly #publish: (bytes: Uint8Array) => ObjectInfo
  #chunks: Uint8Array[] = []
  #state: 'open' | 'closed' | 'aborted' = 'open'

  constructor(key: string, options: PutOptions, publish: (bytes: Uint8Array) => ObjectInfo) {
    this.#key = key
    this.#signal = options.signal
    this.#publish = publish
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#check('write to')
    this.#chunks.push(Uint8Array.from(chunk))
  }

  async close(): Promise<ObjectInfo> {
    this.#check('close')
    const bytes = new Uint8Array(this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0))
    let at = 0
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    this.#end('aborted')
    const info = this.#publish(bytes)
    this.#end('closed')
    return info
  }

  async abort(): Promise<void> {
    if (this.#state === 'open') this.#end('aborted')
  }

  #check(doing: string): void {
    throwIfAborted(this.#signal, `writing ${this.#key}`)
    if (this.#state !== 'open')
      throw new HeadraceError('E_STATE', `cannot ${doing} ${show(this.#key)}: its writer is ${this.#state}`, {
        key: this.#key,
      })
  }

  #end(state: 'closed' | 'aborted'): void {
    this.#state = state
    this.#chunks = []
  }
}
