import { HeadraceError, isHeadraceError } from '../../errors.ts'
import { openObjectSource } from '../../formats/byte-source.ts'
import type { ByteSource } from '../../formats/types.ts'
import { type Listing, openListing, type SourceOptions, type SourceSpec } from '../listing.ts'
import { type BracedNames, bracedNames } from './braces.ts'

/** A file with several samples. */
export interface Shard {
  /** Relative to the store. */
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly etag: string
}

/** Which files of a folder are shards where the options do not say. */
export interface UsualNames {
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
}

/** What tools leave beside data: `_SUCCESS`, `.crc`, folders of what is not finished. */
const NEVER = ['.*', '_*', '**/.*/**', '**/_*/**']

/** 512 KiB of a store, 64 KiB of a file cost as much to read as to pass over. */
const STORE_LEAP = 512 * 1024
const FILE_LEAP = 64 * 1024

/** The shards of a dataset, as they were when they were listed. */
export class Shards {
  readonly all: readonly Shard[]
  /** Changes whenever the key, size or etag of a shard does. */
  readonly fingerprint: string
  /** Options of a dataset's spec that find the same shards. */
  readonly spec: SourceSpec
  /** Whether they are files on this machine. */
  readonly local: boolean
  /** Without credentials. */
  readonly url: string
  readonly #listing: Listing

  constructor(listing: Listing, spec: SourceSpec) {
    this.#listing = listing
    this.all = [...listing.manifest.entries()]
    this.fingerprint = listing.manifest.fingerprint
    this.spec = spec
    this.local = listing.store.localPath !== undefined
    this.url = listing.store.url
  }

  /** Bytes that are rather passed over than read: what a request costs. */
  get leap(): number {
    return this.local ? FILE_LEAP : STORE_LEAP
  }

  key(shard: number): string {
    return this.all[shard]?.key ?? `shard ${shard}`
  }

  /**
   * Fills `into` from `offset` of a shard on. E_NOT_FOUND where it has gone and E_STATE where it has changed since it was
   * listed; E_CORRUPT for a range behind its end.
   */
  async read(shard: number, offset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { key, size, etag } = this.all[shard] as Shard
    const where = { url: this.url, key, offset }
    if (!(offset + into.length <= size))
      throw new HeadraceError(
        'E_CORRUPT',
        `${key} ends at ${size}, before ${into.length} bytes from ${offset} on`,
        where,
      )
    if (into.length === 0) return
    const range = { offset, length: into.length }
    const changed = (cause?: unknown) =>
      new HeadraceError('E_STATE', `${key} has changed since it was listed`, {
        ...where,
        ...(cause !== undefined && { cause }),
      })
    let count: number | undefined
    try {
      const options = { range, into, ...(etag !== '' && { ifMatch: etag }), ...(signal && { signal }) }
      count = (await this.#listing.store.get(key, options))?.data.length
    } catch (error) {
      throw isHeadraceError(error, 'E_STATE') ? changed(error) : error
    }
    if (count === undefined) throw new HeadraceError('E_NOT_FOUND', `${key} is no longer there`, where)
    if (count < into.length) throw changed()
  }

  /** A shard as a file's bytes. */
  source(shard: number, signal?: AbortSignal): ByteSource {
    return {
      name: this.key(shard),
      size: this.all[shard]?.size ?? 0,
      read: async (offset, length, into) => {
        const target = into === undefined ? new Uint8Array(length) : into.subarray(0, length)
        await this.read(shard, offset, target, signal)
        return target
      },
    }
  }

  /** What lies beside a shard, under its name and a suffix. E_NOT_FOUND. */
  beside(shard: number, suffix: string): Promise<ByteSource> {
    const key = `${this.key(shard)}${suffix}`
    return openObjectSource(this.#listing.store, key, key)
  }

  close(): Promise<void> {
    return this.#listing.close()
  }
}

/**
 * The shards that a URL names: a folder, a file, or files by braces (`s3://b/train-{0000..0146}.tar`), in the order of
 * their keys. Of a folder those that `include` and `exclude` choose, otherwise those of `usual` names. E_NOT_FOUND where
 * there are none, or one that braces name is not there.
 */
export async function openShards(url: string, options: SourceOptions, usual: UsualNames): Promise<Shards> {
  const named = typeof url === 'string' ? bracedNames(url) : undefined
  if (named !== undefined) {
    if (options.include !== undefined)
      throw new HeadraceError('E_USAGE', `${url} says by braces which files are meant, and so does include`)
    const listing = await openListing(named.folder, { ...options, include: named.names.map(literal) })
    const found = new Set(Array.from(listing.manifest.entries(), ({ key }) => key))
    const missing = named.names.find((name) => !found.has(name))
    if (missing === undefined)
      return new Shards(listing, { ...withoutInclude(listing.spec), url: urlOf(listing.spec.url, named) })
    await listing.close()
    throw new HeadraceError('E_NOT_FOUND', `${missing} is not there, one of ${named.names.length} files of ${url}`, {
      url: listing.store.url,
      key: missing,
    })
  }
  const { include = usual.include, exclude } = options
  const never = options.include === undefined ? [...NEVER, ...(usual.exclude ?? [])] : []
  const listing = await openListing(url, {
    ...options,
    ...(include && { include }),
    exclude: [...(exclude ?? []), ...never],
  })
  const { fingerprint } = listing.spec
  const given = { include: options.include, exclude, manifest: listing.spec.manifest, parallel: options.parallel }
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return new Shards(listing, { url: listing.spec.url, ...said, ...(fingerprint !== undefined && { fingerprint }) })
}

/** The URL with braces, whatever the working directory is. */
function urlOf(folder: string, { pattern, query }: BracedNames): string {
  return folder.slice(0, folder.length - query.length) + pattern + query
}

/** A glob that matches this name alone. */
function literal(name: string): string {
  return name.replace(/[\\*?[\](){}!+@|]/g, '\\$&')
}

function withoutInclude({ include: _, ...spec }: SourceSpec): SourceSpec {
  return spec
}
