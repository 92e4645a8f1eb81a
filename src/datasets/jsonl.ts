import { createHash } from 'node:crypto'
import { knownOptions, positiveInteger } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { Columns, NumberColumn } from '../formats/columns.ts'
import { checkJsonFields, detectJsonFields, type JsonFields, parseLine, readJsonFields } from './jsonl/fields.ts'
import { buildJsonlIndex, type JsonlFacts } from './jsonl/index-build.ts'
import { SOURCE_OPTIONS, type SourceOptions } from './listing.ts'
import { RangedReads, type ShardReads } from './shards/ranged-reads.ts'
import { checkId, forSample } from './shards/sample-errors.ts'
import { shardIndex } from './shards/shard-index.ts'
import { openShards, type Shards } from './shards/shards.ts'
import { sourceOptions } from './shards/source-options.ts'
import { Starts } from './shards/starts.ts'
import { UnpackedReads } from './shards/unpacked-reads.ts'
import type { DatasetSpec } from './spec.ts'
import type { Dataset, ReadOptions, Sample, Schema } from './types.ts'

export interface JsonlOptions extends SourceOptions {
  /**
   * Keys of the lines' objects as fields, in place of `line`: names, whose types the first lines tell (`['text', 'label']`),
   * or fields (`{ label: { kind: 'number', dtype: 'int32' }, box: { kind: 'tensor', dtype: 'float32', shape: [4] } }`).
   * Lists and objects of a string field are their JSON text.
   */
  readonly fields?: JsonFields
  /** URL or path of a file that keeps the index, in place of one in the cache folder. */
  readonly index?: string
  /** Bytes of compressed files that are kept unpacked, for samples that are asked for out of order. 64 MiB. */
  readonly bufferBytes?: number
}

const OPTIONS = [...SOURCE_OPTIONS, 'fields', 'index', 'bufferBytes'] as const
const BUFFER_BYTES = 64 * 2 ** 20
/** Lines that types are told by. */
const DETECTION_LINES = 100

/** The field of a whole line. */
const LINE = 'line'
const USUAL = { include: ['*.{jsonl,ndjson}', '*.{jsonl,ndjson,json}.{gz,zst}'] }

/** Lines of text files: see `jsonl`. */
export class JsonLines implements Dataset {
  readonly length: number
  readonly schema: Schema
  readonly url: string
  /** sha256 over the files' keys, sizes and etags and over the fields. */
  readonly fingerprint: string
  readonly spec: DatasetSpec
  /** Some MiB of lines each; of a compressed file all. */
  readonly chunks: Starts
  /** False where a file is compressed. */
  readonly randomAccess: boolean
  readonly #shards: Shards
  readonly #columns: Columns
  readonly #files: Starts
  readonly #offsets: NumberColumn
  readonly #sizes: NumberColumn
  readonly #reads: ShardReads
  readonly #whole: boolean
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  private constructor(
    shards: Shards,
    columns: Columns,
    options: JsonlOptions,
    read: { readonly reads: ShardReads; readonly randomAccess: boolean; readonly schema: Schema },
  ) {
    const { fields, index, bufferBytes } = options
    this.#shards = shards
    this.#columns = columns
    this.#files = new Starts(columns.all('starts'))
    this.#offsets = columns.numbers('offsets')
    this.#sizes = columns.numbers('sizes')
    this.#reads = read.reads
    this.#whole = fields === undefined
    this.chunks = new Starts(columns.all('runs'))
    this.length = this.#files.length
    this.schema = read.schema
    this.url = shards.url
    this.randomAccess = read.randomAccess
    const types = JSON.stringify(Object.entries(read.schema))
    this.fingerprint = createHash('sha256').update(`jsonl\0${shards.fingerprint}${types}`).digest('hex')
    this.spec = {
      kind: 'jsonl',
      ...shards.spec,
      // What was detected is said, so that nobody has to look again.
      ...(fields && { fields: read.schema }),
      ...(index !== undefined && { index }),
      ...(bufferBytes !== undefined && { bufferBytes }),
    }
  }

