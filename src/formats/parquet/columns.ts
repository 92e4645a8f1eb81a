import { show } from '../../checks.ts'
import { type DType, itemSize } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { recordElements } from '../layout.ts'
import type { Column, FileLayout } from '../types.ts'

/** Parquet's physical types, as it numbers them. */
export const PHYSICAL = {
  boolean: 0,
  int32: 1,
  int64: 2,
  int96: 3,
  float: 4,
  double: 5,
  byteArray: 6,
  fixedByteArray: 7,
} as const

/** A column as it is written: what of a record goes where. */
export interface ColumnPlan {
  readonly name: string
  /** What one value is; those of `string` and `binary` differ in length. */
  readonly value: DType | 'string' | 'binary'
  readonly physical: number
  /** Bytes of a value in a page, where all have as many. */
  readonly storedBytes: number
  /** Values a row; a list of that size, where it is one. */
  readonly size: number
  readonly list: boolean
  /** Where its bytes start in a record, and how many of a record are one value. */
  readonly offset: number
  readonly valueBytes: number
}

/** A string is its column's name, `_` and a number: DLIO's. The number is 4 bytes of the record. */
const STRING_BYTES = 4

const NUMBERS: Readonly<Record<string, DType>> = {
  uint8: 'uint8',
  int8: 'int8',
  uint16: 'uint16',
  int16: 'int16',
  uint32: 'uint32',
  int32: 'int32',
  int64: 'int64',
  uint64: 'uint64',
  float16: 'float16',
  float32: 'float32',
  float64: 'float64',
  bool: 'bool',
}

function physicalOf(value: DType): [physical: number, storedBytes: number] {
  if (value === 'bool') return [PHYSICAL.boolean, 1]
  if (value === 'float16') return [PHYSICAL.fixedByteArray, 2]
  if (value === 'float32') return [PHYSICAL.float, 4]
  if (value === 'float64') return [PHYSICAL.double, 8]
  return itemSize(value) === 8 ? [PHYSICAL.int64, 8] : [PHYSICAL.int32, 4]
}

function planColumn({ name, dtype, size }: Column, offset: number): ColumnPlan {
  if (!Number.isSafeInteger(size) || size < 1)
    throw new HeadraceError('E_CONFIG', `column ${show(name)}: size must be a positive integer, but got ${show(size)}`)
  if (dtype === 'string' || dtype === 'binary') {
    const valueBytes = dtype === 'string' ? STRING_BYTES : size
    const physical = PHYSICAL.byteArray
    return { name, value: dtype, physical, storedBytes: 0, size: 1, list: false, offset, valueBytes }
  }
  // `list` says nothing of its elements: DLIO's are float32.
  const value = dtype === 'list' ? 'float32' : NUMBERS[dtype]
  if (value === undefined)
    throw new HeadraceError(
      'E_CONFIG',
      `column ${show(name)}: there is no dtype ${show(dtype)}; there are ${Object.keys(NUMBERS).join(', ')}, string, binary and list`,
    )
  const [physical, storedBytes] = physicalOf(value)
  const list = dtype === 'list' || size > 1
  return { name, value, physical, storedBytes, size, list, offset, valueBytes: itemSize(value) }
}

/** The columns of a file. Without a schema there is one, `data`, a list of uint8 that is a whole record. */
export function planColumns(layout: FileLayout): readonly ColumnPlan[] {
  const { columns = [] } = layout.options
  if (columns.length === 0) {
    const bytes = recordElements(layout) * itemSize(layout.dtype)
    return [{ ...planColumn({ name: 'data', dtype: 'uint8', size: bytes, read: true }, 0), list: true }]
  }
  const names = new Set<string>()
  let offset = 0
  return columns.map((column) => {
    if (column.name === '' || names.has(column.name))
      throw new HeadraceError('E_CONFIG', `a column must have a name of its own, but got ${show(column.name)}`)
    names.add(column.name)
    const plan = planColumn(column, offset)
    offset += plan.size * plan.valueBytes
    return plan
  })
}

/** Bytes of a record that content is made for: what its columns take together, those that are not read too. */
export function columnsBytes(columns: readonly ColumnPlan[]): number {
  return columns.reduce((sum, { size, valueBytes }) => sum + size * valueBytes, 0)
}
