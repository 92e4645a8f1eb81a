import { resolve } from 'node:path'
import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'

/** What a store can be told, by name; each kind of store says which names it knows. */
export type StoreOptions = Readonly<Record<string, unknown>>

/** How the URLs of a scheme are read. */
export interface UrlForm {
  /** Names that may stand in the query. */
  readonly options: readonly string[]
  /**
   * What holds the objects: the file system, whose objects are named by absolute paths; or a bucket, whose name is so
   * many segments (`az://account/container` has two). The rest is the key.
   */
  readonly container: 'path' | number
}

/** A URL or path taken apart. `scheme` is undefined for plain paths. */
export interface StoreUrl {
  readonly scheme: string | undefined
  /** What stands behind `scheme://`, without the query; the whole of a plain path. */
  readonly location: string
  /** Of the query. */
  readonly options: StoreOptions
}

/** Where an object or a folder is: a key in the store at the root of its container. */
export interface Location {
  /** What `openStore` opens: `s3://bucket`, `az://account/container`, `file:///`. Without the query. */
  readonly root: string
  /** Of the query. */
  readonly options: StoreOptions
  /** Relative to the root; '' for the root itself. */
  readonly key: string
  /** It can only be a folder: it ends with `/`, or is the root. */
  readonly isFolder: boolean
  /** What stands before a key of the root to name an object: `s3://bucket/`, `/`. */
  readonly prefix: string
}

/** A URL, or the part of one, for messages: what stands before an `@` and behind a `?` may be a secret. */
export function withoutSecrets(text: string): string {
  return text.replace(/\?.*$/s, '?…').replace(/^([a-z][a-z0-9+.-]*:\/\/)?\/*[^/]*@/i, '$1…@')
}

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i

/** A query counts only if every name in it is an option of the scheme; otherwise `?` is a letter of the location. */
function splitQuery(rest: string, known: readonly string[]): { location: string; options: StoreOptions } {
  const at = rest.lastIndexOf('?')
  const query = at < 0 ? [] : [...new URLSearchParams(rest.slice(at + 1))]
  if (query.length === 0) return { location: rest, options: {} }
  if (!query.every(([name]) => known.includes(name))) return { location: rest, options: {} }
  return { location: rest.slice(0, at), options: Object.fromEntries(query) }
}

/** What may be told of a text: the name of an option. Anything else could be a secret. */
const OPTION_NAME = /^[a-zA-Z][a-zA-Z-]{0,31}$/

/** The known name that somebody meant: the same but for case, `-` and `_`, or a letter or two. */
function meantBy(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_]/g, '')
  let best: { readonly option: string; readonly distance: number } | undefined
  for (const option of known) {
    const distance = editDistance(plain(name), plain(option))
    if (distance <= Math.min(2, option.length / 3) && distance < (best?.distance ?? Infinity))
      best = { option, distance }
  }
  return best?.option
}

/** Letters to insert, leave out, change or swap with the next; of short names. */
function editDistance(a: string, b: string): number {
  let [older, old]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = (old[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min(changed, (old[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1)
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] && i > 1 && j > 1)
        least = Math.min(least, (older[j - 2] ?? 0) + 1)
      row.push(least)
    }
    ;[older, old] = [old, row]
  }
  return old[b.length] ?? 0
}

/**
 * E_USAGE for the first name of a query that is no option, such as a misspelt one: undefined where there is none that may
 * be told. Values are never quoted.
 */
export function unknownOption(scheme: string, query: string, known: readonly string[]): HeadraceError | undefined {
  const names = [...new URLSearchParams(query)].flatMap(([name, value]) => (/[^=]/.test(value) ? [name] : []))
  const unknown = names.find((name) => !known.includes(name) && OPTION_NAME.test(name))
  if (unknown === undefined) return undefined
  const meant = meantBy(unknown, known)
  return new HeadraceError(
    'E_USAGE',
    `${scheme}:// has no option ${show(unknown)}${meant ? `; did you mean ${meant}?` : ''}`,
    {
      hint: `options of ${scheme}:// are ${known.join(', ')}`,
    },
  )
}

