import type { ImageFolderSchema } from '../../datasets/image-folder.ts'
import type { Dataset, Locations, ReadOptions, Sample, Schema, Value } from '../../datasets/types.ts'
import type { TypedArray } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import type { MappedBytes } from '../../mapped.ts'
import { native } from '../../native.ts'
import type { ImageCacheInfo } from './info.ts'
import type { ImageEncoding } from './layout.ts'
import type { Frequencies } from './rans-table.ts'
import type { BlobColumn, StoredColumn } from './stored-columns.ts'

/** What `openImageCache` has found out. */
export interface OpenedCache<S extends Schema> {
  readonly path: string
  readonly length: number
  readonly schema: S
  readonly fingerprint: string
  readonly classes: readonly string[] | undefined
  readonly columns: ReadonlyMap<string, StoredColumn>
  readonly encodings: ReadonlyMap<string, ImageEncoding>
  readonly frequencies: Frequencies
  readonly info: ImageCacheInfo
}

/**
 * An image cache, opened for reading: a dataset whose pictures lie in mapped files. Tables of offsets and numbers are
 * in memory, the pictures are not. Do not change or truncate the files while it is open.
 */
export class ImageCache<S extends Schema = ImageFolderSchema> implements Dataset<S> {
  readonly path: string
  readonly length: number
  readonly schema: S
  /** Of the samples: a cache with the same content elsewhere has the same. */
  readonly fingerprint: string
  /** Class names by label, where the cache knows them. */
  readonly classes: readonly string[] | undefined
  readonly info: ImageCacheInfo
  readonly #columns: ReadonlyMap<string, StoredColumn>
  readonly #encodings: ReadonlyMap<string, ImageEncoding>
  readonly #frequencies: Frequencies
  #closed = false

  /** @internal Use openImageCache. */
  constructor(opened: OpenedCache<S>) {
    this.path = opened.path
    this.length = opened.length
    this.schema = opened.schema
    this.fingerprint = opened.fingerprint
    this.classes = opened.classes
    this.info = opened.info
    this.#columns = opened.columns
    this.#encodings = opened.encodings
    this.#frequencies = opened.frequencies
  }

  /** The encoding of an image field; undefined for other fields. */
  encodingOf(field: string): ImageEncoding | undefined {
    return this.#encodings.get(field)
  }

  /** @internal Frequencies of a field of compact packed pictures; undefined for other fields. */
  frequenciesOf(field: string): Uint16Array | undefined {
    return this.#frequencies.get(field)
  }

  /** The sample's path where the cache has a string field of that name that can be read, else 'sample 17'. */
  describe(id: number): string {
    const path = this.#columns.get('path')
    if (path?.storage !== 'text' || this.#closed || !this.#has(id)) return `sample ${id}`
    return path.nameOf(id) ?? `sample ${id}`
  }

  async read(id: number, options: ReadOptions = {}): Promise<Sample> {
    this.#checkOpen()
    this.#checkId(id)
    const names = options.fields ?? Object.keys(this.schema)
    return Object.fromEntries(names.map((name): [string, Value] => [name, this.#column(name).read(id)]))
  }

  gather(ids: Float64Array, field: string, out: TypedArray): void {
    const column = this.#column(field)
    if (column.storage !== 'number')
      throw new HeadraceError('E_USAGE', `field ${field} does not hold numbers`, { field })
    if (out.constructor !== column.values.constructor || out.length < ids.length)
      throw new HeadraceError(
        'E_USAGE',
        `field ${field} is ${column.dtype}: ${ids.length} of them do not go into a ${out.constructor.name} of ${out.length}`,
      )
    for (const id of ids) this.#checkId(id)
    column.gather(ids, out)
  }

  /** Where the samples' bytes lie in the mapped file that is returned; heights and widths are 0 for a bytes field. */
  locate(ids: Float64Array, field: string, out: Locations): MappedBytes {
    this.#checkOpen()
    const column = this.#blobs(field)
    for (const id of ids) this.#checkId(id)
    column.locate(ids, out)
    return column.map
  }

  maxSize(field: string): number {
    return this.#blobs(field).largest
  }

  /** The share of the mapped files that is in memory, 0..1. */
  residentShare(): number {
    this.#checkOpen()
    let resident = 0
    let total = 0
    for (const { bytes, share } of this.#maps().map((map) => ({
      bytes: map.bytes,
      share: native.residentShare(map),
    }))) {
      resident += bytes * share
      total += bytes
    }
    return total === 0 ? 0 : resident / total
  }

  /** Drops the mapped files from the page cache, as far as the system does. */
  dropPages(): void {
    this.#checkOpen()
    for (const map of this.#maps()) native.dropPages(map)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const map of this.#maps()) native.unmapFile(map)
  }

  #maps(): MappedBytes[] {
    return [...this.#columns.values()].flatMap((column) => (column.storage === 'number' ? [] : [column.map]))
  }

  #checkOpen(): void {
    if (this.#closed) throw new HeadraceError('E_STATE', `the cache ${this.path} is closed`, { path: this.path })
  }

  #has(id: number): boolean {
    return Number.isInteger(id) && id >= 0 && id < this.length
  }

  #checkId(id: number): void {
    if (!this.#has(id))
      throw new HeadraceError('E_USAGE', `sample id must be an integer from 0 to ${this.length - 1}, but got ${id}`)
  }

  #column(field: string): StoredColumn {
    const column = this.#columns.get(field)
    if (column) return column
    throw new HeadraceError(
      'E_USAGE',
      `the cache has no field ${JSON.stringify(field)}; it has ${Object.keys(this.schema).join(', ')}`,
      { field },
    )
  }

  #blobs(field: string): BlobColumn {
    const column = this.#column(field)
    if (column.storage === 'blob') return column
    throw new HeadraceError('E_USAGE', `field ${field} holds neither images nor bytes`, { field })
  }
}
