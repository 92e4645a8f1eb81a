import { createHash } from 'node:crypto'
import { knownOptions, oneOf, positiveInteger, show } from '../checks.ts'
import { type DType, itemSize } from '../dtype.ts'
import { HeadraceError, throwIfAborted } from '../errors.ts'
import type { FormatName, RecordFormat } from '../formats/types.ts'
import { SOURCE_OPTIONS, type SourceOptions } from './listing.ts'
import { buildRecordsIndex, type RecordsFacts } from './records/index-build.ts'
import { formatOf, openRecordFile } from './records/open-file.ts'
import { OpenReaders } from './records/readers.ts'
import { checkId, checkInto, forSample, noBytes } from './shards/sample-errors.ts'
import { shardIndex } from './shards/shard-index.ts'
import { openShards, type Shards } from './shards/shards.ts'
import { sourceOptions } from './shards/source-options.ts'
import { Starts } from './shards/starts.ts'
import type { DatasetSpec } from './spec.ts'
import type { Dataset, Field, ReadOptions, Sample, Schema, Value } from './types.ts'

export interface RecordsOptions extends SourceOptions {
  /** How the files are laid out; otherwise as the first one's name or bytes say. */
  readonly format?: FormatName
  /** Of a record, where the files do not say it (csv, indexed_binary, tfrecord, parquet). Comes with `dtype`. */
  readonly shape?: readonly number[]
  readonly dtype?: DType
  /** With `shape` and `dtype`: only the first file is opened to find out what is there. */
  readonly samplesPerFile?: number
  /** Files that stay open; each may keep 32 MiB of its records. 8. */
  readonly openFiles?: number
  /** URL or path of a file that keeps the index, in place of one in the cache folder. */
  readonly index?: string
}

