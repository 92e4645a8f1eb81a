import { itemSize } from '../../dtype.ts'
import type { Content } from '../types.ts'
import { copyBox, gridPlaces } from './box.ts'
import { type Chunk, chunkGrid, type DataSet, product } from './data-sets.ts'

/** Bytes of content that are made at a time, where chunks are no larger: chunks side by side come from the same rows. */
const ROWS = 4 * 1024 * 1024

/**
 * The chunks of a data set in row-major order. `offset`: where its part of a record starts, in bytes. What a chunk has
 * beyond the data set is zeros.
 */
export function* cutChunks(
  dataSet: DataSet & { readonly chunk: Chunk },
  content: Content,
  offset: number,
): Generator<Uint8Array> {
  const { shape, chunk } = dataSet
  const item = itemSize(dataSet.dtype)
  const rank = shape.length
  const grid = chunkGrid(dataSet, shape)
  const depth = sharedDepth(shape, chunk.shape, item)
  const most = product(chunk.shape.slice(0, depth)) * product(shape.slice(depth)) * item
  const rows = new Uint8Array(most)
  for (const first of gridPlaces(grid.slice(0, depth))) {
    const at = first.map((place, axis) => place * (chunk.shape[axis] as number))
    const rowsShape = shape.map((axis, i) =>
      i < depth ? Math.min(chunk.shape[i] as number, axis - (at[i] as number)) : axis,
    )
    fillRows(rows, rowsShape, at, shape, item, offset, content)
    for (const rest of gridPlaces(grid.slice(depth))) {
      const corner = shape.map((_, i) => (i < depth ? 0 : (rest[i - depth] as number) * (chunk.shape[i] as number)))
      const count = chunk.shape.map((axis, i) => Math.min(axis, (rowsShape[i] as number) - (corner[i] as number)))
      const bytes = new Uint8Array(chunk.bytes)
      const from = { bytes: rows, shape: rowsShape, at: corner }
      copyBox(from, { bytes, shape: chunk.shape, at: new Array(rank).fill(0) }, count, item)
      yield bytes
    }
  }
}

/** The fewest axes along which content is cut as chunks are, such that what is whole along the others fits. */
function sharedDepth(shape: readonly number[], chunk: readonly number[], item: number): number {
  let depth = 1
  while (depth < shape.length && product(chunk.slice(0, depth)) * product(shape.slice(depth)) * item > ROWS) depth++
  return depth
}

/** Fills `rows` with the elements from `at` on, which are whole along the axes behind those of `at`. */
function fillRows(
  rows: Uint8Array,
  rowsShape: readonly number[],
  at: readonly number[],
  shape: readonly number[],
  item: number,
  offset: number,
  content: Content,
): void {
  const depth = at.length
  // One run along the last cut axis, unless that is the samples': a sample is filled at a time.
  const outer = Math.max(1, depth - 1)
  const run = product(rowsShape.slice(outer)) * item
  const strides = shape.map((_, axis) => product(shape.slice(axis + 1)) * item)
  let filled = 0
  for (const place of gridPlaces(rowsShape.slice(0, outer))) {
    const sample = (at[0] as number) + (place[0] as number)
    let start = offset
    for (let axis = 1; axis < depth; axis++)
      start += ((at[axis] as number) + (axis < outer ? (place[axis] as number) : 0)) * (strides[axis] as number)
    content.fill(sample, start, rows.subarray(filled, filled + run))
    filled += run
  }
}
