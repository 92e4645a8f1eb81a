import type { Stats } from 'node:fs'
import { fromSystemError, throwIfAborted } from '../../errors.ts'
import { checkPrefix, compareKeys } from '../keys.ts'
import type { ListEntry, ListOptions, ObjectInfo } from '../types.ts'
import { entriesOf, identityOf, objectName, readNames, statOrAbsent, unlisted } from './directory.ts'

/**
 * Lists a directory tree as keys, in order, holding the names of one directory per level at a time.
 *
 * A directory is sorted as `name/`, which is where its keys belong: `a-b` < `a.txt` < `a/b`. Links are followed; one
 * that leads back into a directory it lies in is passed over, since all below it is listed already. What is there and
 * is no object goes to `onUnlisted`; without that, a directory that cannot be read ends the listing.
 */

/** Looked up together: enough to keep libuv's thread pool busy, few enough to be of no weight. */
const TOGETHER = 64

interface Level {
  /** What the keys of this directory begin with: '' or 'a/b/'. */
  readonly key: string
  /** Ordered; those of directories end in `/`. */
  readonly names: readonly string[]
  next: number
}

/** The numbers of an open or looked-up file, as an object. */
export function infoOf(key: string, stats: Pick<Stats, 'ino' | 'size' | 'mtimeMs'>): ObjectInfo {
  const { ino, size, mtimeMs } = stats
  const etag = `${ino.toString(36)}-${size.toString(36)}-${Math.round(mtimeMs * 1000).toString(36)}`
  return { key, size, etag, modified: Math.trunc(mtimeMs) }
}

/** Whether any object lies below a directory: an empty one is no prefix of anything. */
async function holdsObject(path: string, above: readonly string[]): Promise<boolean> {
  const identity = await identityOf(path)
  if (identity === undefined || above.includes(identity)) return false
  const directories: string[] = []
  for await (const entry of entriesOf(path)) {
    const name = await objectName(path, entry)
    if (name?.endsWith('/')) directories.push(name.slice(0, -1))
    else if (name !== undefined) return true
  }
  for (const name of directories) if (await holdsObject(`${path}/${name}`, [...above, identity])) return true
  return false
}

async function anyOf(entries: AsyncIterable<ListEntry>): Promise<boolean> {
  for await (const _ of entries) return true
  return false
}

/** The identities of the directories from the root to `key`; undefined if one is not there, or a link into itself. */
async function identitiesTo(root: string, key: string): Promise<string[] | undefined> {
  const identities: string[] = []
  for (let end = 0; ; end = key.indexOf('/', end) + 1) {
    const identity = await identityOf(`${root}/${key.slice(0, end)}`)
    if (identity === undefined || identities.includes(identity)) return undefined
    identities.push(identity)
    if (end === key.length) return identities
  }
}

async function* walk(root: string, prefix: string, options: ListOptions): AsyncGenerator<ListEntry> {
  const { delimiter, startAfter = '', signal, onUnlisted } = options
  const top = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const identities = await identitiesTo(root, top)
  if (identities === undefined) return

  const levelOf = async (key: string): Promise<Level> => {
    const keep = (name: string) => {
      const whole = key + name
      if (!whole.startsWith(prefix) && !prefix.startsWith(whole)) return false
      return compareKeys(whole, startAfter) > 0 || (name.endsWith('/') && startAfter.startsWith(whole))
    }
    try {
      return { key, names: await readNames(`${root}/${key}`, key, keep, options), next: 0 }
    } catch (error) {
      if (onUnlisted === undefined || key === top)
        throw fromSystemError(error, `cannot list ${root}/${key}`, { path: `${root}/${key}` })
      onUnlisted(unlisted(key, error, 'cannot be listed'))
      return { key, names: [], next: 0 }
    }
  }
  /** What can be found out about a key; where that is not permitted, it is reported in place of it. */
  const asking = async <T>(key: string, answer: Promise<T>): Promise<T | undefined> => {
    if (onUnlisted === undefined) return answer
    return answer.catch((error: unknown) => {
      onUnlisted(unlisted(key, error, 'cannot be looked at'))
      return undefined
    })
  }
  const entryOf = async (key: string): Promise<ListEntry | undefined> => {
    if (key.endsWith('/')) {
      const held = startAfter.startsWith(key)
        ? await anyOf(walk(root, key, { startAfter, ...(signal && { signal }) }))
        : await holdsObject(`${root}/${key.slice(0, -1)}`, identities)
      return held ? { kind: 'prefix', prefix: key } : undefined
    }
    const stats = await asking(key, statOrAbsent(`${root}/${key}`))
    return stats?.isFile() ? { kind: 'object', ...infoOf(key, stats) } : undefined
  }

  const levels = [await levelOf(top)]
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    throwIfAborted(signal, `listing ${prefix}`)
    const { key, names, next } = level
    const name = names[next]
    if (name === undefined) {
      levels.pop()
      identities.pop()
    } else if (name.endsWith('/') && delimiter === undefined) {
      level.next++
      const identity = await asking(key + name, identityOf(`${root}/${key}${name}`))
      if (identity === undefined) continue
      if (identities.includes(identity)) {
        onUnlisted?.({ key: key + name, code: 'E_EXISTS', reason: 'is a link back to a folder that it lies in' })
        continue
      }
      identities.push(identity)
      levels.push(await levelOf(key + name))
    } else {
      while (level.next < names.length && level.next - next < TOGETHER) {
        if (delimiter === undefined && names[level.next]?.endsWith('/')) break
        level.next++
      }
      const entries = await Promise.all(names.slice(next, level.next).map((each) => entryOf(key + each)))
      throwIfAborted(signal, `listing ${prefix}`)
      for (const entry of entries) if (entry !== undefined) yield entry
    }
  }
}

/** The objects below `root` whose keys begin with `prefix`, ordered by the UTF-8 bytes of the key. */
export async function* listTree(root: string, prefix: string, options: ListOptions = {}): AsyncGenerator<ListEntry> {
  checkPrefix(prefix)
  try {
    yield* walk(root, prefix, options)
  } catch (error) {
    throw fromSystemError(error, `cannot list ${root}/${prefix}`, { path: root })
  }
}
