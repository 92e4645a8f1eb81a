import { createHash } from 'node:crypto'
import { knownOptions, positiveInteger } from '../checks.ts'
import { maskedCrc32c } from '../crc32c.ts'
import { HeadraceError } from '../errors.ts'
import type { Columns, NumberColumn } from '../formats/columns.ts'
import { corrupt } from '../formats/layout.ts'
import { crc32c } from '../storage/crc.ts'
import { SOURCE_OPTIONS, type SourceOptions } from './listing.ts'
import { RangedReads, type ShardReads } from './shards/ranged-reads.ts'
import { checkId, checkInto, forSample, noBytes } from './shards/sample-errors.ts'
import { shardIndex } from './shards/shard-index.ts'
import { openShards, type Shards } from './shards/shards.ts'
import { sourceOptions } from './shards/source-options.ts'
import { Starts } from './shards/starts.ts'
import { UnpackedReads } from './shards/unpacked-reads.ts'
import type { DatasetSpec } from './spec.ts'
import { checkFeatures, detectFeatures, type Features, readFeatures } from './tfrecord/features.ts'
import { buildTfrecordIndex, type TfrecordFacts } from './tfrecord/index-build.ts'
import type { Dataset, ReadOptions, Sample, Schema } from './types.ts'

export interface TfrecordOptions extends SourceOptions {
  /**
   * Features of tf.train.Example messages as fields, in place of `record`: names, whose types the first record tells
   * (`['image/encoded', 'label']`), or fields (`{ label: { kind: 'number', dtype: 'int32' } }`). A field of bytes takes a
   * list of numbers too, of any length, as its float32 or int64 values.
   */
  readonly features?: Features
  /** URL or path of a file that keeps the index, in place of one in the cache folder. */
  readonly index?: string
  /** Bytes of compressed shards that are kept unpacked, for samples that are asked for out of order. 64 MiB. */
  readonly bufferBytes?: number
}

const OPTIONS = [...SOURCE_OPTIONS, 'features', 'index', 'bufferBytes'] as const
const BUFFER_BYTES = 64 * 2 ** 20

/** The field of a whole record. */
const RECORD = 'record'

/** Records of TFRecord files: see `tfrecord`. */
export class Tfrecords implements Dataset {
  readonly length: number
  readonly schema: Schema
  readonly url: string
  /** sha256 over the shards' keys, sizes and etags and over the fields. */
  readonly fingerprint: string
  readonly spec: DatasetSpec
  /** A shard each. */
  readonly chunks: Starts
  /** False where a shard is compressed. */
  readonly randomAccess: boolean
  /** Of whole records; features are found in them. */
  readonly sizes?: (ids: Float64Array, field: string, out: Float64Array) => void
  readonly readInto?: (id: number, field: string, into: Uint8Array, options?: ReadOptions) => Promise<void>
  readonly #shards: Shards
  readonly #columns: Columns
  readonly #offsets: NumberColumn
  readonly #sizes: NumberColumn
  readonly #checksums: NumberColumn
  readonly #reads: ShardReads
  readonly #whole: boolean