/** The form of a scheme; E_UNSUPPORTED names the schemes there are. */
export function formOf<F extends UrlForm>(scheme: string, forms: Readonly<Record<string, F>>, text: string): F {
  const form = Object.hasOwn(forms, scheme) ? forms[scheme] : undefined
  if (form !== undefined) return form
  const schemes = Object.keys(forms).map((each) => `${each}://`)
  throw new HeadraceError(
    'E_UNSUPPORTED',
    `there is no store for ${scheme}://, only for ${schemes.join(', ')} and plain paths`,
    { url: withoutSecrets(text) },
  )
}

/** In lower case; undefined for plain paths. */
export function schemeOf(text: string): string | undefined {
  return SCHEME.exec(text)?.[1]?.toLowerCase()
}

/** Strings are literal: nothing is decoded. */
export function parseStoreUrl(text: string, forms: Readonly<Record<string, UrlForm>>): StoreUrl {
  if (text === '') throw new HeadraceError('E_USAGE', 'a store needs a URL or a path, but got ""')
  const scheme = schemeOf(text)
  if (scheme === undefined) return { scheme, location: text, options: {} }
  const rest = text.slice(scheme.length + '://'.length)
  return { scheme, ...splitQuery(rest, formOf(scheme, forms, text).options) }
}

/** RFC 8089 allows a host before the path; the only one whose files are here is this one. */
export function absolutePath(scheme: string, location: string): string {
  const path = location.replace(/^localhost(?=\/)/, '')
  if (path.startsWith('/')) return path
  throw new HeadraceError(
    'E_USAGE',
    `a ${scheme} URL needs an absolute path, but got ${show(`${scheme}://${location}`)}`,
    { hint: `write ${scheme}:///${location}, or a plain path` },
  )
}

/** Paths are made plain as file systems read them: `//`, `.` and `..` name no other file. */
function locatePath(scheme: string, path: string, options: StoreOptions): Location {
  const plain = resolve(path)
  const isFolder = plain === '/' || /\/(?:\.{1,2})?$/.test(path) || path === '.' || path === '..'
  const prefix = scheme === 'file' ? '/' : `${scheme}:///`
  return { root: `${scheme}:///`, options, key: plain.slice(1), isFolder, prefix }
}

/** Whether a URL stops short of a bucket: `s3://`, `az://account`. */
export function namesNoContainer(text: string, forms: Readonly<Record<string, UrlForm>>): boolean {
  const { scheme, location } = parseStoreUrl(text, forms)
  if (scheme === undefined) return false
  const { container } = formOf(scheme, forms, text)
  return container !== 'path' && location.split('/').filter((name) => name !== '').length < container
}

/**
 * Slashes around the container's name and at the end count as one, however many there are; those within a key are its
 * letters. A key that begins or ends with `/` is reached by what it lies in.
 */
function locateKey(scheme: string, location: string, segments: number, options: StoreOptions): Location {
  const names: string[] = []
  let rest = location
  while (names.length < segments) {
    const [, name = '', behind = ''] = /^\/*([^/]*)(.*)$/s.exec(rest) ?? []
    if (name === '') {
      const form = segments === 1 ? `${scheme}://bucket/key` : `${scheme}://account/container/key`
      throw new HeadraceError(
        'E_USAGE',
        `${show(withoutSecrets(`${scheme}://${location}`))} names no bucket: it must be like ${form}`,
      )
    }
    names.push(name)
    rest = behind
  }
  const root = `${scheme}://${names.join('/')}`
  const key = rest.replace(/^\/+/, '').replace(/\/+$/, '/')
  return { root, options, key, isFolder: key === '' || key.endsWith('/'), prefix: `${root}/` }
}

/**
 * Takes a URL or path apart into the store at the root of its container and a key in it:
 *
 * | text | root | key |
 * |---|---|---|
 * | `s3://b`, `s3://b/`, `s3:///b//` | `s3://b` | `''` |
 * | `s3://b/a//c`, `s3://b//a//c` | `s3://b` | `a//c` |
 * | `s3://b/a/`, `s3://b//a//` | `s3://b` | `a/` |
 * | `/d//f`, `file:///d/f`, `file:///d/./f/` | `file:///` | `d/f` |
 */
export function locateIn(text: string, forms: Readonly<Record<string, UrlForm>>): Location {
  const { scheme, location, options } = parseStoreUrl(text, forms)
  if (scheme === undefined) return locatePath('file', location, options)
  const { container } = formOf(scheme, forms, text)
  if (container === 'path') return locatePath(scheme, absolutePath(scheme, location), options)
  return locateKey(scheme, location, container, options)
}
