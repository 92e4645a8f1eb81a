import { knownOptions, oneOf, positiveInteger, show } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { native } from '../../native.ts'
import { readBuffered } from '../file/buffered-read.ts'
import { statOrAbsent } from '../file/directory.ts'
import { bufferedSink, type MakeSink } from '../file/pending-file.ts'
import type { SyncPolicy } from '../file/policies.ts'
import { checkRoot, FileTree } from '../file/tree.ts'
import { checkRange } from '../range.ts'
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
import { readDirect } from './direct-read.ts'
import { DirectSink } from './direct-sink.ts'
import { type DirectEngine, DirectTransfers, isRefusal } from './transfers.ts'

export interface DirectStoreOptions {
  /** `always` (the default): an object's bytes are on the device before it is visible; `never`: when the system likes. */
  readonly sync?: SyncPolicy
  /** Where the file system refuses O_DIRECT: `error` (the default), or `buffered`: through the page cache, counted in `report()`. */
  readonly fallback?: 'error' | 'buffered'
  /** Bytes of one read or write: a multiple of 4096, up to 64 MiB. 1 MiB. */
  readonly blockSize?: number
  /** Blocks of one transfer under way at once, 1 to 64. 4. */
  readonly queueDepth?: number
  /** `auto` (the default): io_uring where the kernel offers it and more than one block is under way at once, else threads. */
  readonly engine?: DirectEngine
}

export const DIRECT_STORE_OPTIONS = ['sync', 'fallback', 'blockSize', 'queueDepth', 'engine'] as const

export interface TransferCounts {
  readonly reads: number
  readonly readBytes: number
  readonly writes: number
  readonly writtenBytes: number
}

export interface DirectReport {
  readonly direct: TransferCounts
  /** What went through the page cache because the file system refused; `reason` is of the last. */
  readonly buffered: TransferCounts & { readonly reason?: string }
}

const PAGE = 4096
/** 1 MiB: from here on wider blocks cost no less CPU a byte. */
const BLOCK_SIZE = 2 ** 20
const LARGEST_BLOCK = 64 * 2 ** 20
const DEEPEST_QUEUE = 64

class Counts implements TransferCounts {
  reads = 0
  readBytes = 0
  writes = 0
  writtenBytes = 0
}

/** Files below a directory, as a file store has them, read and written around the system's page cache (O_DIRECT). */
export class DirectStore implements Store {
  readonly url: string
  readonly spec: StoreSpec
  readonly #tree: FileTree
  readonly #transfers: DirectTransfers
  readonly #fallback: 'error' | 'buffered'
  readonly #direct = new Counts()
  readonly #buffered = new Counts()
  #reason: string | undefined

  constructor(root: string, options: DirectStoreOptions = {}) {
    knownOptions('a direct store', options, DIRECT_STORE_OPTIONS)
    const sync = oneOf('sync', options.sync ?? 'always', ['always', 'never'])
    const fallback = oneOf('fallback', options.fallback ?? 'error', ['error', 'buffered'])
    const blockSize = positiveInteger('blockSize', options.blockSize ?? BLOCK_SIZE, LARGEST_BLOCK)
    const queueDepth = positiveInteger('queueDepth', options.queueDepth ?? 4, DEEPEST_QUEUE)
    const engine = oneOf('engine', options.engine ?? 'auto', ['auto', 'threads', 'io_uring'])
    if (blockSize % PAGE !== 0)
      throw new HeadraceError('E_USAGE', `blockSize must be a multiple of ${PAGE}, but got ${blockSize}`)
    if (engine === 'io_uring' && !native.ioUring())
      throw new HeadraceError('E_UNSUPPORTED', 'this system offers no io_uring to this process', {
        hint: 'engine "auto" uses threads then',
      })
    this.#tree = new FileTree(root, { scheme: 'direct', publish: { sync } })
    this.#transfers = new DirectTransfers(blockSize, queueDepth, engine)
    this.#fallback = fallback
    this.url = this.#tree.url
    this.spec = { url: this.url, options: { sync, fallback, blockSize, queueDepth, engine } }
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#tree.head(key, options)
  }

