import { show } from '../../checks.ts'
import { type DType, itemSize } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { corrupt, recordBytes } from '../layout.ts'
import type { ByteSource, FileLayout } from '../types.ts'
import { planColumns } from './columns.ts'
import type { Footer } from './footer.ts'
import type { Leaf } from './schema.ts'

/** The longest number that DLIO puts into a string: 2^32 - 1. */
const NUMBER_DIGITS = 10
/** Bytes of a value of any length that is made room for where nothing is known of it. */
const MAX_VALUE = 64 * 1024 * 1024

/** Which leaves a sample consists of: those of the columns that are read, in the order in which they are named. */
export function chooseLeaves(source: ByteSource, layout: FileLayout | undefined) {
  const columns = layout?.options.columns ?? []
  const read = columns.filter((column) => column.read).map(({ name }) => name)
  if (columns.length > 0 && read.length === 0)
    throw new HeadraceError('E_CONFIG', `${source.name}: none of ${columns.length} columns is read`, {
      path: source.name,
    })
  return (leaves: readonly Leaf[]): readonly Leaf[] => {
    if (leaves.length === 0) throw corrupt(source.name, 'it has no columns')
    if (read.length === 0) return leaves
    const byName = new Map<string, Leaf[]>()
    for (const leaf of leaves) byName.set(leaf.name, [...(byName.get(leaf.name) ?? []), leaf])
    return read.flatMap((name) => {
      const found = byName.get(name)
      if (found === undefined) throw corrupt(source.name, `it has no column ${show(name)}`)
      return found
    })
  }
}

/** What a record of these leaves is. */
export interface RecordPlan {
  /** Of each leaf: values a row where all rows have as many. */
  readonly sizes: readonly (number | undefined)[]
  /** Bytes of a record; where they differ, of the longest there can be. */
  readonly bytes: number
  readonly even: boolean
  readonly shape: readonly number[]
  readonly dtype: DType
}

export function planRecord(footer: Footer, leaves: readonly Leaf[], layout: FileLayout | undefined): RecordPlan {
  const sizes = leaves.map((leaf, i) => (leaf.valueBytes === 0 ? undefined : valuesARow(footer, leaf, i)))
  const even = sizes.every((size) => size !== undefined)
  const bytes = leaves.reduce((sum, leaf, i) => {
    const size = sizes[i]
    return sum + (size === undefined ? longest(footer, leaf, i, layout) : size * leaf.valueBytes)
  }, 0)
  const [dtype] = leaves.map((leaf) => leaf.dtype)
  const alike = even && dtype !== undefined && leaves.every((leaf) => leaf.dtype === dtype)
  const found = alike ? { shape: [bytes / itemSize(dtype)], dtype } : { shape: [bytes], dtype: 'uint8' as const }
  // One column of bytes is a whole record, whatever that is.
  const whole = leaves.length === 1 && even && (layout?.options.columns ?? []).length === 0
  const known = layout !== undefined && (whole || layout.dtype === found.dtype) && recordBytes(layout) === bytes
  return { sizes, bytes, even, ...found, ...(known && { shape: layout.shape, dtype: layout.dtype }) }
}

/** Where a list has as many values in every row, as the numbers of rows and values say. */
function valuesARow({ groups }: Footer, leaf: Leaf, i: number): number | undefined {
  if (leaf.maxRepetition === 0) return 1
  const [first, ...others] = groups.filter(({ rows }) => rows > 0)
  if (first === undefined) return undefined
  const size = (first.chunks[i]?.values ?? 0) / first.rows
  const same = others.every(({ chunks, rows }) => chunks[i]?.values === size * rows)
  return Number.isInteger(size) && size > 0 && same ? size : undefined
}

function longest({ groups }: Footer, { name }: Leaf, i: number, layout: FileLayout | undefined): number {
  const column =
    (layout?.options.columns?.length ?? 0) > 0 && layout
      ? planColumns(layout).find((plan) => plan.name === name)
      : undefined
  if (column?.value === 'string') return Buffer.byteLength(name) + 1 + NUMBER_DIGITS
  if (column !== undefined) return column.size * column.valueBytes
  return Math.min(MAX_VALUE, Math.max(0, ...groups.map(({ chunks }) => chunks[i]?.plainBytes ?? 0)))
}
