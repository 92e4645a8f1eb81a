import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { link, lstat, readlink, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import {
  closeDescriptor,
  isAbsent,
  makeFolders,
  openDescriptor,
  statDescriptor,
  syncDescriptor,
  touchDescriptor,
  writeAll,
} from './descriptor.ts'
import type { SyncPolicy } from './policies.ts'

const { O_CREAT, O_EXCL, O_WRONLY, O_RDONLY } = fs.constants

/**
 * Names of files that are being written. They are no objects: never listed, and refused as keys. The process id says
 * whose they are; a killed process leaves its behind, and nobody removes them, since on a shared file system an id that
 * is not alive here may be alive on another machine.
 */
const PENDING_NAME = /^\.headrace-\d+-[0-9a-f]{12}\.tmp$/

export function isPendingName(name: string): boolean {
  return name.startsWith('.') && PENDING_NAME.test(name)
}

function pendingPath(target: string): string {
  return join(dirname(target), `.headrace-${process.pid}-${randomBytes(6).toString('hex')}.tmp`)
}

/**
 * E_UNSUPPORTED where the name is that of a device, a pipe or a socket, or a link to one: renaming over it would put a
 * file in its place, and root may do so to /dev/null. /dev/stdout is a link into /proc, whatever is behind that.
 */
async function refuseSpecial(target: string, key: string): Promise<void> {
  try {
    const found = await lstat(target)
    if (found.isFile() || found.isDirectory()) return
    const behind = found.isSymbolicLink() ? await stat(target) : found
    const special = !behind.isFile() && !behind.isDirectory()
    if (!special && !(await readlink(target)).startsWith('/proc/')) return
  } catch {
    // Nothing is there, or a link to nothing, or nobody may look: writing says which.
    return
  }
  throw new HeadraceError('E_UNSUPPORTED', `cannot write ${target}: it is a device, a pipe or a socket, not a file`, {
    key,
    hint: '`headrace cat` writes to standard output, which can go anywhere',
  })
}

/** Runs `create` in the directory of `target`, which is made if it is missing, also if it vanishes meanwhile. */
async function inDirectoryOf<T>(target: string, key: string, create: (path: string) => Promise<T>): Promise<T> {
  await refuseSpecial(target, key)
  for (let attempt = 0; ; attempt++) {
    try {
      return await create(pendingPath(target))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOTDIR') throw inTheWay(target, key, error)
      if (code !== 'ENOENT' || attempt === 3) throw error
    }
    try {
      await makeFolders(dirname(target))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') continue
      throw code === 'EEXIST' || code === 'ENOTDIR' ? inTheWay(target, key, error) : error
    }
  }
}

function inTheWay(target: string, key: string, cause: unknown): HeadraceError {
  return new HeadraceError('E_EXISTS', `cannot write ${target}: a part of its path is an object, not a directory`, {
    key,
    cause,
  })
}

export interface PublishOptions {
  readonly sync: SyncPolicy
  /** Lets the page cache forget what was written; without `sync` it cannot. */
  readonly dropPages?: boolean
  readonly ifNoneMatch?: '*' | undefined
  /** Milliseconds since 1970; now where absent. */
  readonly modified?: number | undefined
}

/** Within a millisecond, away from its ends: what is cut off of it again is the millisecond. */
const withinMillisecond = () => 0.1 + 0.8 * (performance.now() % 1)

/** How bytes get into a pending file, one after the other. */
export interface Sink {
  write(bytes: Uint8Array, signal?: AbortSignal): Promise<void>
  /** Puts what is still held back into the file. */
  finish(): Promise<void>
  /** Gives up what is held back. Nothing uses the descriptor any more when it resolves. */
  drop(): Promise<void>
}

/** `size`: bytes that will come, where known. */
export type MakeSink = (fd: number, size: number | undefined) => Sink

/** Through the page cache, as they come. */
export function bufferedSink(fd: number): Sink {
  return {
    write: (bytes, signal) => writeAll(fd, bytes, signal),
    finish: async () => {},
    drop: async () => {},
  }
}

/** A file that appears under its name whole or not at all: written under a pending name, then renamed. */
export class PendingFile {
  readonly #path: string
  readonly #target: string
  readonly #key: string
  readonly #sink: Sink
  #fd: number | undefined

  private constructor(path: string, fd: number, sink: Sink, target: string, key: string) {
    this.#path = path
    this.#fd = fd
    this.#sink = sink
    this.#target = target
    this.#key = key
  }

  /** E_EXISTS where a file stands in the way of a directory, E_UNSUPPORTED where the name is a device's or a pipe's. */
  static async create(target: string, key: string, makeSink: (fd: number) => Sink): Promise<PendingFile> {
    return inDirectoryOf(target, key, async (path) => {
      const fd = await openDescriptor(path, O_CREAT | O_EXCL | O_WRONLY)
      try {
        return new PendingFile(path, fd, makeSink(fd), target, key)
      } catch (error) {
        await closeDescriptor(fd).catch(() => {})
        await removeQuietly(path)
        throw error
      }
    })
  }

  /** A copy of a file, sharing its blocks where the file system can. */
  static async copyOf(source: string, target: string, key: string): Promise<PendingFile> {
    return inDirectoryOf(target, key, async (path) => {
      try {
        await fs.promises.copyFile(source, path, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE)
        const fd = await openDescriptor(path, O_RDONLY)
        return new PendingFile(path, fd, bufferedSink(fd), target, key)
      } catch (error) {
        await removeQuietly(path)
        throw error
      }
    })
  }

  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.#descriptor()
    await this.#sink.write(bytes, signal)
  }

  /** Makes the file visible; the numbers are those that it has from then on. E_EXISTS as `ifNoneMatch` says. */
  async publish({ sync, dropPages = false, ifNoneMatch, modified = Date.now() }: PublishOptions): Promise<fs.Stats> {
    const fd = this.#descriptor()
    await this.#sink.finish()
    // File times move in steps of up to 10 ms and inode numbers are used again at once: without a finer time, an object
    // written three times in a row could have its first etag again.
    await touchDescriptor(fd, Math.trunc(modified) + withinMillisecond())
    if (sync === 'always') await syncDescriptor(fd)
    if (dropPages) await native.dropFilePages(fd, 0, 0)
    const stats = await statDescriptor(fd)
    this.#fd = undefined
    await closeDescriptor(fd)
    try {
      if (ifNoneMatch === undefined) await rename(this.#path, this.#target)
      else await link(this.#path, this.#target)
    } catch (error) {
      throw this.#refusal(error)
    }
    if (ifNoneMatch !== undefined) await removeQuietly(this.#path)
    return stats
  }

  /** Leaves nothing behind; safe to call at any time and more than once, also after `publish`. */
  async discard(): Promise<void> {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) await this.#sink.drop()
    if (fd !== undefined) await closeDescriptor(fd).catch(() => {})
    await removeQuietly(this.#path)
  }

  #descriptor(): number {
    if (this.#fd === undefined) throw new HeadraceError('E_STATE', `${this.#target} is not open for writing any more`)
    return this.#fd
  }

  #refusal(error: unknown): unknown {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      return new HeadraceError('E_EXISTS', `${this.#target} is there already`, { key: this.#key, cause: error })
    if (code === 'EISDIR')
      return new HeadraceError('E_EXISTS', `cannot write ${this.#target}: it is a directory`, {
        key: this.#key,
        cause: error,
      })
    return error
  }
}

async function removeQuietly(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    // Renamed away, or its whole directory removed: gone is what was wanted.
    if (!isAbsent(error)) throw error
  }
}
