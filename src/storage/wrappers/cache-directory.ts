import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { mkdir, readdir, rename, stat, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { show } from '../../checks.ts'
import { fromSystemError, HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import {
  closeDescriptor,
  dropDescriptor,
  isAbsent,
  openDescriptor,
  READ_FLAGS,
  statDescriptor,
  writeAll,
} from '../file/descriptor.ts'
import { isPendingName } from '../file/pending-file.ts'
import { dataSize, entryHeader, entrySize, readEntry } from './cache-entry.ts'
import type { CacheTotals } from './cache-report.ts'

/** Entries are used up in the order of their last use; a use is noted when the last note is older (ms). */
const NOTED_AFTER = 1000
/** Of the bound: what is written before the directory is looked through again, and what is freed then at least. */
const SLACK = 1 / 16
/** ms. A file that was being written so long ago is what a killed process left. */
const ABANDONED = 10 * 60_000
/** ms. A process that holds the lock for longer is stopped, or the file system hangs. */
const LONGEST_LOCK = 2000
/** Files whose times are asked for at once. */
const STATS_TOGETHER = 32
/** Bytes: what a file takes on most file systems is a multiple. */
const CLUSTER = 4096

const CREATE = fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_WRONLY

interface Found {
  readonly path: string
  readonly bytes: number
  /** undefined: it is being written. */
  readonly usedAt: number | undefined
}

function onDisk(fileSize: number): number {
  return Math.ceil(fileSize / CLUSTER) * CLUSTER
}

/**
 * Entries on disk, in files of their own, at most `bytes` of them: the ones not used for longest go first. Any number of
 * processes may share a directory. A file appears whole or not at all, and is believed only if its checksum is right, so
 * that a process may be killed at any time. A process knows only what it wrote itself since it last looked at all files,
 * which it does after each sixteenth of the bound: with several writers there may be that much more for a while, for
 * each of them.
 */
export class CacheDirectory {
  readonly #path: string
  readonly #bytes: number
  readonly #totals = { damaged: 0, evicted: 0, unwritten: 0 }
  #ready: Promise<void> | undefined
  /** Bytes on disk when last looked, and what was written since. */
  #known = 0
  #written = 0
  #evicting: Promise<void> | undefined

  constructor(path: string, bytes: number) {
    this.#path = path
    this.#bytes = bytes
  }

  get totals(): CacheTotals {
    return { ...this.#totals }
  }

  /** Fills `data` with the entry; false where there is none of that length that is whole. */
  async read(id: Buffer, data: Uint8Array): Promise<boolean> {
    return (
      (await this.#open(id, async (fd, size) => dataSize(size) === data.length && (await readEntry(fd, id, data)))) ??
      false
    )
  }

  /** A small entry of unknown length. */
  async readAll(id: Buffer, limit: number): Promise<Uint8Array | undefined> {
    return this.#open(id, async (fd, size) => {
      if (dataSize(size) > limit) return undefined
      const data = new Uint8Array(dataSize(size))
      return (await readEntry(fd, id, data)) ? data : undefined
    })
  }

  /** Failures are counted, not thrown: a cache that cannot be written to is no reason not to read. */
  async write(id: Buffer, data: Uint8Array): Promise<void> {
    const bytes = onDisk(entrySize(data.length))
    let taken = 0
    try {
      await this.#begin()
      await this.#makeRoom(bytes)
      taken = bytes
      const target = this.#pathOf(id)
      const path = join(target, '..', `.headrace-${process.pid}-${randomBytes(6).toString('hex')}.tmp`)
      const fd = await this.#create(path)
      try {
        // Closed once, whatever happens: its number may be another file's right after.
        try {
          await writeAll(fd, entryHeader(id, data))
          await writeAll(fd, data)
        } finally {
          await closeDescriptor(fd)
        }
        await rename(path, target)
      } catch (error) {
        await unlink(path).catch(() => {})
        throw error
      }
    } catch {
      this.#written -= taken
      this.#totals.unwritten++
    }
  }

  async remove(id: Buffer): Promise<void> {
    try {
      await unlink(this.#pathOf(id))
    } catch (error) {
      if (!isAbsent(error)) throw fromSystemError(error, `cannot remove from the cache ${show(this.#path)}`)
    }
  }

  /** Nothing is under way any more. */
  async close(): Promise<void> {
    await this.#evicting
  }

  /** Makes the directory and finds out how full it is. E_ACCESS and others, naming it. */
  async begin(): Promise<void> {
    try {
      await this.#begin()
    } catch (error) {
      this.#ready = undefined
      throw fromSystemError(error, `cannot use the cache directory ${show(this.#path)}`, { path: this.#path })
    }
  }

  #begin(): Promise<void> {
    this.#ready ??= (async () => {
      // What is cached may be for nobody else to read.
      await mkdir(this.#path, { recursive: true, mode: 0o700 })
      fs.accessSync(this.#path, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK)
      this.#known = (await this.#look()).reduce((sum, { bytes }) => sum + bytes, 0)
    })()
    return this.#ready
  }

  #pathOf(id: Buffer): string {
    const name = id.toString('hex')
    return join(this.#path, name.slice(0, 2), name.slice(2))
  }

  async #create(path: string): Promise<number> {
    try {
      return await openDescriptor(path, CREATE)
    } catch (error) {
      if (!isAbsent(error)) throw error
      await mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
      return openDescriptor(path, CREATE)
    }
  }

  async #open<T>(
    id: Buffer,
    read: (fd: number, size: number) => Promise<T | false | undefined>,
  ): Promise<T | undefined> {
    const path = this.#pathOf(id)
    let fd: number
    try {
      fd = await openDescriptor(path, READ_FLAGS | fs.constants.O_NOFOLLOW)
    } catch {
      return undefined
    }
    try {
      const stats = await statDescriptor(fd)
      const found = await read(fd, stats.size)
      if (found !== undefined && found !== false) {
        if (Date.now() - stats.mtimeMs > NOTED_AFTER) await this.#note(path)
        return found
      }
    } catch {
      // A disk that cannot be read has nothing: what is behind the cache has it.
    } finally {
      dropDescriptor(fd)
    }
    this.#totals.damaged++
    await unlink(path).catch(() => {})
    return undefined
  }

  async #note(path: string): Promise<void> {
    const now = Date.now() / 1000
    // Another process may have removed it; it was read all the same.
    await utimes(path, now, now).catch(() => {})
  }

  /** Counts `bytes` as written, once there is room for them. E_LIMIT where there is none. */
  async #makeRoom(bytes: number): Promise<void> {
    const full = () => this.#known + this.#written + bytes > this.#bytes || this.#written > this.#bytes * SLACK
    for (let tries = 0; full(); tries++) {
      if (tries === 3)
        throw new HeadraceError('E_LIMIT', `the cache ${show(this.#path)} is full of what is being written`)
      this.#evicting ??= this.#evict().finally(() => {
        this.#evicting = undefined
      })
      await this.#evicting
    }
    this.#written += bytes
  }

  /** Removes the entries that were not used for longest, if there are too many; one process at a time does. */
  async #evict(): Promise<void> {
    const lock = await openDescriptor(join(this.#path, 'lock'), fs.constants.O_CREAT | fs.constants.O_RDWR)
    try {
      const begin = Date.now()
      while (!native.tryLock(lock)) {
        if (Date.now() - begin > LONGEST_LOCK)
          throw new HeadraceError('E_STATE', `another process holds the cache ${show(this.#path)}`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      this.#written = 0
      const found = await this.#look()
      let total = found.reduce((sum, { bytes }) => sum + bytes, 0)
      const files = found.filter(({ usedAt }) => usedAt !== undefined)
      files.sort((a, b) => (a.usedAt ?? 0) - (b.usedAt ?? 0))
      if (total <= this.#bytes * (1 - SLACK)) files.length = 0
      for (const { path, bytes } of files) {
        if (total <= this.#bytes * (1 - 2 * SLACK)) break
        await unlink(path).catch((error) => {
          if (!isAbsent(error)) throw error
        })
        total -= bytes
        this.#totals.evicted++
      }
      this.#known = total
    } finally {
      await closeDescriptor(lock)
    }
  }

  async #look(): Promise<Found[]> {
    const found: Found[] = []
    const abandoned = Date.now() - ABANDONED
    for (const { name: folder } of await readdir(this.#path, { withFileTypes: true })) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue
      const names = await readdir(join(this.#path, folder)).catch(() => [])
      for (let at = 0; at < names.length; at += STATS_TOGETHER)
        await Promise.all(
          names.slice(at, at + STATS_TOGETHER).map(async (name) => {
            const path = join(this.#path, folder, name)
            const stats = await stat(path).catch(() => undefined)
            if (stats === undefined) return
            if (isPendingName(name) && stats.mtimeMs < abandoned) await unlink(path).catch(() => {})
            else
              found.push({ path, bytes: onDisk(stats.size), usedAt: isPendingName(name) ? undefined : stats.mtimeMs })
          }),
        )
    }
    return found
  }
}
