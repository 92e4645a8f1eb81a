import { knownOptions, oneOf } from '../../checks.ts'
import { throwIfAborted } from '../../errors.ts'
import { native } from '../../native.ts'
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
import { readBuffered } from './buffered-read.ts'
import { CachedReads } from './cached-read.ts'
import { bufferedSink } from './pending-file.ts'
import type { PageCachePolicy, SyncPolicy } from './policies.ts'
import { checkRoot, FileTree } from './tree.ts'

export interface FileStoreOptions {
  /** `always` (the default): an object's bytes are on the device before it is visible; `never`: when the system likes. */
  readonly sync?: SyncPolicy
  /**
   * What the system's page cache is told of what is read: `normal` (the default) nothing; `sequential` to read far ahead;
   * `random` not to read ahead; `dontNeed` to forget each range once it was read, and what was written once it is synced.
   */
  readonly pageCache?: PageCachePolicy
}

export const FILE_STORE_OPTIONS = ['sync', 'pageCache'] as const

/**
 * Files below a directory, under their relative paths. Links are followed when reading, replaced when writing. Of what
 * is said of an object, files keep `modified`: they have no content type and no metadata.
 */
export class FileStore implements Store {
  readonly url: string
  readonly spec: StoreSpec
  readonly #tree: FileTree
  readonly #pageCache: PageCachePolicy
  readonly #cached = new CachedReads()

  constructor(root: string, options: FileStoreOptions = {}) {
    knownOptions('a file store', options, FILE_STORE_OPTIONS)
    const sync = oneOf('sync', options.sync ?? 'always', ['always', 'never'])
    this.#pageCache = oneOf('pageCache', options.pageCache ?? 'normal', ['normal', 'sequential', 'random', 'dontNeed'])
    this.#tree = new FileTree(root, {
      scheme: 'file',
      publish: { sync, dropPages: this.#pageCache === 'dontNeed' && sync === 'always' },
    })
    this.url = this.#tree.url
    const pageCache = this.#pageCache === 'normal' ? {} : { pageCache: this.#pageCache }
    this.spec = { url: this.url, options: { sync, ...pageCache } }
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#tree.head(key, options)
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    const path = this.#tree.localPath(key)
    checkRange(options.range)
    throwIfAborted(options.signal, 'get')
    const { pageCache = this.#pageCache } = options
    if (pageCache !== 'dontNeed') {
      const turn = this.#cached.turn()
      if (turn !== undefined) {
        await turn
        throwIfAborted(options.signal, 'get')
      }
      const body = this.#cached.read(path, key, options)
      if (body !== undefined) return body
    }
    return this.#tree.failingAs('read', key, () => readBuffered(path, key, options, pageCache))
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ListEntry> {
    return this.#tree.list(prefix, options)
  }

  put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    return this.#tree.put(key, body, options, bufferedSink)
  }

  writer(key: string, options: WriterOptions = {}): ObjectWriter {
    return this.#tree.writer(key, options, bufferedSink)
  }

  delete(keys: Iterable<string>, options: CallOptions = {}): AsyncGenerator<DeleteResult> {
    return this.#tree.delete(keys, options)
  }

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

  /** Gives back memory that the process keeps for reads into new memory. */
  async close(): Promise<void> {
    native.trimDirect()
  }
}

/** E_USAGE if `root` is there and is not a directory; one that is not there is made by the first write. */
export async function openFileStore(root: string, options: FileStoreOptions = {}): Promise<FileStore> {
  const store = new FileStore(root, options)
  await checkRoot(root, 'a file store')
  return store
}