  static async open(shards: Shards, options: JsonlOptions): Promise<JsonLines> {
    const { fields, index, bufferBytes = BUFFER_BYTES, signal } = options
    const columns = await shardIndex({ kind: 'jsonl-1', shards, index, signal }, () => buildJsonlIndex(shards, signal))
    try {
      const { packings } = columns.about as unknown as JsonlFacts
      const randomAccess = packings.every((packing) => packing === 'none')
      const reads = randomAccess
        ? new RangedReads(shards)
        : new UnpackedReads(shards, (shard) => packings[shard] ?? 'none', bufferBytes)
      const made = (schema: Schema) => new JsonLines(shards, columns, options, { reads, randomAccess, schema })
      const whole = made({ [LINE]: { kind: 'string' } })
      if (whole.length === 0)
        throw new HeadraceError('E_USAGE', `there are no lines in ${shards.all.length} files at ${shards.url}`)
      if (fields === undefined) return whole
      if (!Array.isArray(fields)) return made(fields as Schema)
      return made(await whole.#detect(fields as readonly string[], signal))
    } catch (error) {
      columns.close()
      throw error
    }
  }

  /** The file of a line, and its number among those that are not blank. */
  describe(id: number): string {
    if (!Number.isSafeInteger(id) || id < 0 || id >= this.length) return `sample ${id}`
    const file = this.#files.of(id)
    return `${this.#shards.key(file)}: line ${id - this.#files.start(file)}`
  }

  /**
   * E_NOT_FOUND where the file has gone and E_STATE where it has changed since it was listed; E_CORRUPT where the line is
   * not UTF-8, no JSON or not as the fields say.
   */
  async read(id: number, { fields, signal }: ReadOptions = {}): Promise<Sample> {
    checkId(id, this.length)
    return forSample(id, async () => {
      const names = Object.keys(this.schema).filter((name) => fields === undefined || fields.includes(name))
      if (names.length === 0) return {}
      const text = await this.#text(id, signal)
      return this.#whole ? { [LINE]: text } : readJsonFields(this.schema, names, text, this.describe(id))
    })
  }

  async close(): Promise<void> {
    this.#reads.close()
    this.#columns.close()
    await this.#shards.close()
  }

  async #text(id: number, signal: AbortSignal | undefined): Promise<string> {
    const bytes = new Uint8Array(this.#sizes.at(id))
    await this.#reads.read(this.#files.of(id), this.#offsets.at(id), bytes, signal)
    try {
      return this.#decoder.decode(bytes)
    } catch (error) {
      const path = this.describe(id)
      throw new HeadraceError('E_CORRUPT', `${path} is not UTF-8`, { path, cause: error })
    }
  }

  async #detect(names: readonly string[], signal: AbortSignal | undefined): Promise<Schema> {
    const ids = Array.from({ length: Math.min(this.length, DETECTION_LINES) }, (_, id) => id)
    const texts = await Promise.all(ids.map((id) => this.#text(id, signal)))
    const objects = texts.map((text, id) => parseLine(text, this.describe(id)))
    return detectJsonFields(names, objects, this.#shards.key(0))
  }
}

/**
 * Files with a JSON document a line: a line is a sample, `line` its text, or with `fields` the values of its keys. Blank
 * lines are none. `url`: a folder, a file, or files by braces. All files are read once; where their lines lie is kept in
 * the cache folder, or in the file `index`. Of a folder the files named `*.jsonl`, `*.ndjson` and, compressed, also
 * `*.json.gz` and `*.json.zst` are taken, unless `include` says otherwise. Compressed files (gzip, zstd) are read from
 * front to back. E_NOT_FOUND where there are none, E_LIMIT for a line of more than 64 MiB.
 */
export async function jsonl(url: string, options: JsonlOptions = {}): Promise<JsonLines> {
  knownOptions('jsonl', options, OPTIONS)
  if (options.bufferBytes !== undefined) positiveInteger('bufferBytes', options.bufferBytes)
  if (options.fields !== undefined) checkJsonFields(options.fields)
  const shards = await openShards(url, sourceOptions(options), USUAL)
  try {
    return await JsonLines.open(shards, options)
  } catch (error) {
    await shards.close()
    throw error
  }
}
