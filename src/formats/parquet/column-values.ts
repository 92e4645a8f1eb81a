import type { Content } from '../types.ts'
import type { ColumnPlan } from './columns.ts'

/** Bytes of content that are in memory at once. */
const MEMORY = 8 * 1024 * 1024
/** Bytes of a column that are made at a time where a row group's do not fit. */
const BLOCK = 1024 * 1024

/** Bytes of rows whose columns are picked before the next rows are made. */
const TILE = 64 * 1024

/** Values of a column, one after the other. */
export interface ValueBlock {
  readonly bytes: Uint8Array
  readonly count: number
}

const rowBytes = ({ size, valueBytes }: ColumnPlan): number => size * valueBytes

/** Columns one by one, each with its values of the rows from `first` on. The memory of a block is used again. */
export class ColumnValues {
  readonly #columns: readonly ColumnPlan[]
  readonly #content: Content
  #rows = new Uint8Array(0)
  #packed = new Uint8Array(0)
  readonly #rooms = new Map<ColumnPlan, Uint8Array>()

  constructor(columns: readonly ColumnPlan[], content: Content) {
    this.#columns = columns
    this.#content = content
  }

  *of(first: number, rows: number): Generator<{ column: ColumnPlan; blocks: Iterable<ValueBlock> }> {
    for (let i = 0; i < this.#columns.length; ) {
      const group = this.#together(i, rows)
      i += group.length
      if (group.length === 1) yield this.#alone(group[0] as ColumnPlan, first, rows)
      else yield* this.#side(group, first, rows)
    }
  }

  /** The same memory in every row group. */
  #roomOf(column: ColumnPlan, rows: number): Uint8Array {
    const bytes = rows * rowBytes(column)
    const known = this.#rooms.get(column)
    const room = known !== undefined && known.length >= bytes ? known : new Uint8Array(bytes)
    this.#rooms.set(column, room)
    return room.subarray(0, bytes)
  }

  /** Columns from the `i`-th on whose rows fit into memory together. */
  #together(i: number, rows: number): readonly ColumnPlan[] {
    let bytes = 0
    let end = i
    for (; end < this.#columns.length; end++) {
      bytes += rowBytes(this.#columns[end] as ColumnPlan) * rows
      if (bytes > MEMORY && end > i) break
    }
    return this.#columns.slice(i, end)
  }

  #alone(column: ColumnPlan, first: number, rows: number) {
    const content = this.#content
    const bytes = rowBytes(column)
    const { offset, valueBytes, size } = column
    const whole = Math.max(1, Math.min(rows, Math.floor(BLOCK / bytes)))
    const cut = Math.min(size, Math.floor(BLOCK / valueBytes) || 1)
    const room = bytes > BLOCK ? cut * valueBytes : whole * bytes
    if (this.#packed.length < room) this.#packed = new Uint8Array(room)
    const memory = this.#packed
    function* blocks(): Generator<ValueBlock> {
      if (bytes > BLOCK) {
        for (let row = 0; row < rows; row++)
          for (let value = 0; value < size; value += cut) {
            const count = Math.min(cut, size - value)
            const target = memory.subarray(0, count * valueBytes)
            content.fill(first + row, offset + value * valueBytes, target)
            yield { bytes: target, count }
          }
        return
      }
      for (let row = 0; row < rows; row += whole) {
        const count = Math.min(whole, rows - row)
        for (let i = 0; i < count; i++)
          content.fill(first + row + i, offset, memory.subarray(i * bytes, (i + 1) * bytes))
        yield { bytes: memory.subarray(0, count * bytes), count: count * size }
      }
    }
    return { column, blocks: blocks() }
  }

  /** Columns that lie side by side in a record: some rows are made, and each column picked out of them. */
  *#side(group: readonly ColumnPlan[], first: number, rows: number) {
    const start = group[0]?.offset ?? 0
    const stride = group.reduce((sum, column) => sum + rowBytes(column), 0)
    // Few enough that they stay in the cache while column after column is picked.
    const some = Math.max(1, Math.min(rows, Math.floor(TILE / stride)))
    if (this.#rows.length < some * stride) this.#rows = new Uint8Array(some * stride)
    const records = this.#rows
    const columns = group.map((column) => this.#roomOf(column, rows))
    for (let row = 0; row < rows; row += some) {
      const count = Math.min(some, rows - row)
      for (let i = 0; i < count; i++)
        this.#content.fill(first + row + i, start, records.subarray(i * stride, (i + 1) * stride))
      for (const [i, column] of group.entries())
        pick(records, stride, column.offset - start, rowBytes(column), count, columns[i] as Uint8Array, row)
    }
    for (const [i, column] of group.entries())
      yield { column, blocks: [{ bytes: columns[i] as Uint8Array, count: rows * column.size }] }
  }
}

/** Copies `bytes` of each of `rows` rows, from `at` on, to where they lie one after the other: from the `first` on. */
function pick(
  from: Uint8Array,
  stride: number,
  at: number,
  bytes: number,
  rows: number,
  to: Uint8Array,
  first: number,
): void {
  let start = at
  if (bytes === 4 || bytes === 8) {
    // As words, which begin anywhere in a record.
    const view = new DataView(from.buffer, from.byteOffset, from.byteLength)
    const words = new Uint32Array(to.buffer, to.byteOffset, to.length >> 2)
    let target = (first * bytes) >> 2
    if (bytes === 4) for (let row = 0; row < rows; row++, start += stride) words[target++] = view.getUint32(start, true)
    else
      for (let row = 0; row < rows; row++, start += stride) {
        words[target++] = view.getUint32(start, true)
        words[target++] = view.getUint32(start + 4, true)
      }
    return
  }
  let target = first * bytes
  if (bytes > 32)
    for (let row = 0; row < rows; row++, start += stride, target += bytes)
      to.set(from.subarray(start, start + bytes), target)
  else
    for (let row = 0; row < rows; row++, start += stride)
      for (let i = start; i < start + bytes; i++) to[target++] = from[i] as number
}
