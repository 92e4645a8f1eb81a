import type { Content } from '../types.ts'
import type { ColumnPlan } from './columns.ts'

/** Bytes of content that are in memory at once. */
const MEMORY = 8 * 1024 * 1024
/** Bytes of a column that are made at a time where a row group's do not fit. */
const BLOCK = 1024 * 1024

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

  /** Columns that lie side by side in a record: rows are made once, and each column picked out of them. */
  *#side(group: readonly ColumnPlan[], first: number, rows: number) {
    const start = group[0]?.offset ?? 0
    const stride = group.reduce((sum, column) => sum + rowBytes(column), 0)
    if (this.#rows.length < rows * stride) this.#rows = new Uint8Array(rows * stride)
    const records = this.#rows
    for (let row = 0; row < rows; row++)
      this.#content.fill(first + row, start, records.subarray(row * stride, (row + 1) * stride))
    for (const column of group) {
      const bytes = rowBytes(column)
      if (this.#packed.length < rows * bytes) this.#packed = new Uint8Array(rows * bytes)
      pick(records, stride, column.offset - start, bytes, rows, this.#packed)
      yield { column, blocks: [{ bytes: this.#packed.subarray(0, rows * bytes), count: rows * column.size }] }
    }
  }
}

/** Copies `bytes` of each row, from `at` on, to where they lie one after the other. */
function pick(from: Uint8Array, stride: number, at: number, bytes: number, rows: number, to: Uint8Array): void {
  if (bytes > 32) {
    for (let row = 0; row < rows; row++) {
      const start = row * stride + at
      to.set(from.subarray(start, start + bytes), row * bytes)
    }
    return
  }
  let target = 0
  for (let row = 0; row < rows; row++) {
    const start = row * stride + at
    for (let i = 0; i < bytes; i++) to[target++] = from[start + i] as number
  }
}
