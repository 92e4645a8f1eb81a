import type fs from 'node:fs'
import { rmdir, unlink } from 'node:fs/promises'
import { resolve } from 'node:path'
import { knownOptions, oneOf, show } from '../../checks.ts'
import { fromSystemError, HeadraceError, throwIfAborted } from '../../errors.ts'
import { checkKey } from '../keys.ts'
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
} from '../types.ts'
import {
  allocate,
  dropDescriptor,
  isAbsent,
  makeFolders,
  openDescriptor,
  READ_FLAGS,
  readInto,
  statDescriptor,
} from './descriptor.ts'
import { statOrAbsent } from './directory.ts'
import { FileWriter } from './file-writer.ts'
import { isPendingName, PendingFile, type SyncPolicy } from './pending-file.ts'
import { infoOf, listTree } from './walk.ts'

export interface FileStoreOptions {
  /** `always` (the default): an object's bytes are on the device before it is visible; `never`: when the system likes. */
  readonly sync?: SyncPolicy
}

export const FILE_STORE_OPTIONS = ['sync'] as const

/** 8 MiB: up to here memory is taken for the whole range before it is known that the object is that long. */
const MAX_EARLY_READ = 8 * 2 ** 20

const DELETED_TOGETHER = 32

/** Files below a directory, under their relative paths. Links are followed when reading, replaced when writing. */
export class FileStore implements Store {
  readonly url: string
  readonly spec: StoreSpec
  readonly #root: string
  readonly #sync: SyncPolicy

  constructor(root: string, options: FileStoreOptions = {}) {
    knownOptions('a file store', options, FILE_STORE_OPTIONS)
    this.#sync = oneOf('sync', options.sync ?? 'always', ['always', 'never'])
    const path = resolve(root)
    this.#root = path === '/' ? '' : path
    this.url = `file://${path}`
    this.spec = { url: this.url, options: { sync: this.#sync } }
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const path = this.localPath(key)
    throwIfAborted(signal, 'head')
    return this.#failingAs('look up', key, async () => {
      const stats = await statOrAbsent(path)
      throwIfAborted(signal, 'head')
      return stats?.isFile() ? infoOf(key, stats) : undefined
    })
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody | undefined> {
    const path = this.localPath(key)
    checkRange(options.range)
    throwIfAborted(options.signal, 'get')
    return this.#failingAs('read', key, async () => {
      let fd: number
      try {
        fd = await openDescriptor(path, READ_FLAGS)
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw error
      }
      try {
        const body = await read(fd, key, options)
        throwIfAborted(options.signal, 'get')
        return body
      } finally {
        dropDescriptor(fd)
      }
    })
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ListEntry> {
    return listTree(this.#root, prefix, options)
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<ObjectInfo> {
    const path = this.localPath(key)
    const { signal } = options
    throwIfAborted(signal, 'put')
    return this.#failingAs('write', key, async () => {
      const file = await PendingFile.create(path, key)
      try {
        await file.write(body, signal)
        return await this.#publish(file, key, options)
      } catch (error) {
        await file.discard()
        throw error
      }
    })
  }

  writer(key: string, options: PutOptions = {}): ObjectWriter {
    const path = this.localPath(key)
    const create = () => PendingFile.create(path, key)
    const publish = (file: PendingFile) => this.#publish(file, key, options)
    return new FileWriter(key, { create, publish }, options.signal)
  }

