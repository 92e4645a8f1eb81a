import { HeadraceError } from '../../errors.ts'
import { statOrAbsent } from '../file/directory.ts'
import type { ObjectInfo, Store } from '../types.ts'
import { folderPrefix, type OpenPlace, type Side } from './place.ts'

/** What a place that is read or removed turned out to be. */
export type Found =
  | { readonly kind: 'object'; readonly side: Side; readonly info: ObjectInfo; readonly relative: string }
  | { readonly kind: 'folder'; readonly side: Side; readonly prefix: string }

/** The last part of a key. */
function baseName(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1)
}

/** The directory of a local folder, where the store is local. '' is the root of the file system. */
export function directoryOf({ store, localPath }: Side, prefix: string): string | undefined {
  if (localPath === undefined) return undefined
  return prefix === '' ? store.url.replace(/^[a-z]+:\/\//, '') : localPath(prefix.replace(/\/$/, ''))
}

/** Whether anything lies in a folder; of a local one, whether the directory is there. */
export async function folderIsThere(side: Side, prefix: string, signal?: AbortSignal): Promise<boolean> {
  const path = directoryOf(side, prefix)
  if (path !== undefined) return (await statOrAbsent(path))?.isDirectory() === true
  return holdsAny(side.store, prefix, signal)
}

async function holdsAny(store: Store, prefix: string, signal?: AbortSignal): Promise<boolean> {
  for await (const _ of store.list(prefix, signal ? { signal } : {})) return true
  return false
}

/** Shells leave a pattern as it is where no local file matches it, and in stores none is looked for. */
const PATTERN = /[*?[{]/

export function notThere(place: OpenPlace): HeadraceError {
  const name = place.name(place.key)
  const hint = PATTERN.test(place.key) ? 'a pattern goes into the option include, the folder stands alone' : undefined
  return new HeadraceError('E_NOT_FOUND', `${name} is not there`, { url: name, ...(hint && { hint }) })
}

/** An object. E_NOT_FOUND; E_USAGE for a folder, with the hint. */
export async function findObject(
  place: OpenPlace,
  signal?: AbortSignal,
  hint?: string,
): Promise<Found & { readonly kind: 'object' }> {
  const name = place.name(place.key)
  const folder = () => new HeadraceError('E_USAGE', `${name} is a folder`, { url: name, ...(hint && { hint }) })
  // A key may end with '/', but of files it cannot, and elsewhere a folder is what is meant.
  if (place.isFolder) throw folder()
  const info = await place.store.head(place.key, signal ? { signal } : {})
  if (info !== undefined) return { kind: 'object', side: place, info, relative: baseName(place.key) }
  throw (await folderIsThere(place, folderPrefix(place), signal)) ? folder() : notThere(place)
}

/**
 * A folder, or an object where there is no folder of that name. E_USAGE where there are both: only a `/` at the end
 * tells which is meant. A container may be empty, any other folder of a store without directories is not there then.
 */
async function findAny(place: OpenPlace, signal?: AbortSignal): Promise<Found> {
  const prefix = folderPrefix(place)
  const folder = { kind: 'folder', side: place, prefix } as const
  if (prefix === '') return folder
  const there = await folderIsThere(place, prefix, signal)
  if (place.isFolder && place.localPath === undefined) {
    if (there) return folder
    throw notThere(place)
  }
  const info = await place.store.head(place.key, signal ? { signal } : {})
  if (there && info !== undefined)
    throw new HeadraceError('E_USAGE', `${place.name(place.key)} is an object and a folder`, {
      hint: `write ${place.name(prefix)} for the folder; without recursive it is the object`,
    })
  if (there) return folder
  if (info === undefined) throw notThere(place)
  return { kind: 'object', side: place, info, relative: baseName(place.key) }
}

export function findSource(place: OpenPlace, recursive: boolean, signal?: AbortSignal): Promise<Found> {
  return recursive
    ? findAny(place, signal)
    : findObject(place, signal, 'recursive: true takes it with all that is in it')
}
