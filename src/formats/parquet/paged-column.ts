import type { ByteSource } from '../types.ts'
import type { ChunkPages } from './chunk-pages.ts'
import type { PageData } from './page-data.ts'
import { MAX_HEADER, type PageHeader } from './page-header.ts'

/** Bytes that are read for a page's header: it has tens of them. */
const HEADER = 512
/** Decoded pages that are kept: a row that begins in one ends in another. */
const KEPT = 3

/** Thrown where rows are not all alike: which page a row lies in cannot be computed then. */
export class UnevenRows extends Error {}

interface Page {
  readonly header: PageHeader
  /** In the file, of the header. */
  readonly offset: number
  /** Among the column's values. */
  readonly first: number
}

/** A column of a row group too large to be kept: of a row, those pages are read that it lies in. */
export class PagedColumn {
  readonly #source: ByteSource
  readonly #pages: ChunkPages
  /** Values a row. */
  readonly #size: number
  #directory: Promise<readonly Page[]> | undefined
  /** By number; the one used last is the last one. */
  readonly #kept = new Map<number, Promise<Uint8Array>>()

  constructor(source: ByteSource, pages: ChunkPages, size: number) {
    this.#source = source
    this.#pages = pages
    this.#size = size
  }

  /** Fills `target` with a row's values. */
  async read(row: number, target: Uint8Array): Promise<void> {
    const { valueBytes } = this.#pages.chunk.leaf
    this.#directory ??= this.#scan()
    const directory = await this.#directory
    let value = row * this.#size
    const end = value + this.#size
    for (let i = pageOf(directory, value); value < end; i++) {
      const page = directory[i] as Page
      const bytes = await this.#values(directory, i)
      const to = Math.min(end, page.first + page.header.values)
      const part = bytes.subarray((value - page.first) * valueBytes, (to - page.first) * valueBytes)
      target.set(part, target.length - (end - value) * valueBytes)
      value = to
    }
  }

  /** Where each page lies: of a page only its header is read. */
  async #scan(): Promise<readonly Page[]> {
    const { start, bytes, values } = this.#pages.chunk
    const directory: Page[] = []
    let first = 0
    for (let offset = start; first < values && offset < start + bytes; ) {
      const header = await this.#header(offset, start + bytes - offset)
      const body = offset + header.headerBytes
      if (body + header.storedBytes > start + bytes) throw this.#pages.broken('a page ends behind its column', offset)
      if (header.kind === 'dictionary') {
        this.#pages.dictionary(header, await this.#source.read(body, header.storedBytes), offset)
      } else if (header.kind !== 'other') {
        directory.push({ header, offset, first })
        first += header.values
      }
      offset = body + header.storedBytes
    }
    if (first !== values) throw this.#pages.broken(`its pages have ${first} of ${values} values`, start)
    return directory
  }

  async #header(offset: number, left: number): Promise<PageHeader> {
    const short = await this.#source.read(offset, Math.min(HEADER, left))
    try {
      return this.#pages.header(short, 0, offset)
    } catch (error) {
      if (left <= HEADER) throw error
      return this.#pages.header(await this.#source.read(offset, Math.min(MAX_HEADER, left)), 0, offset)
    }
  }

  #values(directory: readonly Page[], number: number): Promise<Uint8Array> {
    let values = this.#kept.get(number)
    values ??= this.#decode(directory[number] as Page)
    this.#kept.delete(number)
    this.#kept.set(number, values)
    values.catch(() => this.#kept.delete(number))
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > KEPT && oldest !== undefined) this.#kept.delete(oldest)
    return values
  }

  async #decode({ header, offset, first }: Page): Promise<Uint8Array> {
    const stored = await this.#source.read(offset + header.headerBytes, header.storedBytes)
    const page = this.#pages.data(header, stored, offset)
    if (!this.#even(page, first)) throw new UnevenRows()
    return page.values.bytes
  }

  /** Whether all values are there, and rows begin where they must. */
  #even({ values, definition, repetition }: PageData, first: number): boolean {
    if (definition !== undefined || values.offsets !== undefined) return false
    if (repetition === undefined) return this.#size === 1
    let next = (this.#size - (first % this.#size)) % this.#size
    for (let at = repetition.indexOf(0); at >= 0; at = repetition.indexOf(0, at + 1)) {
      if (at !== next) return false
      next += this.#size
    }
    return next >= repetition.length
  }
}

/** The last page that begins at `value` or before. */
function pageOf(directory: readonly Page[], value: number): number {
  let low = 0
  let high = directory.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((directory[middle] as Page).first <= value) low = middle
    else high = middle - 1
  }
  return low
}