  private constructor(
    shards: Shards,
    columns: Columns,
    chunks: Starts,
    options: TfrecordOptions,
    read: { readonly reads: ShardReads; readonly randomAccess: boolean; readonly schema: Schema },
  ) {
    const { features, index, bufferBytes } = options
    this.#shards = shards
    this.#columns = columns
    this.#offsets = columns.numbers('offsets')
    this.#sizes = columns.numbers('sizes')
    this.#checksums = columns.numbers('checksums')
    this.#reads = read.reads
    this.#whole = features === undefined
    this.chunks = chunks
    this.length = chunks.length
    this.schema = read.schema
    this.url = shards.url
    this.randomAccess = read.randomAccess
    const fields = JSON.stringify(Object.entries(read.schema))
    this.fingerprint = createHash('sha256').update(`${shards.fingerprint}${fields}`).digest('hex')
    this.spec = {
      kind: 'tfrecord',
      ...shards.spec,
      // What was detected is said, so that nobody has to look again.
      ...(features && { features: Array.isArray(features) ? read.schema : features }),
      ...(index !== undefined && { index }),
      ...(bufferBytes !== undefined && { bufferBytes }),
    }
    if (!this.#whole) return
    this.sizes = (ids, field, out) => {
      this.#onlyRecord(field)
      for (let i = 0; i < ids.length; i++) out[i] = this.#sizes.at(ids[i] as number)
    }
    this.readInto = async (id, field, into, { signal } = {}) => {
      checkId(id, this.length)
      this.#onlyRecord(field)
      checkInto(id, field, this.#sizes.at(id), into)
      await forSample(id, () => this.#fetch(id, into, signal))
    }
  }

  static async open(shards: Shards, options: TfrecordOptions): Promise<Tfrecords> {
    const { features, index, bufferBytes = BUFFER_BYTES, signal } = options
    const columns = await shardIndex({ kind: 'tfrecord-1', shards, index, signal }, () =>
      buildTfrecordIndex(shards, signal),
    )
    try {
      const { packings } = columns.about as unknown as TfrecordFacts
      const chunks = new Starts(columns.all('starts'))
      if (chunks.length === 0)
        throw new HeadraceError('E_USAGE', `there are no records in ${shards.all.length} files at ${shards.url}`)
      const randomAccess = packings.every((packing) => packing === 'none')
      const reads = randomAccess
        ? new RangedReads(shards)
        : new UnpackedReads(shards, (shard) => packings[shard] ?? 'none', bufferBytes)
      const made = (schema: Schema) => new Tfrecords(shards, columns, chunks, options, { reads, randomAccess, schema })
      const whole = made({ [RECORD]: { kind: 'bytes' } })
      if (features === undefined) return whole
      if (!Array.isArray(features)) return made(features as Schema)
      const { key, message } = await whole.#message(0, signal)
      return made(detectFeatures(features as readonly string[], message, key))
    } catch (error) {
      columns.close()
      throw error
    }
  }

  /** The file of a record, and its number there. */
  describe(id: number): string {
    const shard = this.chunks.of(id)
    return Number.isSafeInteger(id) && id >= 0 && id < this.length
      ? `${this.#shards.key(shard)}: record ${id - this.chunks.start(shard)}`
      : `sample ${id}`
  }

  /**
   * E_NOT_FOUND where the file has gone and E_STATE where it has changed since it was listed; E_CORRUPT where the
   * record's checksum is wrong, or a feature is not as it should be.
   */
  async read(id: number, { fields, signal }: ReadOptions = {}): Promise<Sample> {
    checkId(id, this.length)
    return forSample(id, async () => {
      const names = Object.keys(this.schema).filter((name) => fields === undefined || fields.includes(name))
      if (names.length === 0) return {}
      const { key, message } = await this.#message(id, signal)
      return this.#whole ? { [RECORD]: message } : readFeatures(this.schema, names, message, key)
    })
  }

  /** How often a compressed shard was begun anew because a sample lay further back than `bufferBytes` reach. */
  get restarts(): number {
    return this.#reads.restarts
  }

  async close(): Promise<void> {
    this.#reads.close()
    this.#columns.close()
    await this.#shards.close()
  }

  async #message(id: number, signal: AbortSignal | undefined): Promise<{ key: string; message: Uint8Array }> {
    const message = new Uint8Array(this.#sizes.at(id))
    await this.#fetch(id, message, signal)
    return { key: this.#shards.key(this.chunks.of(id)), message }
  }

  async #fetch(id: number, into: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const shard = this.chunks.of(id)
    const offset = this.#offsets.at(id)
    await this.#reads.read(shard, offset, into, signal)
    if (maskedCrc32c(crc32c(into)) !== this.#checksums.at(id))
      throw corrupt(this.#shards.key(shard), "the checksum of a record's bytes is wrong", { sample: id, offset })
  }

  #onlyRecord(field: string): void {
    if (field !== RECORD) throw noBytes(field, [RECORD])
  }
}

/**
 * TFRecord files: a record is a sample, `record` its bytes, or with `features` the features of its tf.train.Example.
 * `url`: a folder, a file, or files by braces. All files are looked through once; where their records lie is kept in the
 * cache folder, or in the file `index`. Of a folder every file is taken whose name does not begin with `.` or `_` and is
 * no `*.idx` or `*.index`, unless `include` says otherwise. Every record's checksum is checked when it is read.
 * Compressed files (gzip, zlib, zstd) are read from front to back. E_NOT_FOUND where there are none, E_CORRUPT for what
 * is no TFRecord file.
 */
export async function tfrecord(url: string, options: TfrecordOptions = {}): Promise<Tfrecords> {
  knownOptions('tfrecord', options, OPTIONS)
  if (options.bufferBytes !== undefined) positiveInteger('bufferBytes', options.bufferBytes)
  if (options.features !== undefined) checkFeatures(options.features)
  const shards = await openShards(url, sourceOptions(options), { exclude: ['*.idx', '*.index'] })
  try {
    return await Tfrecords.open(shards, options)
  } catch (error) {
    await shards.close()
    throw error
  }
}
