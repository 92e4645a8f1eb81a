import type { DType } from '../../dtype.ts'
import { itemSize } from '../../dtype.ts'
import type { ColumnPlan } from './columns.ts'
import { FlatBuffer } from './flatbuffer.ts'

/** Arrow's own description of the columns, without which lists of a fixed size are read as lists of any size. */

/** Numbers of the union of types in Arrow's Schema.fbs. */
const TYPE = { int: 2, floatingPoint: 3, binary: 4, utf8: 5, bool: 6, fixedSizeList: 16 } as const
const VERSION = 4
const SCHEMA = 1
/** Before a message in a stream. */
const CONTINUATION = 0xffffffff

interface Type {
  readonly kind: number
  readonly table: number
}

function typeOf(to: FlatBuffer, value: DType | 'string' | 'binary'): Type {
  if (value === 'string') return { kind: TYPE.utf8, table: to.table(() => {}) }
  if (value === 'binary') return { kind: TYPE.binary, table: to.table(() => {}) }
  if (value === 'bool') return { kind: TYPE.bool, table: to.table(() => {}) }
  if (value.startsWith('float')) {
    // Half, single, double; what is 0 is left out.
    const precision = itemSize(value) === 2 ? 0 : itemSize(value) === 4 ? 1 : 2
    const table = to.table(() => {
      if (precision > 0) to.scalar(0, precision, 2)
    })
    return { kind: TYPE.floatingPoint, table }
  }
  const table = to.table(() => {
    to.scalar(0, itemSize(value) * 8, 4)
    if (value.startsWith('int')) to.scalar(1, 1, 1)
  })
  return { kind: TYPE.int, table }
}

function field(to: FlatBuffer, text: string, makeType: () => Type, makeChildren: () => number[]): number {
  const children = makeChildren()
  const { kind, table } = makeType()
  const name = to.string(text)
  const offsets = to.offsets(children)
  return to.table(() => {
    to.reference(5, offsets)
    to.reference(3, table)
    to.reference(0, name)
    to.scalar(2, kind, 1)
    to.scalar(1, 1, 1)
  })
}

function columnField(to: FlatBuffer, { name, value, list, size }: ColumnPlan): number {
  const ofValue = (): Type => typeOf(to, value)
  if (!list) return field(to, name, ofValue, () => [])
  const listType = (): Type => ({ kind: TYPE.fixedSizeList, table: to.table(() => to.scalar(0, size, 4)) })
  return field(to, name, listType, () => [field(to, 'item', ofValue, () => [])])
}

/** The value of a file's `ARROW:schema`: a message of an Arrow stream, in base64. */
export function arrowSchema(columns: readonly ColumnPlan[]): string {
  const to = new FlatBuffer()
  const fields = columns.map((column) => columnField(to, column))
  const list = to.offsets(fields)
  const schema = to.table(() => to.reference(1, list))
  const message = to.table(() => {
    to.reference(2, schema)
    to.scalar(0, VERSION, 2)
    to.scalar(1, SCHEMA, 1)
  })
  const bytes = to.finish(message)
  // The message ends at a multiple of eight bytes.
  const length = Math.ceil(bytes.length / 8) * 8
  const stream = Buffer.alloc(8 + length)
  stream.writeUInt32LE(CONTINUATION, 0)
  stream.writeUInt32LE(length, 4)
  stream.set(bytes, 8)
  return stream.toString('base64')
}
