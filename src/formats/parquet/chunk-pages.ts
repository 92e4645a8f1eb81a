import { HeadraceError } from '../../errors.ts'
import { corrupt } from '../layout.ts'
import type { ByteSource } from '../types.ts'
import { ColumnBuilder, type ColumnData } from './column-data.ts'
import { codecName, type Decompress, decompressor } from './decompress.ts'
import type { ColumnChunk } from './footer.ts'
import { type PageData, readData, readDictionary } from './page-data.ts'
import { type PageHeader, readPageHeader } from './page-header.ts'
import { DamagedPage, type Room, UnknownEncoding, type Values } from './page-values.ts'

/** Of one page, decoded: more is a damaged file. */
const MAX_PAGE = 256 * 1024 * 1024

/** Of a column of a row group that is decoded as a whole. */
const MAX_VALUES = 2 ** 28

/** The pages of one column of a row group. */
export class ChunkPages {
  readonly chunk: ColumnChunk
  readonly #source: ByteSource
  readonly #group: number
  readonly #decompress: Decompress
  #dictionary: Values | undefined

  private constructor(source: ByteSource, chunk: ColumnChunk, group: number, decompress: Decompress) {
    this.#source = source
    this.chunk = chunk
    this.#group = group
    this.#decompress = decompress
  }

  /** E_UNSUPPORTED for what is right and not read here. */
  static async of(source: ByteSource, chunk: ColumnChunk, group: number): Promise<ChunkPages> {
    const { leaf, codec } = chunk
    const decompress = await decompressor(codec)
    if (decompress !== undefined && leaf.maxRepetition <= 1) return new ChunkPages(source, chunk, group, decompress)
    const what = decompress === undefined ? `is compressed with ${codecName(codec)}` : 'holds lists of lists'
    throw new HeadraceError('E_UNSUPPORTED', `${source.name}: column ${leaf.name} ${what}`, { path: source.name })
  }

  /** The header at `at` of `bytes`, which lie in the file from `offset` on. */
  header(bytes: Uint8Array, at: number, offset: number): PageHeader {
    return readPageHeader(bytes, at, (place) => this.broken('a page header is damaged', offset + place))
  }

  /** A dictionary page is kept for the pages behind it. */
  dictionary(header: PageHeader, stored: Uint8Array, offset: number): void {
    this.#dictionary = this.#told(header, offset, () =>
      readDictionary(this.chunk.leaf, header, stored, this.#decompress),
    )
  }

  data(header: PageHeader, stored: Uint8Array, offset: number, room?: Room): PageData {
    return this.#told(header, offset, () =>
      readData(this.chunk.leaf, header, stored, this.#decompress, this.#dictionary, room),
    )
  }

  /** All rows, from the bytes of the whole chunk. */
  rows(bytes: Uint8Array, rows: number): ColumnData {
    const { start, values, leaf, plainBytes } = this.chunk
    if (rows > values || values > MAX_VALUES) throw this.broken(`${values} values for ${rows} rows`, start)
    const about = leaf.valueBytes > 0 ? values * leaf.valueBytes : plainBytes
    const builder = new ColumnBuilder(leaf, rows, Math.min(about, MAX_PAGE))
    let left = values
    let at = 0
    while (left > 0 && at < bytes.length) {
      const header = this.header(bytes, at, start)
      const from = at + header.headerBytes
      const stored = bytes.subarray(from, from + header.storedBytes)
      if (stored.length < header.storedBytes) throw this.broken('a page ends behind its column', start + at)
      if (header.kind === 'dictionary') this.dictionary(header, stored, start + at)
      else if (header.kind !== 'other') {
        if (header.values > left)
          throw this.broken(`a page of ${header.values} values, but ${left} are left`, start + at)
        const page = this.data(header, stored, start + at, builder.room)
        this.#told(header, start + at, () => builder.add(page))
        left -= header.values
      }
      at = from + header.storedBytes
    }
    if (left > 0) throw this.broken(`${left} of ${values} values are missing`, start + at)
    try {
      return builder.end()
    } catch (error) {
      throw this.broken((error as Error).message, start)
    }
  }

  broken(reason: string, offset: number, cause?: unknown): HeadraceError {
    const where = `row group ${this.#group}: column ${this.chunk.leaf.name}: ${reason}`
    return corrupt(this.#source.name, where, { offset, ...(cause !== undefined && { cause }) })
  }

  #told<T>(header: PageHeader, offset: number, read: () => T): T {
    const { leaf } = this.chunk
    if (header.plainBytes > MAX_PAGE || header.values * Math.max(1, leaf.valueBytes) > MAX_PAGE)
      throw this.broken(`a page of ${header.plainBytes} bytes and ${header.values} values`, offset)
    try {
      return read()
    } catch (error) {
      if (error instanceof DamagedPage) throw this.broken(`a page is damaged: ${error.message}`, offset, error)
      if (!(error instanceof UnknownEncoding)) throw error
      const reason = `${this.#source.name}: column ${leaf.name} has encoding ${error.message}, which is not read here`
      throw new HeadraceError('E_UNSUPPORTED', reason, { path: this.#source.name, offset })
    }
  }
}
