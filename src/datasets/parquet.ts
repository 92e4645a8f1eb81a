import { createHash } from 'node:crypto'
import { knownOptions, oneOf, positiveInteger, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { SOURCE_OPTIONS, type SourceOptions } from './listing.ts'
import { type ColumnField, columnFields } from './parquet/fields.ts'
import { GroupColumns, type GroupPlace } from './parquet/group-columns.ts'
import { buildParquetIndex, type ParquetFacts } from './parquet/index-build.ts'
import { type Nulls, valueAt } from './parquet/values.ts'
import { checkId, forSample } from './shards/sample-errors.ts'
import { shardIndex } from './shards/shard-index.ts'
import { openShards, type Shards } from './shards/shards.ts'
import { sourceOptions } from './shards/source-options.ts'
import { Starts } from './shards/starts.ts'
import type { DatasetSpec } from './spec.ts'
import type { Dataset, FieldKind, ReadOptions, Sample, Schema, Value } from './types.ts'

export interface ParquetOptions extends SourceOptions {
  /** Columns that are fields; of a struct its name takes all within. All where absent, but for lists of texts or of lists. */
  readonly columns?: readonly string[]
  /** What a column's bytes are: `{ 'image.bytes': 'image' }`. */
  readonly types?: Readonly<Record<string, FieldKind>>
  /**
   * What becomes of null: `refuse` (the default) makes its sample an error, `fill` makes 0, NaN, '' or no bytes of it; in
   * a list 0.
   */
  readonly nulls?: Nulls
  /** Bytes of decoded columns of row groups that are kept. 256 MiB. */
  readonly cacheBytes?: number
  /** URL or path of a file that keeps the index, in place of one in the cache folder. */
  readonly index?: string
}

const OPTIONS = [...SOURCE_OPTIONS, 'columns', 'types', 'nulls', 'cacheBytes', 'index'] as const
const CACHE_BYTES = 256 * 2 ** 20

/** Rows of Parquet files: see `parquet`. */
export class ParquetRows implements Dataset {
  readonly length: number
  readonly schema: Schema
  readonly url: string
  /** sha256 over the files' keys, sizes and etags and over the fields. */
  readonly fingerprint: string
  readonly spec: DatasetSpec
  /** A row group each. */
  readonly chunks: Starts
  readonly #shards: Shards
  readonly #fields: readonly ColumnField[]
  readonly #groups: GroupColumns
  /** Row groups of each file. */
  readonly #files: Starts
  readonly #nulls: Nulls
  readonly #all: readonly number[]

  constructor(
    shards: Shards,
    index: { readonly starts: Float64Array; readonly fileGroups: Float64Array },
    fields: readonly ColumnField[],
    options: ParquetOptions,
  ) {
    const { columns, types, nulls = 'refuse', cacheBytes = CACHE_BYTES, index: at } = options
    this.#shards = shards
    this.#fields = fields
    this.#all = [...fields.keys()]
    this.#nulls = nulls
    this.#groups = new GroupColumns(shards, fields, cacheBytes)
    this.#files = new Starts(index.fileGroups)
    this.chunks = new Starts(index.starts)
    this.length = this.chunks.length
    this.schema = Object.fromEntries(fields.map(({ name, field }) => [name, field]))
    this.url = shards.url
    const made = JSON.stringify([Object.entries(this.schema), nulls])
    this.fingerprint = createHash('sha256').update(`${shards.fingerprint}${made}`).digest('hex')
    this.spec = {
      kind: 'parquet',
      ...shards.spec,
      ...(columns && { columns }),
      ...(types && { types }),
      ...(options.nulls && { nulls }),
      ...(options.cacheBytes !== undefined && { cacheBytes }),
      ...(at !== undefined && { index: at }),
    }
  }

  /** Bytes of decoded columns that are held now. */
  get cachedBytes(): number {
    return this.#groups.bytes
  }

  /** The file of a row, and its number in its row group. */
  describe(id: number): string {
    if (!Number.isSafeInteger(id) || id < 0 || id >= this.length) return `sample ${id}`
    const { group, file, within } = this.#place(id)
    return `${this.#shards.key(file)}: row ${id - this.chunks.start(group)} of row group ${within}`
  }

  /**
   * Fetches the ranges of the columns that are asked for, of the row's whole row group. E_NOT_FOUND where the file has
   * gone and E_STATE where it has changed since it was listed; E_CORRUPT for what is damaged, E_UNSUPPORTED for null.
   */
  async read(id: number, { fields, signal }: ReadOptions = {}): Promise<Sample> {
    checkId(id, this.length)
    return forSample(id, async () => {
      const wanted = this.#wanted(fields)
      const place = this.#place(id)
      const found = this.#groups.read(place, wanted, signal)
      const columns = found instanceof Promise ? await found : found
      const row = id - this.chunks.start(place.group)
      const sample: Record<string, Value> = {}
      for (const [at, column] of columns.entries()) {
        const field = this.#fields[wanted[at] as number] as ColumnField
        sample[field.name] = this.#valueOf(field, column, row, place.file)
      }
      return sample
    })
  }

  async close(): Promise<void> {
    this.#groups.close()
    await this.#shards.close()
  }

  /** Places of fields. */
  #wanted(fields: readonly string[] | undefined): readonly number[] {
    return fields === undefined ? this.#all : this.#all.filter((i) => fields.includes(this.#fields[i]?.name ?? ''))
  }

  #valueOf(field: ColumnField, column: Parameters<typeof valueAt>[1], row: number, file: number): Value {
    try {
      return valueAt(field, column, row, this.#nulls)
    } catch (error) {
      if (!(error instanceof HeadraceError)) throw error
      const key = this.#shards.key(file)
      throw new HeadraceError(error.code, `${key}: ${error.message}`, { ...error.details, url: this.url, key })
    }
  }

  #place(id: number): GroupPlace {
    const group = this.chunks.of(id)
    const file = this.#files.of(group)
    return { group, file, within: group - this.#files.start(file) }
  }
}

