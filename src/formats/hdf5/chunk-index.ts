import { chunkGrid, type DataSet, product } from './data-sets.ts'
import { FieldWriter, UNDEFINED_ADDRESS } from './fields.ts'
import { lookup3 } from './lookup3.ts'

/**
 * Where the chunks of a data set lie, as HDF5 1.10 and later say it: of a data set that is one chunk in the data set's
 * own header, of others in a fixed array with an element for each chunk that there can be.
 */

/** Of one chunk. */
export interface ChunkPlace {
  readonly address: number
  readonly bytes: number
  /** A bit is set for each filter that was left out: compressing made it no smaller. */
  readonly skipped: number
}

/** Elements of a page, as a power of two; HDF5's default. */
export const PAGE_BITS = 10
const PAGE = 2 ** PAGE_BITS
export const FIXED_ARRAY_HEADER_BYTES = 28
const CHECKSUM = 4

/** Of a number from 1 to 2^32 - 1, rounded down. */
export function log2(value: number): number {
  return 31 - Math.clz32(value)
}

export function indexOf({ chunk, shape, maxShape }: DataSet): 'none' | 'single' | 'fixed-array' {
  if (chunk === undefined) return 'none'
  const one = chunk.shape.every((axis, i) => axis === shape[i] && axis === maxShape[i])
  return one ? 'single' : 'fixed-array'
}

/** Bytes of the size of a compressed chunk: one more than it needs, for chunks that compressing made larger. */
export function chunkSizeBytes(chunkBytes: number): number {
  return Math.min(8, 1 + Math.floor((log2(chunkBytes) + 8) / 8))
}

/** Bytes of an element. */
function elementBytesOf({ chunk }: DataSet): number {
  return chunk?.filter === undefined ? 8 : 8 + chunkSizeBytes(chunk.bytes) + 4
}

function elementCount(dataSet: DataSet): number {
  return product(chunkGrid(dataSet, dataSet.maxShape))
}

export function fixedArrayBlockBytes(dataSet: DataSet): number {
  const count = elementCount(dataSet)
  const elements = count * elementBytesOf(dataSet)
  if (count <= PAGE) return 14 + elements + CHECKSUM
  const pages = Math.ceil(count / PAGE)
  return 14 + Math.ceil(pages / 8) + CHECKSUM + elements + pages * CHECKSUM
}

export function fixedArrayHeader(dataSet: DataSet, block: number): Uint8Array {
  const fields = new FieldWriter()
    .ascii('FAHD')
    .uint(0, 1)
    .uint(dataSet.chunk?.filter === undefined ? 0 : 1, 1)
    .uint(elementBytesOf(dataSet), 1)
    .uint(PAGE_BITS, 1)
    .uint(elementCount(dataSet), 8)
    .uint(block, 8)
  return fields.uint(lookup3(fields.take()), 4).take()
}

/** An element for each chunk of `most`: the chunk, where it lies within `grid` too. */
function* elements(grid: readonly number[], most: readonly number[], chunks: readonly ChunkPlace[]) {
  const at = most.map(() => 0)
  const count = product(most)
  for (let i = 0, next = 0; i < count; i++) {
    yield at.every((place, axis) => place < (grid[axis] as number)) ? chunks[next++] : undefined
    for (let axis = at.length - 1; axis >= 0 && ++(at[axis] as number) === most[axis]; axis--) at[axis] = 0
  }
}

/** `chunks`: of those that are there, in row-major order. */
export function fixedArrayBlock(dataSet: DataSet, header: number, chunks: readonly ChunkPlace[]): Uint8Array {
  const { chunk, shape, maxShape } = dataSet
  const filtered = chunk?.filter !== undefined
  const most = chunkGrid(dataSet, maxShape)
  const count = product(most)
  const start = new FieldWriter()
    .ascii('FADB')
    .uint(0, 1)
    .uint(filtered ? 1 : 0, 1)
    .uint(header, 8)
  const pages = count <= PAGE ? 0 : Math.ceil(count / PAGE)
  // One bit a page, the first one the highest: all of them are there.
  for (let page = 0; page < pages; page += 8) start.uint((0xff00 >> Math.min(8, pages - page)) & 0xff, 1)
  if (pages > 0) start.uint(lookup3(start.take()), 4)
  const bytes = pages > 0 ? [start.take()] : []
  let page = pages > 0 ? new FieldWriter() : start
  let inPage = 0
  for (const place of elements(chunkGrid(dataSet, shape), most, chunks)) {
    if (inPage === PAGE) {
      bytes.push(page.uint(lookup3(page.take()), 4).take())
      page = new FieldWriter()
      inPage = 0
    }
    page.uint(place?.address ?? UNDEFINED_ADDRESS, 8)
    if (filtered) page.uint(place?.bytes ?? 0, chunkSizeBytes(chunk.bytes)).uint(place?.skipped ?? 0, 4)
    inPage++
  }
  bytes.push(page.uint(lookup3(page.take()), 4).take())
  return Buffer.concat(bytes)
}