  async *delete(keys: Iterable<string>, { signal }: CallOptions = {}): AsyncGenerator<DeleteResult> {
    let pending: Promise<DeleteResult>[] = []
    for (const key of keys) {
      throwIfAborted(signal, 'delete')
      pending.push(this.#remove(key))
      if (pending.length < DELETED_TOGETHER) continue
      yield* await Promise.all(pending)
      pending = []
    }
    yield* await Promise.all(pending)
  }

  async copy(from: string, to: string, options: PutOptions = {}): Promise<ObjectInfo> {
    const source = this.localPath(from)
    const target = this.localPath(to)
    throwIfAborted(options.signal, 'copy')
    return this.#failingAs('copy to', to, async () => {
      const stats = await statOrAbsent(source)
      if (!stats?.isFile())
        throw new HeadraceError('E_NOT_FOUND', `cannot copy ${show(from)}: it is not there`, { key: from })
      const file = await PendingFile.copyOf(source, target, to)
      try {
        return await this.#publish(file, to, options)
      } catch (error) {
        await file.discard()
        throw error
      }
    })
  }

  /** The absolute path of a key's file, whether it is there or not. E_USAGE if it would not lie below the root. */
  localPath(key: string): string {
    checkKey(key)
    if (key.includes('.headrace-') && key.split('/').some(isPendingName))
      throw new HeadraceError('E_USAGE', `a key must not be the name of a temporary file, but got ${show(key)}`, {
        key,
      })
    return `${this.#root}/${key}`
  }

  /** Makes the directory, and those above it. */
  async createContainer({ signal }: CallOptions = {}): Promise<void> {
    throwIfAborted(signal, 'createContainer')
    const path = this.#root === '' ? '/' : this.#root
    if ((await statOrAbsent(path)) !== undefined)
      throw new HeadraceError('E_EXISTS', `${path} is there already`, { url: this.url, path })
    try {
      await makeFolders(path)
    } catch (error) {
      throw fromSystemError(error, `cannot make ${path}`, { url: this.url, path })
    }
  }

  async deleteContainer({ signal }: CallOptions = {}): Promise<void> {
    throwIfAborted(signal, 'deleteContainer')
    const path = this.#root === '' ? '/' : this.#root
    try {
      await rmdir(path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      const details = { url: this.url, path, cause: error }
      if (code === 'ENOTEMPTY' || code === 'EEXIST') throw new HeadraceError('E_STATE', `${path} is not empty`, details)
      throw fromSystemError(error, `cannot remove ${path}`, details)
    }
  }

  async close(): Promise<void> {}

  async #publish(file: PendingFile, key: string, options: PutOptions): Promise<ObjectInfo> {
    const { ifNoneMatch, modified, signal } = options
    throwIfAborted(signal, 'writing')
    return infoOf(key, await file.publish({ sync: this.#sync, ifNoneMatch, modified }))
  }

  async #remove(key: string): Promise<DeleteResult> {
    try {
      const path = this.localPath(key)
      await this.#failingAs('delete', key, async () => {
        try {
          await unlink(path)
        } catch (error) {
          if (isAbsent(error)) return
          // Systems disagree on the error for a directory (EISDIR, EPERM); there is no object of its name to delete.
          if ((await statOrAbsent(path))?.isDirectory()) return
          throw error
        }
      })
      return { key }
    } catch (error) {
      return { key, error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  async #failingAs<T>(doing: string, key: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw fromSystemError(error, `cannot ${doing} ${show(key)}`, { url: this.url, key })
    }
  }
}

async function read(fd: number, key: string, options: GetOptions): Promise<ObjectBody | undefined> {
  const { range, into, ifMatch, signal } = options
  const early = range?.length
  // Where the range says how much to read, the size is asked for at the same time: one trip through libuv less.
  if (
    range !== undefined &&
    early !== undefined &&
    ifMatch === undefined &&
    early <= (into?.length ?? MAX_EARLY_READ)
  ) {
    const target = into?.subarray(0, early) ?? allocate(early, key)
    // Both are waited for even if one fails: the descriptor must not be closed under the other.
    const [found, reading] = await Promise.allSettled([statDescriptor(fd), readInto(fd, target, range.offset, signal)])
    if (found.status === 'rejected') throw found.reason
    if (!found.value.isFile()) return undefined
    const { offset, length } = cutRange(range, found.value.size, key)
    if (reading.status === 'rejected') throw reading.reason
    return bodyOf(key, found.value, target, offset, length, reading.value)
  }
  const stats = await statDescriptor(fd)
  if (!stats.isFile()) return undefined
  if (ifMatch !== undefined && infoOf(key, stats).etag !== ifMatch)
    throw new HeadraceError('E_STATE', `${key} has changed: its etag is not ${show(ifMatch)} any more`, { key })
  const { offset, length } = cutRange(range, stats.size, key)
  const target = into === undefined ? allocate(length, key) : roomFor(into, length, key)
  return bodyOf(key, stats, target, offset, length, await readInto(fd, target, offset, signal))
}

function bodyOf(
  key: string,
  stats: fs.Stats,
  target: Uint8Array,
  offset: number,
  length: number,
  count: number,
): ObjectBody {
  if (count < length)
    throw new HeadraceError(
      'E_CORRUPT',
      `${key} has ${stats.size} bytes, but only ${count} of ${length} came from ${offset}`,
      {
        key,
        offset: offset + count,
      },
    )
  return { info: infoOf(key, stats), data: length === target.length ? target : target.subarray(0, length) }
}

/** E_USAGE if `root` is there and is not a directory; one that is not there is made by the first write. */
export async function openFileStore(root: string, options: FileStoreOptions = {}): Promise<FileStore> {
  const store = new FileStore(root, options)
  const stats = await statOrAbsent(root)
  if (stats !== undefined && !stats.isDirectory())
    throw new HeadraceError('E_USAGE', `a file store needs a directory, but ${show(root)} is a file`, { path: root })
  return store
}
