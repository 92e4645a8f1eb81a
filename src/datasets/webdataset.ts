import { createHash } from 'node:crypto'
import { knownOptions, oneOf, positiveInteger } from '../checks.ts'
import { itemSize } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import type { Columns, NumberColumn } from '../formats/columns.ts'
import { SOURCE_OPTIONS, type SourceOptions } from './listing.ts'
import { RangedReads, type ShardReads } from './shards/ranged-reads.ts'
import { checkId, checkInto, forSample, noBytes } from './shards/sample-errors.ts'
import { shardIndex } from './shards/shard-index.ts'
import { openShards, type Shards } from './shards/shards.ts'
import { sourceOptions } from './shards/source-options.ts'
import { Starts } from './shards/starts.ts'
import { UnpackedReads } from './shards/unpacked-reads.ts'
import type { DatasetSpec } from './spec.ts'
import type { Dataset, Field, FieldKind, ReadOptions, Sample, Schema, Value } from './types.ts'
import { type Extensions, fieldOf, type MemberField, memberFields, placeOf } from './webdataset/columns.ts'
import { FIELD_KINDS, readNpy, valueIn } from './webdataset/fields.ts'
import { buildWebDatasetIndex, type WebDatasetFacts } from './webdataset/index-build.ts'

export interface WebDatasetOptions extends SourceOptions {
  /**
   * Which extensions are fields: `['jpg;png', 'cls']`, or with names of fields `{ image: 'jpg;png', label: 'cls' }`. Of
   * alternatives a sample has the first that it has. Otherwise those that every sample has.
   */
  readonly extensions?: Extensions
  /** What a field's bytes are, where its extension does not say it, by the field's name. */
  readonly types?: Readonly<Record<string, FieldKind>>
  /** URL or path of a file that keeps the index, in place of one in the cache folder. */
  readonly index?: string
  /** Bytes of compressed shards that are kept unpacked, for samples that are asked for out of order. 64 MiB. */
  readonly bufferBytes?: number
}

const OPTIONS = [...SOURCE_OPTIONS, 'extensions', 'types', 'index', 'bufferBytes'] as const
const BUFFER_BYTES = 64 * 2 ** 20

/** The field that tells a sample's name. */
const KEY = 'key'

const USUAL = ['*.tar', '*.tar.gz', '*.tgz', '*.tar.zst', '*.tar.zstd']

/** Tar shards whose members are grouped into samples: see `webdataset`. */
export class WebDataset implements Dataset {
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
  readonly #shards: Shards
  readonly #columns: Columns
  readonly #keyEnds: NumberColumn
  readonly #fields: ReadonlyMap<string, MemberField>
  readonly #reads: ShardReads

  private constructor(
    shards: Shards,
    columns: Columns,
    fields: readonly MemberField[],
    schema: Schema,
    reads: ShardReads,
    { options, chunks, randomAccess }: { options: object; chunks: Starts; randomAccess: boolean },
  ) {
    this.#shards = shards
    this.#columns = columns
    this.#keyEnds = columns.numbers('keyEnds')
    this.#fields = new Map(fields.map((field) => [field.name, field]))
    this.#reads = reads
    this.chunks = chunks
    this.length = chunks.length
    this.schema = schema
    this.url = shards.url
    this.randomAccess = randomAccess
    const made = fields.map(({ name, extensions }) => [name, extensions.map(({ facts }) => facts.name), schema[name]])
    this.fingerprint = createHash('sha256')
      .update(`${shards.fingerprint}${JSON.stringify(made)}`)
      .digest('hex')
    this.spec = { kind: 'webdataset', ...shards.spec, ...options }
  }

  static async open(shards: Shards, options: WebDatasetOptions): Promise<WebDataset> {
    const { extensions, types = {}, index, bufferBytes = BUFFER_BYTES, signal } = options
    const columns = await shardIndex({ kind: 'webdataset-1', shards, index, signal }, () =>
      buildWebDatasetIndex(shards, signal),
    )
    try {
      const { packings } = columns.about as unknown as WebDatasetFacts
      const chunks = new Starts(columns.all('starts'))
      if (chunks.length === 0)
        throw new HeadraceError('E_USAGE', `there are no samples in ${shards.all.length} shards at ${shards.url}`)
      const randomAccess = packings.every((packing) => packing === 'none')
      const reads = randomAccess
        ? new RangedReads(shards)
        : new UnpackedReads(shards, (shard) => packings[shard] ?? 'none', bufferBytes)
      const fields = memberFields(columns, chunks.length, extensions, types)
      for (const name of Object.keys(types))
        if (!fields.some((field) => field.name === name))
          throw new HeadraceError(
            'E_USAGE',
            `types: there is no field ${name}; there are ${fields.map((f) => f.name).join(', ')}`,
          )
      const schema: Record<string, Field> = {}
      for (const field of fields) {
        if (field.name === KEY)
          throw new HeadraceError('E_USAGE', 'a field cannot be called key, which is the name of a sample', {
            hint: "name it otherwise: extensions: { other: 'key' }",
          })
        schema[field.name] =
          field.kind === 'tensor' ? await tensorField(field, shards, chunks, reads) : fieldOf(field.kind)
      }
      schema[KEY] = { kind: 'string' }
      const said = { extensions, types: options.types, index, bufferBytes: options.bufferBytes }
      const kept = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
      return new WebDataset(shards, columns, fields, schema, reads, { options: kept, chunks, randomAccess })
    } catch (error) {
      columns.close()
      throw error
    }
  }

