import type { Pieces } from '../pieces.ts'
import type { Spool } from '../spool.ts'
import type { Codec } from './codec.ts'
import { describeColumn } from './column-description.ts'
import type { ColumnPlan } from './columns.ts'
import { BytesDictionary, type Dictionaries, type Dictionary } from './dictionary.ts'
import { type Extremes, extremesOf, wider } from './extremes.ts'
import { dataPage, dictionaryPage, ENCODING, type MadePage } from './page-writer.ts'
import { storedValues } from './plain-values.ts'
import { RunEncoder } from './run-encoder.ts'

/** Values after which it is looked whether a page is full or the dictionary is: Arrow's figures, all of these. */
const BATCH = 1024
const PAGE_BYTES = 1024 * 1024
const DICTIONARY_BYTES = 1024 * 1024
const PAGE_ROWS = 20_000

/** What the file's description says of a column of a row group. */
export interface WrittenColumn {
  readonly description: Uint8Array
  readonly start: number
  readonly plainBytes: number
  readonly storedBytes: number
}

/** What columns are written with, one after the other. */
export interface Tools {
  readonly codec: Codec
  readonly out: Pieces
  readonly dictionaries: Dictionaries
}

/**
 * Writes one column of a row group as Arrow does: values by their number in a dictionary, as long as that is below 1 MiB,
 * else as they are. The dictionary stands before the pages that use it, which wait in a spool.
 */
export class ColumnWriter {
  readonly #column: ColumnPlan
  readonly #codec: Codec
  readonly #out: Pieces
  readonly #spool: Spool
  readonly #dictionary: Dictionary | BytesDictionary | undefined
  #numbers = new Uint32Array(8 * BATCH)
  /** Numbers, or bytes of values, of the page that is being filled. */
  #numberCount = 0
  #plain: Uint8Array[] = []
  #plainBytes = 0
  #plainMode: boolean
  readonly #rows: number
  /** Values until it is looked again. */
  #batchLeft = 0
  #lastRow = false
  #values = 0
  #pageFirst = 0
  #pageExtremes: Extremes | undefined
  #extremes: Extremes | undefined
  #rawBytes = 0
  #waiting = 0
  #dictionaryPages = 0
  #plainPages = 0
  #start = -1
  #firstData = -1
  #total = { plain: 0, stored: 0 }

  constructor(column: ColumnPlan, rows: number, { codec, out, dictionaries }: Tools, spool: Spool) {
    this.#column = column
    this.#rows = rows
    this.#codec = codec
    this.#out = out
    this.#spool = spool
    const { value, valueBytes } = column
    if (value === 'string' || value === 'binary') this.#dictionary = new BytesDictionary()
    else if (value !== 'bool') this.#dictionary = dictionaries.of(value, valueBytes)
    this.#plainMode = this.#dictionary === undefined
    this.#beginBatch()
  }

