import type { FileLayout } from '../types.ts'
import { type ColumnPlan, planColumns } from './columns.ts'

/** Puts the bytes of a record from `offset` on into `target`. */
type Fill = (offset: number, target: Uint8Array) => void

/** Of one column, what a row of it is when it is read. */
function valuesOf({ name, value, size, valueBytes, offset }: ColumnPlan, fill: Fill): Uint8Array {
  const raw = Buffer.alloc(size * valueBytes)
  fill(offset, raw)
  if (value === 'string') return Buffer.from(`${name}_${raw.readUInt32LE()}`)
  // A flag is one bit of its byte.
  return value === 'bool' ? raw.map((byte) => byte & 1) : raw
}

/** What reading a row gives that was written of these bytes: of the columns that are read, one after the other. */
export function expectedRecord(layout: FileLayout, fill: Fill): Uint8Array | undefined {
  const { columns = [] } = layout.options
  if (columns.length === 0) return undefined
  const read = new Set(columns.filter((column) => column.read).map(({ name }) => name))
  return Buffer.concat(
    planColumns(layout)
      .filter(({ name }) => read.has(name))
      .map((column) => valuesOf(column, fill)),
  )
}