const OPTIONS = [...SOURCE_OPTIONS, 'format', 'shape', 'dtype', 'samplesPerFile', 'openFiles', 'index'] as const
const FORMATS: readonly FormatName[] = [
  ...(['npz', 'npy', 'hdf5', 'csv', 'jpeg', 'png', 'tfrecord', 'indexed_binary'] as const),
  ...(['mmap_indexed_binary', 'parquet', 'synthetic'] as const),
]
const DTYPES: readonly DType[] = [
  ...(['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'int64', 'uint64'] as const),
  ...(['float16', 'bfloat16', 'float32', 'float64', 'bool'] as const),
]
const OPEN_FILES = 8
const MAX_OPEN_FILES = 1024

const DATA = 'data'
const LABEL = 'label'
const SHAPE = 'shape'

/** Records of files: see `records`. */
export class Records implements Dataset {
  readonly length: number
  readonly schema: Schema
  readonly url: string
  /** sha256 over the files' keys, sizes and etags and over the fields. */
  readonly fingerprint: string
  readonly spec: DatasetSpec
  /** A file each. */
  readonly chunks: Starts
  readonly format: FormatName
  readonly #shards: Shards
  readonly #readers: OpenReaders
  readonly #facts: RecordsFacts
  /** Of each file, its place among the shapes. */
  readonly #shapes: Float64Array

  constructor(
    shards: Shards,
    format: RecordFormat,
    found: { readonly facts: RecordsFacts; readonly starts: Float64Array; readonly shapes: Float64Array },
    options: RecordsOptions,
  ) {
    const { shape, dtype, samplesPerFile, openFiles = OPEN_FILES, index } = options
    this.#shards = shards
    this.#facts = found.facts
    this.#shapes = found.shapes
    this.#readers = new OpenReaders(openFiles, (file) => openRecordFile(shards, file, format, options))
    this.format = format.name
    this.chunks = new Starts(found.starts)
    this.length = this.chunks.length
    this.schema = schemaOf(found.facts)
    this.url = shards.url
    const made = JSON.stringify([format.name, Object.entries(this.schema)])
    this.fingerprint = createHash('sha256').update(`${shards.fingerprint}${made}`).digest('hex')
    this.spec = {
      kind: 'records',
      ...shards.spec,
      format: format.name,
      ...(shape && { shape }),
      ...(dtype && { dtype }),
      ...(samplesPerFile !== undefined && { samplesPerFile }),
      ...(options.openFiles !== undefined && { openFiles }),
      ...(index !== undefined && { index }),
    }
  }

  /** The file of a record, and its number there. */
  describe(id: number): string {
    if (!Number.isSafeInteger(id) || id < 0 || id >= this.length) return `sample ${id}`
    const file = this.chunks.of(id)
    return `${this.#shards.key(file)}: record ${id - this.chunks.start(file)}`
  }

  sizes(ids: Float64Array, field: string, out: Float64Array): void {
    for (let i = 0; i < ids.length; i++) out[i] = this.#bytesOf(this.chunks.of(ids[i] as number), field)
  }

  /**
   * E_NOT_FOUND where the file has gone and E_STATE where it has changed since it was listed; E_CORRUPT where it is
   * damaged.
   */
  async read(id: number, { fields, signal }: ReadOptions = {}): Promise<Sample> {
    checkId(id, this.length)
    throwIfAborted(signal, 'reading')
    const sample: Record<string, Value> = {}
    for (const name of Object.keys(this.schema)) {
      if (fields !== undefined && !fields.includes(name)) continue
      if (name === DATA) {
        const data = new Uint8Array(this.#bytesOf(this.chunks.of(id), DATA))
        await this.#read(id, data)
        sample[name] = data
      } else if (name === LABEL) sample[name] = await this.#label(id)
      else sample[name] = this.#shapeOf(this.chunks.of(id))
    }
    return sample
  }

  /** The errors of `read`. */
  async readInto(id: number, field: string, into: Uint8Array, { signal }: ReadOptions = {}): Promise<void> {
    checkId(id, this.length)
    throwIfAborted(signal, 'reading')
    checkInto(id, field, this.#bytesOf(this.chunks.of(id), field), into)
    if (field === DATA) await this.#read(id, into)
    else into.set(this.#shapeOf(this.chunks.of(id)))
  }

  async close(): Promise<void> {
    await this.#readers.close()
    await this.#shards.close()
  }

  #read(id: number, into: Uint8Array): Promise<void> {
    const file = this.chunks.of(id)
    return forSample(id, () =>
      this.#readers.with(file, async (reader) => {
        const count = await reader.read(id - this.chunks.start(file), into)
        if (count !== into.length || reader.dtype !== this.#facts.dtype)
          throw new HeadraceError(
            'E_CORRUPT',
            `${this.describe(id)} has ${count} bytes of ${reader.dtype}, not ${into.length} of ${this.#facts.dtype}`,
            {
              key: this.#shards.key(file),
            },
          )
      }),
    )
  }

  async #label(id: number): Promise<bigint> {
    const file = this.chunks.of(id)
    const labels = await forSample(id, () => this.#readers.labels(file))
    const label = labels?.[id - this.chunks.start(file)]
    if (label !== undefined) return label
    throw new HeadraceError('E_CORRUPT', `${this.describe(id)} has no label`, { sample: id, field: LABEL })
  }

  #shapeAt(file: number): readonly number[] {
    return this.#facts.shapes[this.#shapes[file] as number] ?? []
  }

  /** Of a file's records, as int64. */
  #shapeOf(file: number): Uint8Array {
    return new Uint8Array(BigInt64Array.from(this.#shapeAt(file), BigInt).buffer)
  }

  #bytesOf(file: number, field: string): number {
    if (field === SHAPE && this.schema[SHAPE]) return this.#shapeAt(file).length * itemSize('int64')
    if (field !== DATA) throw noBytes(field, [DATA])
    return this.#shapeAt(file).reduce((product, axis) => product * axis, itemSize(this.#facts.dtype))
  }
}

/** Records of one shape are a tensor; of several, bytes and their shape. */
function schemaOf({ dtype, shapes, labelled }: RecordsFacts): Schema {
  const [shape = [], ...others] = shapes
  const label: Schema = labelled ? { [LABEL]: { kind: 'number', dtype: 'int64' } } : {}
  if (others.length === 0) return { [DATA]: { kind: 'tensor', dtype, shape }, ...label }
  const sameAxes = others.every(({ length }) => length === shape.length)
  const axes: Field = { kind: 'tensor', dtype: 'int64', shape: [shape.length] }
  return { [DATA]: { kind: 'bytes' }, ...(sameAxes && { [SHAPE]: axes }), ...label }
}

function checkExpectation({ shape, dtype, samplesPerFile }: RecordsOptions): void {
  if ((shape === undefined) !== (dtype === undefined))
    throw new HeadraceError('E_USAGE', `shape and dtype come together, but got ${show(shape)} and ${show(dtype)}`)
  if (shape !== undefined && !(Array.isArray(shape) && shape.every((axis) => Number.isSafeInteger(axis) && axis >= 1)))
    throw new HeadraceError('E_USAGE', `shape must be axes of 1 or more, but got ${show(shape)}`)
  if (dtype !== undefined) oneOf('dtype', dtype, DTYPES)
  if (samplesPerFile === undefined) return
  positiveInteger('samplesPerFile', samplesPerFile)
  if (shape === undefined) throw new HeadraceError('E_USAGE', 'samplesPerFile comes with shape and dtype')
}

/**
 * Files of records as DLIO's generator and `headrace generate` write them: npz, npy, hdf5, csv, jpeg, png, tfrecord,
 * indexed_binary, mmap_indexed_binary, parquet, synthetic. A record is a sample: `data`, a tensor where all files have
 * records of one shape, otherwise bytes with their `shape`; `label` where the files have labels (npz, hdf5). Every file is
 * opened once to see what it holds, which is kept in the cache folder, or in the file `index`. E_NOT_FOUND where there are
 * none, E_CORRUPT where their types differ.
 */
export async function records(url: string, options: RecordsOptions = {}): Promise<Records> {
  knownOptions('records', options, OPTIONS)
  checkExpectation(options)
  if (options.format !== undefined) oneOf('format', options.format, FORMATS)
  if (options.openFiles !== undefined) positiveInteger('openFiles', options.openFiles, MAX_OPEN_FILES)
  const { shape, dtype, samplesPerFile, index, signal } = options
  const shards = await openShards(url, sourceOptions(options), { exclude: ['*.idx'] })
  try {
    const format = await formatOf(shards, options.format)
    const also = JSON.stringify([format.name, shape, dtype, samplesPerFile])
    const kept = await shardIndex({ kind: 'records-1', shards, also, index, signal }, () =>
      buildRecordsIndex(shards, format, options, signal),
    )
    try {
      const facts = kept.about as unknown as RecordsFacts
      const found = { facts, starts: kept.all('starts'), shapes: kept.all('shape') }
      const made = new Records(shards, format, found, options)
      if (made.length === 0)
        throw new HeadraceError('E_USAGE', `there are no records in ${shards.all.length} files at ${shards.url}`)
      return made
    } finally {
      kept.close()
    }
  } catch (error) {
    await shards.close()
    throw error
  }
}
