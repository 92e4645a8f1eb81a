import { constants } from 'node:fs'
import { lstat, readdir, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fromSystemError, HeadraceError, isHeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import {
  closeDescriptor,
  makeFolders,
  openDescriptor,
  READ_FLAGS,
  readInto,
  statDescriptor,
  syncDescriptor,
  truncateDescriptor,
} from '../../storage/file/descriptor.ts'
import { MANIFEST } from './layout.ts'
import { writeAt } from './write-at.ts'

/** Of the folder that becomes the cache. */
const CACHE = 'cache'

/** What is at the destination before a build. */
type Occupant = 'nothing' | 'cache' | 'link' | 'other'

async function occupantOf(path: string): Promise<Occupant> {
  let names: string[]
  try {
    const found = await lstat(path)
    if (found.isSymbolicLink()) return 'link'
    if (!found.isDirectory()) return 'other'
    names = await readdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return 'nothing'
    if (code === 'ENOTDIR')
      throw new HeadraceError('E_EXISTS', `${path} cannot be made: a part of that path is a file`, { path })
    throw fromSystemError(error, `looking at ${path}`, { path })
  }
  if (names.length === 0) return 'nothing'
  return names.includes(MANIFEST) && names.some((name) => name.endsWith('.npy')) ? 'cache' : 'other'
}

/** Makes a directory's entries durable. */
async function syncFolder(path: string): Promise<void> {
  const fd = await openDescriptor(path, READ_FLAGS)
  try {
    await syncDescriptor(fd)
  } finally {
    await closeDescriptor(fd)
  }
}

/** Builds of one destination that may end, one after the other, each just as the lock is about to be taken. */
const LOCK_ATTEMPTS = 100
/** "process 4194304 on " and a host name. */
const MAX_HOLDER_BYTES = 4096

/** Not through a link, which may lead to a file of someone else's: the lock is written to. */
const LOCK_FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOFOLLOW

/** What the process that has the lock wrote into it. */
async function readHolder(lock: number): Promise<string> {
  const bytes = Buffer.alloc(MAX_HOLDER_BYTES)
  const length = await readInto(lock, bytes, 0).catch(() => 0)
  return bytes.subarray(0, length).toString().trim()
}

async function takeLock(folder: string, destination: string): Promise<number> {
  const path = join(folder, 'lock')
  const odd = (what: string, kind: string) => new HeadraceError('E_CORRUPT', `${what} is not ${kind}`, { path: what })
  for (let attempt = 1; ; attempt++) {
    await makeFolders(folder)
    if ((await lstat(folder).catch(() => undefined))?.isDirectory() === false) throw odd(folder, 'a folder')
    const fd = await openDescriptor(path, LOCK_FLAGS).catch((error: NodeJS.ErrnoException) => {
      // its holder finished and removed the folder just now
      if (error.code === 'ENOENT' && attempt < LOCK_ATTEMPTS) return undefined
      throw error.code === 'ELOOP' ? odd(path, 'a regular file') : error
    })
    if (fd === undefined) continue
    if (!(await statDescriptor(fd)).isFile()) {
      await closeDescriptor(fd)
      throw odd(path, 'a regular file')
    }
    if (!native.tryLock(fd)) {
      const holder = await readHolder(fd)
      await closeDescriptor(fd)
      throw new HeadraceError(
        'E_STATE',
        `${destination} is being built already${holder === '' ? '' : ` by ${holder}`}`,
        {
          path: destination,
          hint: 'wait for that build, or stop it: it can be resumed',
        },
      )
    }
    // the lock may be on a file that a build that finished in between has removed
    const [held, there] = await Promise.all([statDescriptor(fd), lstat(path).catch(() => undefined)])
    if (there !== undefined && held.ino === there.ino && held.dev === there.dev) {
      await truncateDescriptor(fd, 0)
      await writeAt(fd, [Buffer.from(`process ${process.pid} on ${hostname()}\n`)], 0)
      return fd
    }
    await closeDescriptor(fd)
    if (attempt === LOCK_ATTEMPTS)
      throw new HeadraceError('E_STATE', `${path} was replaced ${attempt} times while it was being locked`, { path })
  }
}

/**
 * Where a cache is built: a hidden folder beside the destination, with a lock, the journal and the files in it.
 * Nothing appears at the destination before `publish`, which is one rename.
 */
export class BuildSite {
  readonly destination: string
  /** The folder that becomes the cache. */
  readonly cache: string
  readonly journal: string
  readonly #folder: string
  readonly #replaced: string
  readonly #lock: number

  private constructor(destination: string, folder: string, lock: number) {
    this.destination = destination
    this.#folder = folder
    this.cache = join(folder, CACHE)
    this.journal = join(folder, 'journal')
    this.#replaced = join(folder, 'replaced')
    this.#lock = lock
  }

  /**
   * Locks the destination. E_EXISTS if something is there and `force` is not given, or if it is no image cache;
   * E_STATE if another process builds it.
   */
  static async open(destination: string, force: boolean): Promise<BuildSite> {
    const path = resolve(destination)
    const folder = join(dirname(path), `.${basename(path)}.building`)
    try {
      await BuildSite.#removeRemains(path, folder)
      await BuildSite.#checkFree(path, force)
      await makeFolders(dirname(path))
      const site = new BuildSite(path, folder, await takeLock(folder, path))
      try {
        await site.#restoreReplaced()
        await BuildSite.#checkFree(path, force)
      } catch (error) {
        await site.close()
        throw error
      }
      return site
    } catch (error) {
      throw fromSystemError(error, `building ${destination}`, { path })
    }
  }

  /** Removes what a build left that died after its cache was in place. */
  static async #removeRemains(path: string, folder: string): Promise<void> {
    const names = await readdir(folder).catch(() => undefined)
    if (names === undefined || names.includes(CACHE) || (await occupantOf(path)) !== 'cache') return
    const lock = await takeLock(folder, path).catch((error) => {
      // another process puts its cache in place right now
      if (isHeadraceError(error, 'E_STATE')) return undefined
      throw error
    })
    if (lock === undefined) return
    await rm(folder, { recursive: true, force: true })
    await closeDescriptor(lock)
  }

  static async #checkFree(path: string, force: boolean): Promise<void> {
    const occupant = await occupantOf(path)
    if (occupant === 'nothing' || (occupant === 'cache' && force)) return
    if (occupant === 'link')
      throw new HeadraceError('E_EXISTS', `${path} is a symbolic link: it is left as it is`, {
        path,
        hint: 'give the path of the folder that it leads to',
      })
    if (occupant === 'other')
      throw new HeadraceError('E_EXISTS', `${path} exists and is not an image cache: it is left as it is`, { path })
    throw new HeadraceError('E_EXISTS', `${path} exists already`, { path, hint: 'give force: true to replace it' })
  }

  /** Puts back the old cache where a build died between taking it away and putting the new one there. */
  async #restoreReplaced(): Promise<void> {
    if ((await occupantOf(this.destination)) === 'nothing' && (await occupantOf(this.#replaced)) !== 'nothing')
      await rename(this.#replaced, this.destination)
    await rm(this.#replaced, { recursive: true, force: true })
  }

  /** Drops what an earlier build left. */
  async clear(): Promise<void> {
    await rm(this.cache, { recursive: true, force: true })
    await rm(this.journal, { force: true })
  }

  /** Moves the complete cache to its destination. */
  async publish(force: boolean): Promise<void> {
    const parent = dirname(this.destination)
    await syncFolder(this.cache)
    await BuildSite.#checkFree(this.destination, force)
    if ((await occupantOf(this.destination)) === 'cache') await rename(this.destination, this.#replaced)
    await rename(this.cache, this.destination)
    await syncFolder(parent)
    await this.remove()
  }

  /** Removes everything but the destination. */
  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Gives the lock back; what is there stays, for a build that goes on. */
  async close(): Promise<void> {
    await closeDescriptor(this.#lock)
  }
}
