import { isUtf8 } from 'node:buffer'
import type { Dirent, Stats } from 'node:fs'
import { opendir, readdir, stat } from 'node:fs/promises'
import { fromSystemError, HeadraceError, throwIfAborted } from '../../errors.ts'
import { compareKeys } from '../keys.ts'
import type { ListOptions, Unlisted } from '../types.ts'
import { isAbsent } from './descriptor.ts'
import { isPendingName } from './pending-file.ts'

/** One directory: the names in it that stand for objects, and what is there and stands for none. */

export async function statOrAbsent(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** Tells directories apart however they are reached. As bigint: some file systems number beyond 2^53. */
export async function identityOf(path: string): Promise<string | undefined> {
  try {
    const stats = await stat(path, { bigint: true })
    return stats.isDirectory() ? `${stats.dev}:${stats.ino}` : undefined
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

type Kinds = Pick<Stats, 'isFIFO' | 'isSocket' | 'isCharacterDevice' | 'isBlockDevice'>

function special(key: string, found: Kinds): Unlisted {
  const kinds = { 'a named pipe': found.isFIFO(), 'a socket': found.isSocket() }
  const [kind = 'a device'] = Object.entries(kinds).find(([, is]) => is) ?? []
  return { key, code: 'E_UNSUPPORTED', reason: `is ${kind}, not a file` }
}

/** 'a' for a file, 'a/' for a directory; for what is neither, why. undefined: a file that is being written. */
async function nameOf(path: string, key: string, entry: Dirent): Promise<string | Unlisted | undefined> {
  const { name } = entry
  if (entry.isFile()) return isPendingName(name) ? undefined : name
  if (entry.isDirectory()) return `${name}/`
  if (!entry.isSymbolicLink()) return special(key + name, entry)
  const found = await statOrAbsent(`${path}/${name}`)
  if (found === undefined) return { key: key + name, code: 'E_NOT_FOUND', reason: 'is a link to nothing' }
  if (found.isFile()) return name
  return found.isDirectory() ? `${name}/` : special(key + name, found)
}

export async function* entriesOf(path: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(path, { bufferSize: 256 })
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}

/** 'a', 'a/' or undefined, of what stands for an object or may hold some. */
export async function objectName(path: string, entry: Dirent): Promise<string | undefined> {
  const name = await nameOf(path, '', entry)
  return typeof name === 'string' ? name : undefined
}

/** A system's answer that concerns one key alone: it is not permitted, or not there any more. Anything else is thrown. */
export function unlisted(key: string, error: unknown, what: string): Unlisted {
  const { code } = fromSystemError(error, what)
  if (code !== 'E_ACCESS' && code !== 'E_NOT_FOUND') throw error
  return { key, code, reason: `${what} (${(error as NodeJS.ErrnoException).code})` }
}

/** Names that are not UTF-8 come out of Node with U+FFFD in them, as names that no file has. */
async function unreadableNames(path: string): Promise<ReadonlyMap<string, Buffer>> {
  const raw = await readdir(path, { encoding: 'buffer' })
  return new Map(raw.filter((name) => !isUtf8(name)).map((name) => [name.toString(), name]))
}

/** The names of the directory `path`, whose keys begin with `key`, in the order of keys. */
export async function readNames(
  path: string,
  key: string,
  keep: (name: string) => boolean,
  { signal, onUnlisted }: Pick<ListOptions, 'signal' | 'onUnlisted'>,
): Promise<string[]> {
  const names: string[] = []
  const doubtful: Dirent[] = []
  const add = async (entry: Dirent): Promise<void> => {
    const found = await nameOf(path, key, entry).catch((error: unknown) => {
      if (onUnlisted === undefined) throw error
      return unlisted(key + entry.name, error, 'cannot be looked at')
    })
    if (typeof found === 'string' && keep(found)) names.push(found)
    else if (typeof found === 'object' && keep(entry.name)) onUnlisted?.(found)
  }
  for await (const entry of entriesOf(path)) {
    throwIfAborted(signal, `listing ${path}`)
    if (entry.name.includes('\ufffd')) doubtful.push(entry)
    else await add(entry)
  }
  const unreadable = doubtful.length === 0 ? new Map<string, Buffer>() : await unreadableNames(path)
  for (const entry of doubtful) {
    const raw = unreadable.get(entry.name)?.toString('hex')
    if (raw === undefined) await add(entry)
    else if (onUnlisted === undefined)
      throw new HeadraceError('E_UNSUPPORTED', `no key can name the file 0x${raw} in ${path}: not UTF-8`, {
        path,
        hint: 'rename it, or move it out of the way',
      })
    else {
      const odd = `${key}${entry.name}${entry.isDirectory() ? '/' : ''}`
      onUnlisted({ key: odd, code: 'E_UNSUPPORTED', reason: `has a name that is not UTF-8 (0x${raw})` })
    }
  }
  return names.sort(compareKeys)
}