/**
 * Parquet files: a row is a sample, a column a field. Numbers are numbers of their type; lists with as many numbers in
 * every row are tensors, other lists of numbers are bytes; texts are strings. Only the ranges of the columns that are read
 * are fetched, for a whole row group, which is decoded once and kept as far as `cacheBytes` reach: an order that stays
 * within row groups for a while (`locality: 'chunks'`) reads each once. `url`: a folder, a file, or files by braces.
 * Footers are read once; what they say is kept in the cache folder, or in the file `index`. E_NOT_FOUND where there are no
 * files, E_CORRUPT where their columns differ.
 */
export async function parquet(url: string, options: ParquetOptions = {}): Promise<ParquetRows> {
  knownOptions('parquet', options, OPTIONS)
  const { columns, types = {}, index, signal } = options
  if (columns !== undefined && !(Array.isArray(columns) && columns.length > 0))
    throw new HeadraceError('E_USAGE', `columns must be names, but got ${show(columns)}`)
  for (const [name, kind] of Object.entries(types))
    oneOf(`types.${name}`, kind, ['image', 'bytes', 'string', 'number', 'tensor'])
  if (options.nulls !== undefined) oneOf('nulls', options.nulls, ['refuse', 'fill'])
  if (options.cacheBytes !== undefined) positiveInteger('cacheBytes', options.cacheBytes)
  const shards = await openShards(url, sourceOptions(options), { include: ['*.parquet', '*.parq', '*.pq'] })
  try {
    const kept = await shardIndex({ kind: 'parquet-1', shards, index, signal }, () => buildParquetIndex(shards, signal))
    try {
      const facts = kept.about as unknown as ParquetFacts
      const places = { starts: kept.all('starts'), fileGroups: kept.all('fileGroups') }
      const rows = new ParquetRows(shards, places, columnFields(facts.columns, columns, types), options)
      if (rows.length === 0)
        throw new HeadraceError('E_USAGE', `there are no rows in ${shards.all.length} files at ${shards.url}`)
      return rows
    } finally {
      kept.close()
    }
  } catch (error) {
    await shards.close()
    throw error
  }
}