  /** Adds `count` values, which lie one after the other in `block` as they do in records. */
  async add(block: Uint8Array, count: number): Promise<void> {
    for (let from = 0; from < count; ) {
      const to = Math.min(count, from + this.#batchLeft)
      this.#batchLeft -= to - from
      this.#batch(block, from, to)
      from = to
      if (this.#batchLeft === 0) await this.#endBatch()
    }
  }

  /** Everything is with the sink. */
  async end(): Promise<WrittenColumn> {
    if (this.#values > this.#pageFirst) await this.#endPage()
    if (!this.#plainMode) await this.#endDictionary()
    return {
      description: describeColumn(this.#column, {
        codec: this.#codec.number,
        values: this.#values,
        rawBytes: this.#rawBytes,
        extremes: this.#extremes,
        pages: { dictionary: this.#dictionaryPages, plain: this.#plainPages },
        ...this.#total,
        firstData: this.#firstData,
        ...(this.#dictionary !== undefined && { dictionary: this.#start }),
      }),
      start: this.#start,
      plainBytes: this.#total.plain,
      storedBytes: this.#total.stored,
    }
  }

  /** Batches of lists are whole rows, and the last row is one by itself, after which a page is not looked at. */
  #beginBatch(): void {
    const { list, size } = this.#column
    const room = PAGE_ROWS - (this.#values - this.#pageFirst) / size
    const rows = Math.min(Math.ceil(BATCH / size), room)
    const left = this.#rows - this.#values / size
    this.#batchLeft = (list && left <= rows ? Math.max(1, left - 1) : rows) * size
    this.#lastRow = list && left === 1
  }

  async #endBatch(): Promise<void> {
    const rows = (this.#values - this.#pageFirst) / this.#column.size
    if (!this.#lastRow && (rows === PAGE_ROWS || this.#pageBytes() >= PAGE_BYTES)) await this.#endPage()
    if (!this.#plainMode && (this.#dictionary?.bytes ?? 0) >= DICTIONARY_BYTES) {
      if (this.#values > this.#pageFirst) await this.#endPage()
      await this.#endDictionary()
      this.#plainMode = true
    }
    this.#beginBatch()
  }

  #batch(block: Uint8Array, from: number, to: number): void {
    const { value } = this.#column
    if (value === 'string' || value === 'binary') this.#addBytes(block, from, to)
    else {
      this.#pageExtremes = wider(this.#pageExtremes, extremesOf(value, block, from, to))
      if (this.#plainMode) this.#addPlain(storedValues(value, block, from, to))
      else {
        this.#roomForNumbers(to - from)
        ;(this.#dictionary as Dictionary).add(block, from, to, this.#numbers, this.#numberCount)
        this.#numberCount += to - from
      }
    }
    this.#values += to - from
  }

  #addBytes(block: Uint8Array, from: number, to: number): void {
    const { value, name, valueBytes } = this.#column
    const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength)
    let min: Buffer | undefined
    let max: Buffer | undefined
    this.#roomForNumbers(to - from)
    for (let i = from; i < to; i++) {
      const raw = bytes.subarray(i * valueBytes, (i + 1) * valueBytes)
      const text = value === 'string' ? Buffer.from(`${name}_${raw.readUInt32LE()}`) : raw
      this.#rawBytes += text.length
      if (min === undefined || Buffer.compare(text, min) < 0) min = text
      if (max === undefined || Buffer.compare(text, max) > 0) max = text
      if (this.#plainMode) {
        const length = Buffer.alloc(4)
        length.writeUInt32LE(text.length)
        this.#addPlain(length)
        this.#addPlain(Buffer.from(text))
      } else this.#numbers[this.#numberCount++] = (this.#dictionary as BytesDictionary).add(text)
    }
    // The block's memory is used again.
    if (min !== undefined && max !== undefined)
      this.#pageExtremes = wider(this.#pageExtremes, { min: Buffer.from(min), max: Buffer.from(max) })
  }

  #addPlain(bytes: Uint8Array): void {
    this.#plain.push(bytes)
    this.#plainBytes += bytes.length
  }

  #roomForNumbers(count: number): void {
    if (this.#numberCount + count <= this.#numbers.length) return
    const larger = new Uint32Array((this.#numberCount + count) * 2)
    larger.set(this.#numbers)
    this.#numbers = larger
  }

  #bitWidth(): number {
    const size = this.#dictionary?.size ?? 0
    return size <= 1 ? size : 32 - Math.clz32(size - 1)
  }

  /** What Arrow takes a page for. */
  #pageBytes(): number {
    if (this.#plainMode)
      return this.#column.value === 'bool' ? Math.ceil((this.#values - this.#pageFirst) / 8) : this.#plainBytes
    const width = this.#bitWidth()
    const groups = Math.ceil(this.#numberCount / 8)
    const runBytes = 1 + Math.ceil(width / 8)
    const most = Math.max(groups * (1 + width), groups * runBytes)
    return 1 + most + Math.max(1 + Math.ceil((512 * width) / 8), 5 + Math.ceil(width / 8))
  }

  async #endPage(): Promise<void> {
    const count = this.#values - this.#pageFirst
    const encoding = this.#plainMode ? ENCODING.plain : ENCODING.dictionary
    const bytes = this.#plainMode ? this.#plainPage(count) : this.#numbersPage()
    const extremes = this.#pageExtremes
    const made = await dataPage(this.#column, { first: this.#pageFirst, count, encoding, bytes, extremes }, this.#codec)
    this.#extremes = wider(this.#extremes, extremes)
    this.#pageExtremes = undefined
    this.#pageFirst = this.#values
    this.#numberCount = 0
    this.#plain = []
    this.#plainBytes = 0
    if (this.#plainMode) {
      this.#plainPages++
      await this.#put(made, 'data')
    } else {
      this.#dictionaryPages++
      this.#count(made)
      this.#waiting += made.storedBytes
      await this.#spool.add(made.header)
      await this.#spool.add(made.body)
    }
  }

  #numbersPage(): Uint8Array[] {
    const width = this.#bitWidth()
    const runs = new RunEncoder(width, this.#numberCount + 64)
    runs.putAll(this.#numbers, this.#numberCount)
    return [Uint8Array.of(width), runs.end()]
  }

  #plainPage(count: number): Uint8Array[] {
    if (this.#column.value !== 'bool') return this.#plain
    const bits = new Uint8Array(Math.ceil(count / 8))
    let at = 0
    for (const part of this.#plain)
      for (let i = 0; i < part.length; i++, at++)
        bits[at >> 3] = (bits[at >> 3] as number) | (((part[i] as number) & 1) << (at & 7))
    return [bits]
  }

  async #endDictionary(): Promise<void> {
    const dictionary = this.#dictionary as Dictionary | BytesDictionary
    await this.#put(await dictionaryPage(dictionary.page(), dictionary.size, this.#codec), 'dictionary')
    if (this.#waiting > 0) this.#firstData = this.#out.bytes
    for await (const piece of this.#spool.pieces()) await this.#out.put(piece)
  }

  async #put(made: MadePage, kind: 'data' | 'dictionary'): Promise<void> {
    if (this.#start < 0) this.#start = this.#out.bytes
    if (kind === 'data' && this.#firstData < 0) this.#firstData = this.#out.bytes
    this.#count(made)
    await this.#out.put(made.header)
    await this.#out.put(made.body)
  }

  #count({ plainBytes, storedBytes }: MadePage): void {
    this.#total = { plain: this.#total.plain + plainBytes, stored: this.#total.stored + storedBytes }
  }
}
