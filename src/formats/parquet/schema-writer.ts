import { type ColumnPlan, PHYSICAL } from './columns.ts'
import type { ThriftWriter } from './thrift-writer.ts'

/** Fields of Parquet's SchemaElement. */
const REQUIRED = 0
const OPTIONAL = 1
const REPEATED = 2
const UTF8 = 0
const LIST = 3

/** As Parquet numbers its older annotations of integers. */
const CONVERTED: Readonly<Record<string, number>> = {
  uint8: 11,
  uint16: 12,
  uint32: 13,
  uint64: 14,
  int8: 15,
  int16: 16,
}

/** A node of the schema. */
interface Element {
  readonly name: string
  readonly repetition: number
  readonly children?: number
  readonly list?: boolean
  readonly column?: ColumnPlan
}

/** The root, then every column with what it consists of, in the order of a walk through the tree. */
function elements(columns: readonly ColumnPlan[]): Element[] {
  const root = { name: 'schema', repetition: REQUIRED, children: columns.length }
  return [
    root,
    ...columns.flatMap((column): Element[] => {
      const { name, list } = column
      if (!list) return [{ name, repetition: OPTIONAL, column }]
      return [
        { name, repetition: OPTIONAL, children: 1, list: true },
        { name: 'list', repetition: REPEATED, children: 1 },
        { name: 'element', repetition: OPTIONAL, column },
      ]
    }),
  ]
}

export function putSchema(to: ThriftWriter, field: number, columns: readonly ColumnPlan[]): void {
  to.structs(field, elements(columns), ({ name, repetition, children, list, column }, inner) => {
    if (column !== undefined) {
      inner.i32(1, column.physical)
      if (column.physical === PHYSICAL.fixedByteArray) inner.i32(2, column.storedBytes)
    }
    inner.i32(3, repetition).binary(4, name)
    if (children !== undefined) inner.i32(5, children)
    if (list) inner.i32(6, LIST).struct(10, (logical) => logical.struct(3, () => {}))
    if (column !== undefined) putLogicalType(inner, column)
  })
}

function putLogicalType(to: ThriftWriter, { value }: ColumnPlan): void {
  const converted = CONVERTED[value]
  if (value === 'string') to.i32(6, UTF8).struct(10, (logical) => logical.struct(1, () => {}))
  else if (value === 'float16') to.struct(10, (logical) => logical.struct(15, () => {}))
  else if (converted !== undefined)
    to.i32(6, converted).struct(10, (logical) =>
      logical.struct(10, (integer) =>
        integer.byte(1, Number(value.replace(/\D/g, ''))).bool(2, value.startsWith('int')),
      ),
    )
}