  /** `ifMatch` is compared after the read: `into` may hold the other version's bytes when it is E_STATE. */
  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    const path = this.#tree.localPath(key)
    checkRange(options.range)
    throwIfAborted(options.signal, 'get')
    return this.#tree.failingAs('read', key, async () => {
      const body = await this.#read(path, key, options)
      throwIfAborted(options.signal, 'get')
      return body
    })
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ListEntry> {
    return this.#tree.list(prefix, options)
  }

  put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    return this.#tree.put(key, body, options, this.#sinkFor(key))
  }

  writer(key: string, options: WriterOptions = {}): ObjectWriter {
    return this.#tree.writer(key, options, this.#sinkFor(key))
  }

  delete(keys: Iterable<string>, options: CallOptions = {}): AsyncGenerator<DeleteResult> {
    return this.#tree.delete(keys, options)
  }

  /** By the system, which shares the blocks of both where it can, and otherwise copies through the page cache. */
  copy(from: string, to: string, options: PutOptions = {}): Promise<ObjectInfo> {
    return this.#tree.copy(from, to, options)
  }

  /** The absolute path of a key's file, whether it is there or not. E_USAGE if it would not lie below the root. */
  localPath(key: string): string {
    return this.#tree.localPath(key)
  }

  createContainer(options: CallOptions = {}): Promise<void> {
    return this.#tree.createContainer(options)
  }

  deleteContainer(options: CallOptions = {}): Promise<void> {
    return this.#tree.deleteContainer(options)
  }

  /** What was read and written so far, and how. A write counts once all of its bytes are in the file. */
  report(): DirectReport {
    const buffered = { ...this.#buffered, ...(this.#reason !== undefined && { reason: this.#reason }) }
    return { direct: { ...this.#direct }, buffered }
  }

  async close(): Promise<void> {
    this.#transfers.close()
  }

  async #read(path: string, key: string, options: GetOptions): Promise<ObjectBody | undefined> {
    let counts = this.#direct
    let body: ObjectBody | undefined
    try {
      body = await readDirect(path, key, options, this.#transfers)
    } catch (error) {
      if (!isRefusal(error)) throw error
      // A directory and a pipe are no objects, and refuse too.
      if (!(await statOrAbsent(path))?.isFile()) return undefined
      this.#fallBack(this.#refusal('read', key, error))
      counts = this.#buffered
      body = await readBuffered(path, key, options, 'normal')
    }
    if (body !== undefined) {
      counts.reads++
      counts.readBytes += body.data.length
    }
    return body
  }

  #sinkFor(key: string): MakeSink {
    return (fd, size) => {
      try {
        const sink = new DirectSink(fd, size, this.#transfers)
        return counting(sink, this.#direct, (error) => (isRefusal(error) ? this.#refusal('write', key, error) : error))
      } catch (error) {
        if (!isRefusal(error)) throw error
        this.#fallBack(this.#refusal('write', key, error))
        return counting(bufferedSink(fd), this.#buffered, (other) => other)
      }
    }
  }

  #refusal(doing: string, key: string, cause: unknown): HeadraceError {
    const path = this.#tree.localPath(key)
    return new HeadraceError(
      'E_UNSUPPORTED',
      `cannot ${doing} ${show(key)} around the page cache: the file system of ${path} refuses O_DIRECT`,
      { url: this.url, key, path, cause, hint: 'use file://, or the option fallback=buffered' },
    )
  }

  #fallBack(refusal: HeadraceError): void {
    if (this.#fallback === 'error') throw refusal
    this.#reason = refusal.message
  }
}

type Sink = ReturnType<MakeSink>

/** A sink that counts what it has written whole, and says what its errors mean. */
function counting(sink: Sink, counts: Counts, meaning: (error: unknown) => unknown): Sink {
  let bytes = 0
  const failing = (error: unknown): never => {
    throw meaning(error)
  }
  return {
    write: async (chunk, signal) => {
      await sink.write(chunk, signal).catch(failing)
      bytes += chunk.length
    },
    finish: async () => {
      await sink.finish().catch(failing)
      counts.writes++
      counts.writtenBytes += bytes
    },
    drop: () => sink.drop(),
  }
}

/** Numbers may come as text, from a URL. E_USAGE if `root` is there and is not a directory. */
export async function openDirectStore(
  root: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<DirectStore> {
  const numbers = Object.fromEntries(
    (['blockSize', 'queueDepth'] as const).flatMap((name) => {
      const value = options[name]
      return typeof value === 'string' && /^\d+$/.test(value) ? [[name, Number(value)]] : []
    }),
  )
  const store = new DirectStore(root, { ...options, ...numbers })
  await checkRoot(root, 'a direct store')
  return store
}
