import { constants as bufferLimits } from 'node:buffer'
import { join } from 'node:path'
import type { Locations } from '../../datasets/types.ts'
import { type DType, type TypedArray, viewOf } from '../../dtype.ts'
import { fromSystemError, HeadraceError } from '../../errors.ts'
import { dtypeOfDescr } from '../../formats/npy.ts'
import type { MappedBytes } from '../../mapped.ts'
import { native } from '../../native.ts'
import { fromWords } from '../../words.ts'
import { filesOf } from './layout.ts'
import { readMapped } from './mapped-read.ts'
import { corrupt, isBlobTable, isTextTable, readTable } from './stored-table.ts'

/** The columns of a cache on disk, opened for reading. Every file is taken to be hostile. */

function mapData(folder: string, file: string): MappedBytes {
  const path = join(folder, file)
  try {
    return native.mapFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw corrupt(path, 'is missing')
    throw fromSystemError(error, 'opening the cache', { path })
  }
}

/** Sizes of stored bytes are delivered as uint32, in ArrayBuffers that are no larger. */
const MAX_BLOB = 2 ** 32 - 1
const MAX_TEXT = bufferLimits.MAX_STRING_LENGTH
/** Linux's longest path; a longer string is no name to call a sample by. */
const MAX_NAME = 4096

/**
 * Checks that rows of `stride` 32-bit words point into a file of `bytes` bytes, to at most `most` each; the largest
 * size and their sum.
 */
function checkPointers(
  rows: Uint32Array,
  stride: number,
  table: string,
  data: string,
  bytes: number,
  most: number,
): { largest: number; total: number } {
  let largest = 0
  let total = 0
  for (let at = 0, sample = 0; at < rows.length; at += stride, sample++) {
    const offset = fromWords(rows[at] ?? 0, rows[at + 1] ?? 0)
    const size = fromWords(rows[at + 2] ?? 0, rows[at + 3] ?? 0)
    if (offset + size > bytes)
      throw corrupt(
        table,
        `sample ${sample} is said to be bytes ${offset} to ${offset + size} of ${data}, which has ${bytes}`,
        sample,
      )
    if (size > most)
      throw corrupt(table, `sample ${sample} is said to have ${size} bytes, but one can have ${most} at most`, sample)
    total += size
    if (size > largest) largest = size
  }
  return { largest, total }
}

/** Pictures or bytes: rows of offset, size, height and width over a mapped file. */
export class BlobColumn {
  readonly storage = 'blob'
  readonly map: MappedBytes
  /** The largest sample and all samples together, in bytes. */
  readonly largest: number
  readonly total: number
  readonly #rows: Uint32Array

  constructor(map: MappedBytes, rows: Uint32Array, sizes: { largest: number; total: number }) {
    this.map = map
    this.#rows = rows
    this.largest = sizes.largest
    this.total = sizes.total
  }

  static async open(folder: string, name: string, samples: number): Promise<BlobColumn> {
    const { data = '', table } = filesOf(name, 'blob')
    const { rows } = await readTable(folder, table, samples, (header) => isBlobTable(header, samples))
    const map = mapData(folder, data)
    try {
      const words = new Uint32Array(rows)
      return new BlobColumn(map, words, checkPointers(words, 6, join(folder, table), data, map.bytes, MAX_BLOB))
    } catch (error) {
      native.unmapFile(map)
      throw error
    }
  }

  offset(id: number): number {
    return fromWords(this.#rows[id * 6] ?? 0, this.#rows[id * 6 + 1] ?? 0)
  }

  size(id: number): number {
    return fromWords(this.#rows[id * 6 + 2] ?? 0, this.#rows[id * 6 + 3] ?? 0)
  }

  height(id: number): number {
    return this.#rows[id * 6 + 4] ?? 0
  }

  width(id: number): number {
    return this.#rows[id * 6 + 5] ?? 0
  }

  read(id: number): Uint8Array {
    return readMapped(this.map, this.offset(id), this.size(id), `sample ${id}`)
  }

  locate(ids: Float64Array, out: Locations): void {
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] ?? 0
      out.offset[i] = this.offset(id)
      out.size[i] = this.size(id)
      out.height[i] = this.height(id)
      out.width[i] = this.width(id)
    }
  }
}

/** Strings: rows of offset and length over a mapped file of UTF-8. */
export class TextColumn {
  readonly storage = 'text'
  readonly map: MappedBytes
  readonly #rows: Uint32Array

  constructor(map: MappedBytes, rows: Uint32Array) {
    this.map = map
    this.#rows = rows
  }

  static async open(folder: string, name: string, samples: number): Promise<TextColumn> {
    const { data = '', table } = filesOf(name, 'text')
    const { rows } = await readTable(folder, table, samples, (header) => isTextTable(header, samples))
    const map = mapData(folder, data)
    try {
      const words = new Uint32Array(rows)
      checkPointers(words, 4, join(folder, table), data, map.bytes, MAX_TEXT)
      return new TextColumn(map, words)
    } catch (error) {
      native.unmapFile(map)
      throw error
    }
  }

  offset(id: number): number {
    return fromWords(this.#rows[id * 4] ?? 0, this.#rows[id * 4 + 1] ?? 0)
  }

  size(id: number): number {
    return fromWords(this.#rows[id * 4 + 2] ?? 0, this.#rows[id * 4 + 3] ?? 0)
  }

  read(id: number): string {
    return Buffer.from(readMapped(this.map, this.offset(id), this.size(id), `sample ${id}`).buffer).toString()
  }

  /** What to call a sample by: its string, where that is no longer than a path and can be read. Never throws. */
  nameOf(id: number): string | undefined {
    if (this.size(id) > MAX_NAME) return undefined
    try {
      return this.read(id) || undefined
    } catch {
      return undefined
    }
  }
}

/** Numbers that a TypedArray of their own dtype holds as they are stored. */
const NUMBER_DTYPES: readonly DType[] = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'bool',
]

/** One number a sample, in memory. */
export class NumberColumn {
  readonly storage = 'number'
  readonly dtype: DType
  readonly values: TypedArray

  constructor(dtype: DType, values: TypedArray) {
    this.dtype = dtype
    this.values = values
  }

  static async open(folder: string, name: string, samples: number): Promise<NumberColumn> {
    const { table } = filesOf(name, 'number')
    const { header, rows } = await readTable(
      folder,
      table,
      samples,
      ({ shape }) => shape.length === 1 && shape[0] === samples,
    )
    const dtype = typeof header.descr === 'string' ? dtypeOfDescr(header.descr) : undefined
    if (dtype === undefined || !NUMBER_DTYPES.includes(dtype))
      throw new HeadraceError(
        'E_UNSUPPORTED',
        `${join(folder, table)}: numbers of type ${JSON.stringify(header.descr)}`,
      )
    return new NumberColumn(dtype, viewOf(dtype, rows, 0, samples))
  }

  read(id: number): number | bigint {
    return this.values[id] ?? 0
  }

  gather(ids: Float64Array, out: TypedArray): void {
    const { values } = this
    for (let i = 0; i < ids.length; i++) out[i] = values[ids[i] ?? 0] ?? 0
  }
}

export type StoredColumn = BlobColumn | TextColumn | NumberColumn
