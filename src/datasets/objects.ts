import { knownOptions, show } from '../checks.ts'
import { HeadraceError, isHeadraceError } from '../errors.ts'
import type { GetOptions, ObjectBody } from '../storage/types.ts'
import { type Listing, openListing, SOURCE_OPTIONS, type SourceOptions } from './listing.ts'
import type { ManifestEntry } from './manifest/types.ts'
import type { DatasetSpec } from './spec.ts'
import type { Dataset, Field, ReadOptions, Sample } from './types.ts'

export interface ObjectsOptions extends SourceOptions {}

/** An object: its bytes, and its key below the dataset's URL. */
export type ObjectsSchema = {
  readonly data: Field<'bytes'>
  readonly key: Field<'string'>
}

const OBJECTS_SCHEMA: ObjectsSchema = { data: { kind: 'bytes' }, key: { kind: 'string' } }

/** Objects of a store, each one sample: see `objects`. */
export class Objects implements Dataset<ObjectsSchema> {
  readonly schema = OBJECTS_SCHEMA
  readonly length: number
  readonly url: string
  /** sha256 over every object's key, size and etag. */
  readonly fingerprint: string
  readonly spec: DatasetSpec
  readonly #listing: Listing

  constructor(listing: Listing) {
    const { manifest, store, spec } = listing
    this.#listing = listing
    this.length = manifest.length
    this.url = store.url
    this.fingerprint = manifest.fingerprint
    this.spec = { kind: 'objects', ...spec }
  }

  describe(id: number): string {
    try {
      return this.#listing.manifest.entry(id).key
    } catch {
      return `sample ${id}`
    }
  }

  maxSize(field: string): number {
    return field === 'data' ? this.#listing.manifest.largest : 0
  }

  /** When the objects were listed. */
  sizes(ids: Float64Array, field: string, out: Float64Array): void {
    this.#onlyData(field)
    const { manifest } = this.#listing
    for (let i = 0; i < ids.length; i++) out[i] = manifest.size(ids[i] as number)
  }

  /**
   * E_NOT_FOUND where the object has gone and E_STATE where it has changed since it was listed; E_ACCESS. All name the
   * key.
   */
  async read(id: number, { fields, ...call }: ReadOptions = {}): Promise<Sample> {
    const entry = this.#listing.manifest.entry(id)
    if (fields !== undefined && !fields.includes('data')) return fields.includes('key') ? { key: entry.key } : {}
    const { data } = await this.#get(id, entry, call)
    return fields === undefined || fields.includes('key') ? { data, key: entry.key } : { data }
  }

  /** The errors of `read`. */
  async readInto(id: number, field: string, into: Uint8Array, options: ReadOptions = {}): Promise<void> {
    this.#onlyData(field)
    const entry = this.#listing.manifest.entry(id)
    if (into.length !== entry.size)
      throw new HeadraceError('E_USAGE', `${entry.key} takes ${entry.size} bytes, but into has ${into.length}`, {
        key: entry.key,
        sample: id,
      })
    const { fields: _, ...call } = options
    await this.#get(id, entry, { ...call, into })
  }

  close(): Promise<void> {
    return this.#listing.close()
  }

  #onlyData(field: string): void {
    if (field !== 'data') throw new HeadraceError('E_USAGE', `field ${show(field)} has no bytes; data has`, { field })
  }

  async #get(id: number, { key, size, etag }: ManifestEntry, options: GetOptions): Promise<ObjectBody> {
    const where = { url: this.url, key, sample: id }
    let body: ObjectBody | undefined
    try {
      body = await this.#listing.store.get(key, etag === '' ? options : { ...options, ifMatch: etag })
    } catch (error) {
      const larger = options.into !== undefined && isHeadraceError(error, 'E_LIMIT')
      if (!larger && !isHeadraceError(error, 'E_STATE')) throw error
      throw new HeadraceError('E_STATE', `${key} has changed since it was listed`, { ...where, cause: error })
    }
    if (body === undefined) throw new HeadraceError('E_NOT_FOUND', `${key} is no longer there`, where)
    if (body.data.length === size) return body
    const now = body.data.length
    throw new HeadraceError('E_STATE', `${key} has changed since it was listed: ${now} bytes, not ${size}`, where)
  }
}

/**
 * Every object below a URL as a sample: `data`, its bytes, and `key`. They are listed once, in the order of their keys;
 * `manifest` names a list that was made before. An object that is replaced, truncated or removed later is told when it
 * is read. E_NOT_FOUND where there are none, E_STATE where they are not those of `fingerprint`.
 */
export async function objects(url: string, options: ObjectsOptions = {}): Promise<Objects> {
  knownOptions('objects', options, SOURCE_OPTIONS)
  return new Objects(await openListing(url, options))
}
