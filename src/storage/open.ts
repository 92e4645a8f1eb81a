import { fileURLToPath } from 'node:url'
import { knownOptions, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { Store } from './types.ts'

/** What a store can be told, by name; each kind of store says which names it knows. */
export type StoreOptions = Readonly<Record<string, unknown>>

interface Scheme {
  /** Names that may stand in the URL's query. */
  readonly options: readonly string[]
  /** Opens what stands behind `scheme://`, without the query. The implementation is loaded only then. */
  open(location: string, options: StoreOptions): Promise<Store>
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  file: {
    options: ['sync'],
    open: async (location, options) => (await import('./file/file.ts')).openFileStore(absolutePath(location), options),
  },
  mem: {
    options: [],
    open: async (location, options) => {
      knownOptions('a memory store', options, [])
      return new (await import('./memory.ts')).MemoryStore(location)
    },
  },
}

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is

/** RFC 8089 allows a host before the path; the only one whose files are here is this one. */
function absolutePath(location: string): string {
  const path = location.replace(/^localhost(?=\/)/, '')
  if (path.startsWith('/')) return path
  throw new HeadraceError('E_USAGE', `a file URL needs an absolute path, but got ${show(`file://${location}`)}`, {
    hint: `write file:///${location}, or a plain path`,
  })
}

/** A query counts only if every name in it is an option of the scheme; otherwise `?` is a letter of the location. */
function splitQuery(rest: string, known: readonly string[]): { location: string; options: StoreOptions } {
  const at = rest.lastIndexOf('?')
  const query = [...new URLSearchParams(at < 0 ? '' : rest.slice(at + 1))]
  if (query.length === 0 || !query.every(([name]) => known.includes(name))) return { location: rest, options: {} }
  return { location: rest.slice(0, at), options: Object.fromEntries(query) }
}

/** The path of the directory that a store of this URL or path is in; undefined for stores elsewhere. */
export function localDirectory(url: string): string | undefined {
  const [, name, rest = ''] = SCHEME.exec(url) ?? []
  if (name === undefined) return url
  if (name.toLowerCase() !== 'file') return undefined
  return absolutePath(splitQuery(rest, SCHEMES.file?.options ?? []).location)
}

/**
 * Opens a store by its URL (`file:///data`, `mem://scratch`) or by the path of a directory. Strings are literal:
 * `%41` in one is three characters. A URL object is decoded as URLs are. `options` win over the URL's query.
 * E_UNSUPPORTED names the schemes there are.
 */
export async function openStore(url: string | URL, options: StoreOptions = {}): Promise<Store> {
  const text = typeof url === 'string' ? url : url.protocol === 'file:' ? `file://${fileURLToPath(url)}` : url.href
  const [, name, rest = ''] = SCHEME.exec(text) ?? []
  if (name === undefined) {
    if (text === '') throw new HeadraceError('E_USAGE', 'a store needs a URL or a path, but got ""')
    return (await import('./file/file.ts')).openFileStore(text, options)
  }
  const scheme = Object.hasOwn(SCHEMES, name.toLowerCase()) ? SCHEMES[name.toLowerCase()] : undefined
  if (scheme === undefined)
    throw new HeadraceError(
      'E_UNSUPPORTED',
      `there is no store for ${name}://, only for ${Object.keys(SCHEMES)
        .map((each) => `${each}://`)
        .join(', ')} and plain paths`,
      { url: text.replace(/\?.*$/s, '') },
    )
  const split = splitQuery(rest, scheme.options)
  return scheme.open(split.location, { ...split.options, ...options })
}
