import { mkdir, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { formatBytes } from '../bytes.ts'
import { fromSystemError, HeadraceError } from '../errors.ts'
import type { Store } from '../storage/types.ts'

/** Of a file system; undefined where the store is none. */
interface Free {
  readonly bytes: number
  /** Files that can still be made; Infinity where the file system has no such bound. */
  readonly files: number
}

async function freeOf(store: Store): Promise<Free | undefined> {
  if (store.localPath === undefined) return undefined
  // The folder itself need not be there yet.
  for (let path = dirname(store.localPath('x')); ; path = dirname(path)) {
    try {
      const { bavail, bsize, files, ffree } = await statfs(path)
      return { bytes: bavail * bsize, files: files === 0 ? Number.POSITIVE_INFINITY : ffree }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || path === dirname(path))
        throw fromSystemError(error, `cannot tell what is free in ${path}`, { path })
    }
  }
}

export interface Need {
  readonly bytes: number
  readonly files: number
}

/**
 * E_NO_SPACE where the file system of a store has not room for `whole`. Of that, `present` is there already, or will be
 * replaced; it is only asked where that matters.
 */
export async function checkSpace(store: Store, whole: Need, present: () => Promise<Need>): Promise<void> {
  const free = await freeOf(store)
  if (free === undefined || (whole.bytes <= free.bytes && whole.files <= free.files)) return
  const there = await present()
  const need = { bytes: whole.bytes - there.bytes, files: whole.files - there.files }
  if (need.bytes > free.bytes)
    throw new HeadraceError(
      'E_NO_SPACE',
      `${formatBytes(need.bytes)} do not fit in ${store.url}: ${formatBytes(free.bytes)} are free there`,
      { url: store.url, hint: 'fewer files or smaller records, or another disk' },
    )
  if (need.files > free.files)
    throw new HeadraceError(
      'E_NO_SPACE',
      `${Math.ceil(need.files)} files do not fit in ${store.url}: its file system has room for ${free.files} more`,
      { url: store.url, hint: 'fewer files with more samples each, or another disk' },
    )
}

/** Makes folders where a store has them. */
export async function makeFolders(store: Store, folders: readonly string[]): Promise<void> {
  if (store.localPath === undefined) return
  for (const folder of folders) {
    const path = store.localPath(folder)
    await mkdir(path, { recursive: true }).catch((error) => {
      throw fromSystemError(error, `cannot make the folder ${path}`, { path })
    })
  }
}
