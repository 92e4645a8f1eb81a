import { fileURLToPath } from 'node:url'
import { knownOptions, nonNegativeInteger } from '../checks.ts'
import { AZ_URL_OPTIONS } from './az/option-names.ts'
import { GS_URL_OPTIONS } from './gs/option-names.ts'
import { S3_URL_OPTIONS } from './s3/option-names.ts'
import { keepSecrets } from './secrets.ts'
import type { Store } from './types.ts'
import {
  absolutePath,
  formOf,
  type Location,
  locateIn,
  namesNoContainer,
  parseStoreUrl,
  type StoreOptions,
  schemeOf,
  type UrlForm,
} from './url.ts'

interface Scheme extends UrlForm {
  /** Opens what stands behind `scheme://`, without the query. The implementation is loaded only then. */
  open(location: string, options: StoreOptions): Promise<Store>
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  file: {
    options: ['sync', 'pageCache'],
    container: 'path',
    open: async (location, options) =>
      (await import('./file/file.ts')).openFileStore(absolutePath('file', location), options),
  },
  direct: {
    options: ['sync', 'fallback', 'blockSize', 'queueDepth', 'engine'],
    container: 'path',
    open: async (location, options) =>
      (await import('./direct/direct.ts')).openDirectStore(absolutePath('direct', location), options),
  },
  mem: {
    options: [],
    container: 1,
    open: async (location, options) => {
      knownOptions('a memory store', options, [])
      return new (await import('./memory.ts')).MemoryStore(location)
    },
  },
  null: {
    options: ['size', 'fill'],
    container: 1,
    open: async (location, options) => new (await import('./null/null.ts')).NullStore(location, options),
  },
  az: {
    options: [...AZ_URL_OPTIONS, 'workers'],
    container: 2,
    open: async (location, options) => (await import('./az/store.ts')).openAzStore(location, options),
  },
  gs: {
    options: [...GS_URL_OPTIONS, 'workers'],
    container: 1,
    open: async (location, options) => (await import('./gs/store.ts')).openGsStore(location, options),
  },
  s3: {
    options: [...S3_URL_OPTIONS, 'workers'],
    container: 1,
    open: async (location, options) => (await import('./s3/store.ts')).openS3Store(location, options),
  },
}

/** The path of the directory that a store of this URL or path is in; undefined for stores elsewhere. */
export function localDirectory(url: string): string | undefined {
  const scheme = schemeOf(url)
  if (scheme === undefined) return url
  return scheme === 'file' ? absolutePath(scheme, parseStoreUrl(url, SCHEMES).location) : undefined
}

/** Where in which container an object or folder is; see the forms of URLs. E_USAGE, E_UNSUPPORTED. */
export function locate(url: string): Location {
  return locateIn(url, SCHEMES)
}

/** Whether a URL stops short of a bucket, so that only the list of them can be asked for: `s3://`, `az://account`. */
export function isAccount(url: string): boolean {
  return namesNoContainer(url, SCHEMES)
}

/** Whether stores of this URL take an option of that name. */
export function knowsOption(url: string, name: string): boolean {
  const { scheme = 'file' } = parseStoreUrl(url, SCHEMES)
  return formOf(scheme, SCHEMES, url).options.includes(name)
}

/**
 * Opens a store by its URL (`file:///data`, `s3://bucket/prefix`, `mem://scratch`) or by the path of a directory. Strings are literal:
 * `%41` in one is three characters. A URL object is decoded as URLs are. `options` win over the URL's query.
 * `workers`: so many worker threads do the transfers, see `threaded`; 0 (the default) for none.
 * E_UNSUPPORTED names the schemes there are.
 */
export async function openStore(url: string | URL, options: StoreOptions = {}): Promise<Store> {
  const text = typeof url === 'string' ? url : url.protocol === 'file:' ? `file://${fileURLToPath(url)}` : url.href
  const { scheme, location, options: query } = parseStoreUrl(text, SCHEMES)
  const { workers = 0, ...given }: StoreOptions = { ...query, ...options }
  const threads = nonNegativeInteger(
    'workers',
    typeof workers === 'string' && workers !== '' ? Number(workers) : workers,
  )
  const store = await open(scheme, location, given, text)
  keepSecrets(store.spec, given)
  return threads === 0 ? store : (await import('./threads/threaded.ts')).threaded(store, { workers: threads })
}

async function open(scheme: string | undefined, location: string, given: StoreOptions, text: string): Promise<Store> {
  if (scheme === undefined) return (await import('./file/file.ts')).openFileStore(location, given)
  return formOf(scheme, SCHEMES, text).open(location, given)
}
