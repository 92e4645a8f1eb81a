import { resolve } from 'node:path'
import { HeadraceError } from '../errors.ts'
import { locate, openStore } from '../storage/open.ts'
import { filterOf } from '../storage/transfer/filter.ts'
import type { Store } from '../storage/types.ts'
import { schemeOf } from '../storage/url.ts'
import { type ListingOptions, listed, nothingThere, packManifest } from './manifest/build.ts'
import { openManifest } from './manifest/open.ts'
import type { Manifest, ManifestEntry } from './manifest/types.ts'

export interface SourceOptions extends ListingOptions {
  /** URL or path of what `buildManifest` wrote: nothing is listed then. Its keys are looked for below the dataset's URL. */
  readonly manifest?: string
  /** What the listing's fingerprint must be: E_STATE where the objects are others by now. */
  readonly fingerprint?: string
}

export const SOURCE_OPTIONS = ['include', 'exclude', 'parallel', 'manifest', 'fingerprint', 'signal'] as const

/** The objects of a dataset, and the store that their keys are in. */
export interface Listing {
  readonly store: Store
  readonly manifest: Manifest
  /** URL, path or name of an object for messages. */
  name(key: string): string
  /** Options of a spec that open the same listing again, without this process's working directory. */
  readonly spec: SourceSpec
  close(): Promise<void>
}

/** As much of a dataset's spec as says where its objects are. */
export type SourceSpec = { readonly url: string } & Omit<SourceOptions, 'signal'>

/** What a path means whatever the working directory is. */
export function absoluteUrl(url: string): string {
  if (schemeOf(url) !== undefined) return url
  return `${resolve(url)}${url.endsWith('/') ? '/' : ''}`
}

/**
 * What lies below a URL, listed or from a manifest; of the URL of one object that alone. E_NOT_FOUND where there is
 * nothing.
 */
export async function openListing(url: string, options: SourceOptions = {}): Promise<Listing> {
  if (typeof url !== 'string' || url === '')
    throw new HeadraceError('E_USAGE', `a dataset needs the URL or path of what it is of, but got ${String(url)}`)
  const where = absoluteUrl(url)
  if (options.manifest === undefined) {
    const single = await openSingle(where, options)
    if (single !== undefined) return checked(single, options)
  }
  const store = await openStore(where)
  try {
    const manifest = await manifestOf(store, options)
    return checked(listingOf(store, manifest, where, options), options)
  } catch (error) {
    await store.close()
    throw error
  }
}

function listingOf(store: Store, manifest: Manifest, url: string, options: SourceOptions): Listing {
  const { include, exclude, parallel, manifest: from } = options
  const root = store.url.replace(/\/$/, '')
  return {
    store,
    manifest,
    name: (key) => `${root}/${key}`,
    spec: {
      url,
      ...(include && { include }),
      ...(exclude && { exclude }),
      ...(parallel !== undefined && { parallel }),
      ...(from !== undefined && { manifest: absoluteUrl(from) }),
      fingerprint: manifest.fingerprint,
    },
    close: async () => {
      manifest.close()
      await store.close()
    },
  }
}

async function checked(listing: Listing, { fingerprint }: SourceOptions): Promise<Listing> {
  if (fingerprint === undefined || fingerprint === listing.manifest.fingerprint) return listing
  await listing.close()
  throw otherObjects(listing.store.url)
}

export function otherObjects(url: string): HeadraceError {
  return new HeadraceError('E_STATE', `the objects in ${url} are not those that the dataset was of`, {
    url,
    hint: 'objects came, went or changed since; a manifest keeps the list as it was',
  })
}

/** Where the URL names an object. */
async function openSingle(url: string, options: SourceOptions): Promise<Listing | undefined> {
  const { root, options: query, key, isFolder } = locate(url)
  if (isFolder) return undefined
  const cut = key.lastIndexOf('/') + 1
  const store = await openStore(`${root.replace(/\/$/, '')}/${key.slice(0, cut)}`, query)
  try {
    const info = await store.head(key.slice(cut), options.signal ? { signal: options.signal } : {})
    if (info !== undefined) {
      const manifest = await packManifest({ url: store.url }, [info])
      return listingOf(store, manifest, url, options)
    }
  } catch (error) {
    await store.close()
    throw error
  }
  await store.close()
  return undefined
}

async function manifestOf(store: Store, options: SourceOptions): Promise<Manifest> {
  const { manifest: from, include, exclude, signal } = options
  const subject = { url: store.url, ...options }
  if (from === undefined) {
    const manifest = await packManifest(subject, listed(store, options))
    if (manifest.length === 0) throw nothingThere(store.url, options)
    return manifest
  }
  const whole = await openManifest(from, signal ? { signal } : {})
  if (include === undefined && exclude === undefined) return whole
  try {
    const some = await packManifest(subject, chosenOf(whole, filterOf({ include, exclude })))
    if (some.length === 0) throw nothingThere(from, options)
    return some
  } finally {
    whole.close()
  }
}

function* chosenOf(manifest: Manifest, chosen: (key: string) => boolean): Generator<ManifestEntry> {
  for (const entry of manifest.entries()) if (chosen(entry.key)) yield entry
}