  /** The shard and the key of a sample. */
  describe(id: number): string {
    try {
      checkId(id, this.length)
      return `${this.#shards.key(this.chunks.of(id))}: ${this.#key(id)}`
    } catch {
      return `sample ${id}`
    }
  }

  sizes(ids: Float64Array, field: string, out: Float64Array): void {
    const member = this.#bytesField(field)
    const tensor = tensorBytes(this.schema[field])
    for (let i = 0; i < ids.length; i++) out[i] = tensor ?? placeOf(member, ids[i] as number).size
  }

  /**
   * Fetches the fields that are asked for and nothing else. E_NOT_FOUND where the shard has gone and E_STATE where it has
   * changed since it was listed; E_CORRUPT for bytes that are none of the field's kind.
   */
  async read(id: number, { fields, signal }: ReadOptions = {}): Promise<Sample> {
    checkId(id, this.length)
    return forSample(id, async () => {
      const shard = this.chunks.of(id)
      const names = Object.keys(this.schema).filter((name) => fields === undefined || fields.includes(name))
      const values = names.map((name) => {
        const member = this.#fields.get(name)
        return member === undefined ? this.#key(id) : this.#value(id, shard, member, signal)
      })
      const all = await Promise.all(values)
      return Object.fromEntries(names.map((name, i) => [name, all[i] as Value]))
    })
  }

  /** The errors of `read`. */
  async readInto(id: number, field: string, into: Uint8Array, { signal }: ReadOptions = {}): Promise<void> {
    checkId(id, this.length)
    const member = this.#bytesField(field)
    await forSample(id, async () => {
      const shard = this.chunks.of(id)
      if (member.kind === 'tensor') {
        checkInto(id, field, tensorBytes(this.schema[field]) ?? 0, into)
        into.set((await this.#value(id, shard, member, signal)) as Uint8Array)
        return
      }
      const { offset, size } = placeOf(member, id)
      checkInto(id, field, size, into)
      await this.#reads.read(shard, offset, into, signal)
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

  #key(id: number): string {
    const from = id === 0 ? 0 : this.#keyEnds.at(id - 1)
    return Buffer.from(this.#columns.bytes('keys', from, this.#keyEnds.at(id))).toString('utf8')
  }

  async #value(id: number, shard: number, member: MemberField, signal: AbortSignal | undefined): Promise<Value> {
    const { offset, size, extension } = placeOf(member, id)
    const bytes = new Uint8Array(size)
    await this.#reads.read(shard, offset, bytes, signal)
    const field = this.schema[member.name] as Field
    if (field.kind === 'bytes' || field.kind === 'image') return bytes
    return valueIn(field, bytes, `${this.#shards.key(shard)}: ${this.#key(id)}.${extension}`)
  }

  #bytesField(field: string): MemberField {
    const member = this.#fields.get(field)
    if (member !== undefined && hasBytes(member.kind)) return member
    throw noBytes(
      field,
      [...this.#fields.values()].filter(({ kind }) => hasBytes(kind)).map(({ name }) => name),
    )
  }
}

function hasBytes(kind: FieldKind): boolean {
  return kind === 'image' || kind === 'bytes' || kind === 'tensor'
}

function tensorBytes(field: Field | undefined): number | undefined {
  if (field?.kind !== 'tensor') return undefined
  return (field.shape ?? []).reduce((product, axis) => product * axis, itemSize(field.dtype ?? 'uint8'))
}

/** Shape and type of a tensor field: those of the first sample's array. */
async function tensorField(member: MemberField, shards: Shards, chunks: Starts, reads: ShardReads): Promise<Field> {
  const { offset, size } = placeOf(member, 0)
  const bytes = new Uint8Array(size)
  await reads.read(chunks.of(0), offset, bytes)
  const { dtype, shape } = readNpy(bytes, `${shards.key(chunks.of(0))}: .${member.name}`)
  return { kind: 'tensor', dtype, shape }
}

/**
 * Tar files as datasets for training are packed in: members that follow each other with one name up to the first dot are
 * a sample, each extension a field, the name is `key`. Pictures are image fields, `cls`, `index` and `id` int64 numbers,
 * `txt` and `json` strings, `npy` tensors where all have one size; everything else is bytes. `url`: a folder, a shard, or
 * shards by braces (`s3://b/train-{0000..0146}.tar`). All shards are looked through once; where their samples lie is kept
 * in the cache folder, or in the file `index`. Compressed shards (gzip, zstd) are read from front to back. E_NOT_FOUND
 * where there are none, E_CORRUPT for what is no tar archive.
 */
export async function webdataset(url: string, options: WebDatasetOptions = {}): Promise<WebDataset> {
  knownOptions('webdataset', options, OPTIONS)
  if (options.bufferBytes !== undefined) positiveInteger('bufferBytes', options.bufferBytes)
  for (const [name, kind] of Object.entries(options.types ?? {})) oneOf(`types.${name}`, kind, FIELD_KINDS)
  const shards = await openShards(url, sourceOptions(options), { include: USUAL })
  try {
    return await WebDataset.open(shards, options)
  } catch (error) {
    await shards.close()
    throw error
  }
}
