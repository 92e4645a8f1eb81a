import fs from 'node:fs'
import { dirname } from 'node:path'
import { fromSystemError } from '../../errors.ts'
import { closeDescriptor, isAbsent, openDescriptor, syncDescriptor } from './descriptor.ts'

const FLAGS = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY
/** File systems that keep no directories on a device, and those of others that may be written to but not listed. */
const CANNOT_SYNC = ['EINVAL', 'ENOTSUP', 'ENOSYS', 'EROFS', 'EACCES', 'EPERM']
/** Directories that are remembered, by paths of some 100 bytes. */
const MOST_KNOWN = 100_000

/** false where it is gone. */
async function syncDirectory(path: string): Promise<boolean> {
  let fd: number | undefined
  try {
    fd = await openDescriptor(path, FLAGS)
    await syncDescriptor(fd)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    if (CANNOT_SYNC.includes((error as NodeJS.ErrnoException).code ?? '')) return true
    throw fromSystemError(error, `cannot sync the directory ${path}`, { path })
  } finally {
    if (fd !== undefined) await closeDescriptor(fd).catch(() => {})
  }
}

/**
 * Directories in which something has appeared or gone: a file's own bytes may be on the device, and its name is not
 * before that of its directory is synced, nor that of a new directory before the one above it.
 */
export class ChangedDirectories {
  #changed = new Set<string>()
  /** Those whose own name is on the device. */
  #known = new Set<string>()
  #last: Promise<void> = Promise.resolve()

  add(path: string): void {
    this.#changed.add(dirname(path))
  }

  /** All that was added before lasts once this resolves. A directory that has gone is no failure. */
  sync(): Promise<void> {
    // One after the other, also where there is nothing left to do: another call may have taken it and be at it.
    this.#last = this.#last.then(() => this.#syncAll())
    return this.#last
  }

  async #syncAll(): Promise<void> {
    const changed = this.#changed
    this.#changed = new Set()
    const above = new Set<string>()
    for (const directory of changed) {
      for (let path = directory; !this.#known.has(path); ) {
        this.#known.add(path)
        if (dirname(path) === path) break
        path = dirname(path)
        if (!changed.has(path)) above.add(path)
      }
    }
    for (const directory of [...changed, ...above])
      for (let path = directory; !(await syncDirectory(path)) && path !== '/'; ) {
        this.#known.delete(path)
        path = dirname(path)
      }
    if (this.#known.size > MOST_KNOWN) this.#known = new Set()
  }
}
