import { join } from 'node:path'
import type { Locations } from '../../datasets/types.ts'
import { type DType, type TypedArray, viewOf } from '../../dtype.ts'
import { fromSystemError, HeadraceError } from '../../errors.ts'
import { dtypeOfDescr } from '../../formats/npy.ts'
import type { MappedBytes } from '../../mapped.ts'
import { native } from '../../native.ts'
import { filesOf } from './layout.ts'
import { corrupt, isBlobTable, isTextTable, readTable } from './stored-table.ts'

/** The columns of a cache on disk, opened for reading. Every file is taken to be hostile. */

const TWO_32 = 2 ** 32

function mapData(folder: string, file: string): MappedBytes {
  const path = join(folder, file)
  try {
    return native.mapFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw corrupt(path, 'is missing')
    throw fromSystemError(error, 'opening the cache', { path })
  }
}

/** Checks that rows of `stride` 32-bit words point into a file of `bytes` bytes; the largest size and their sum. */
function checkPointers(
  rows: Uint32Array,
  stride: number,
  table: string,
  data: string,
  bytes: number,
): { largest: number; total: number } {
  let largest = 0
  let total = 0
  for (let at = 0, sample = 0; at < rows.length; at += stride, sample++) {
    const offset = (rows[at] ?? 0) + (rows[at + 1] ?? 0) * TWO_32
    const size = (rows[at + 2] ?? 0) + (rows[at + 3] ?? 0) * TWO_32
    if (offset + size > bytes)
      throw corrupt(
        table,
        `sample ${sample} is said to be bytes ${offset} to ${offset + size} of ${data}, which has ${bytes}`,
        sample,
      )
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
      return new BlobColumn(map, words, checkPointers(words, 6, join(folder, table), data, map.bytes))
    } catch (error) {
      native.unmapFile(map)
      throw error
    }
  }

  offset(id: number): number {
    return (this.#rows[id * 6] ?? 0) + (this.#rows[id * 6 + 1] ?? 0) * TWO_32
  }

  size(id: number): number {
    return (this.#rows[id * 6 + 2] ?? 0) + (this.#rows[id * 6 + 3] ?? 0) * TWO_32
  }

  height(id: number): number {
    return this.#rows[id * 6 + 4] ?? 0
  }

  width(id: number): number {
    return this.#rows[id * 6 + 5] ?? 0
  }

  read(id: number): Uint8Array {
    return native.readMapped(this.map, this.offset(id), this.size(id))
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
      checkPointers(words, 4, join(folder, table), data, map.bytes)
      return new TextColumn(map, words)
    } catch (error) {
      native.unmapFile(map)
      throw error
    }
  }

  offset(id: number): number {
    return (this.#rows[id * 4] ?? 0) + (this.#rows[id * 4 + 1] ?? 0) * TWO_32
  }

  size(id: number): number {
    return (this.#rows[id * 4 + 2] ?? 0) + (this.#rows[id * 4 + 3] ?? 0) * TWO_32
  }

  read(id: number): string {
    return Buffer.from(native.readMapped(this.map, this.offset(id), this.size(id)).buffer).toString()
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
