import { rmdir, unlink } from 'node:fs/promises'
import { resolve } from 'node:path'
import { show } from '../../checks.ts'
import { fromSystemError, HeadraceError, throwIfAborted } from '../../errors.ts'
import { checkKey } from '../keys.ts'
import type {
  CallOptions,
  DeleteResult,
  ListEntry,
  ListOptions,
  ObjectInfo,
  ObjectWriter,
  PutOptions,
  WriterOptions,
} from '../types.ts'
import { isAbsent, makeFolders } from './descriptor.ts'
import { statOrAbsent } from './directory.ts'
import { FileWriter } from './file-writer.ts'
import { isPendingName, type MakeSink, PendingFile, type PublishOptions } from './pending-file.ts'
import { infoOf, listTree } from './walk.ts'

const DELETED_TOGETHER = 32

export interface FileTreeOptions {
  readonly scheme: string
  readonly publish: Pick<PublishOptions, 'sync' | 'dropPages'>
}

/** Objects as files below a directory: all that is the same however their bytes are read and written. */
export class FileTree {
  readonly url: string
  readonly #root: string
  readonly #publishing: FileTreeOptions['publish']

  constructor(root: string, { scheme, publish }: FileTreeOptions) {
    const path = resolve(root)
    this.#root = path === '/' ? '' : path
    this.#publishing = publish
    this.url = `${scheme}://${path}`
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const path = this.localPath(key)
    throwIfAborted(signal, 'head')
    return this.failingAs('look up', key, async () => {
      const stats = await statOrAbsent(path)
      throwIfAborted(signal, 'head')
      return stats?.isFile() ? infoOf(key, stats) : undefined
    })
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ListEntry> {
    return listTree(this.#root, prefix, options)
  }

  async put(key: string, body: Uint8Array, options: PutOptions, makeSink: MakeSink): Promise<ObjectInfo> {
    const path = this.localPath(key)
    const { signal } = options
    throwIfAborted(signal, 'put')
    return this.failingAs('write', key, async () => {
      const file = await PendingFile.create(path, key, (fd) => makeSink(fd, body.length))
      try {
        await file.write(body, signal)
        return await this.#publish(file, key, options)
      } catch (error) {
        await file.discard()
        throw error
      }
    })
  }

  writer(key: string, options: WriterOptions, makeSink: MakeSink): ObjectWriter {
    const path = this.localPath(key)
    const create = () => PendingFile.create(path, key, (fd) => makeSink(fd, options.size))
    const publish = (file: PendingFile) => this.#publish(file, key, options)
    return new FileWriter(key, this.#nameOf(key), { create, publish }, options)
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

  /** By the system, which shares the blocks of both where it can. */
  async copy(from: string, to: string, options: PutOptions = {}): Promise<ObjectInfo> {
    const source = this.localPath(from)
    const target = this.localPath(to)
    throwIfAborted(options.signal, 'copy')
    return this.failingAs('copy to', to, async () => {
      const stats = await statOrAbsent(source)
      if (!stats?.isFile())
        throw new HeadraceError('E_NOT_FOUND', `cannot copy ${show(this.#nameOf(from))}: it is not there`, {
          key: from,
        })
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

  async failingAs<T>(doing: string, key: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw fromSystemError(error, `cannot ${doing} ${show(this.#nameOf(key))}`, { url: this.url, key })
    }
  }

  /** For messages. Keys below `/` are paths, told as such. */
  #nameOf(key: string): string {
    return this.#root === '' ? `/${key}` : key
  }

  async #publish(file: PendingFile, key: string, options: PutOptions): Promise<ObjectInfo> {
    const { ifNoneMatch, modified, signal } = options
    throwIfAborted(signal, 'writing')
    return infoOf(key, await file.publish({ ...this.#publishing, ifNoneMatch, modified }))
  }

  async #remove(key: string): Promise<DeleteResult> {
    try {
      const path = this.localPath(key)
      await this.failingAs('delete', key, async () => {
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
}

/** E_USAGE if `root` is there and is not a directory; one that is not there is made by the first write. */
export async function checkRoot(root: string, of: string): Promise<void> {
  const stats = await statOrAbsent(root)
  if (stats !== undefined && !stats.isDirectory())
    throw new HeadraceError('E_USAGE', `${of} needs a directory, but ${show(root)} is a file`, { path: root })
}
