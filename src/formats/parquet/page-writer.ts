import type { Codec } from './codec.ts'
import type { ColumnPlan } from './columns.ts'
import { type Extremes, extremeBytes } from './extremes.ts'
import { RunEncoder } from './run-encoder.ts'
import { ThriftWriter } from './thrift-writer.ts'

/** As Parquet numbers them. */
export const ENCODING = { plain: 0, plainDictionary: 2, rle: 3, dictionary: 8 } as const
const PAGE = { data: 0, dictionary: 2 } as const

/** Statistics hold no longer values: Arrow's figure. */
const MAX_EXTREME = 4096

/** A page with its header, and the sizes that a column's description adds up. */
export interface MadePage {
  readonly header: Uint8Array
  readonly body: Uint8Array
  /** Header and body, the body before and after compression. */
  readonly plainBytes: number
  readonly storedBytes: number
}

/** Values of a column that go into one page: so many of them from the `first` of the row group on. */
export interface PageValues {
  readonly first: number
  readonly count: number
  readonly encoding: number
  readonly bytes: readonly Uint8Array[]
  readonly extremes: Extremes | undefined
}

/** Writes the fields of a column's or a page's statistics. */
export function putStatistics(to: ThriftWriter, { value }: ColumnPlan, extremes: Extremes | undefined): void {
  const bytes = extremes && {
    max: extremeBytes(value, extremes.max, 'max'),
    min: extremeBytes(value, extremes.min, 'min'),
  }
  const { max, min } = bytes ?? {}
  const known = max !== undefined && min !== undefined && Math.max(max.length, min.length) <= MAX_EXTREME
  // The old fields, for types whose order nobody got wrong.
  const old = known && !['uint8', 'uint16', 'uint32', 'uint64', 'string', 'binary'].includes(value)
  if (old) to.binary(1, max).binary(2, min)
  to.i64(3, 0)
  if (known) to.binary(5, max).binary(6, min).bool(7, true).bool(8, true)
}

export async function dictionaryPage(values: Uint8Array, count: number, codec: Codec): Promise<MadePage> {
  return page(PAGE.dictionary, values, codec, (header) =>
    header.struct(7, (inner) => inner.i32(1, count).i32(2, ENCODING.plain).bool(3, false)),
  )
}

export async function dataPage(column: ColumnPlan, values: PageValues, codec: Codec): Promise<MadePage> {
  const body = Buffer.concat([...levels(column, values), ...values.bytes])
  return page(PAGE.data, body, codec, (header) =>
    header.struct(5, (inner) => {
      inner.i32(1, values.count).i32(2, values.encoding).i32(3, ENCODING.rle).i32(4, ENCODING.rle)
      inner.struct(5, (statistics) => putStatistics(statistics, column, values.extremes))
    }),
  )
}

async function page(type: number, plain: Uint8Array, codec: Codec, about: (header: ThriftWriter) => unknown) {
  const body = await codec.compress(plain)
  const header = new ThriftWriter().i32(1, type).i32(2, plain.length).i32(3, body.length)
  about(header)
  const bytes = header.stop().take()
  return { header: bytes, body, plainBytes: bytes.length + plain.length, storedBytes: bytes.length + body.length }
}

/** Of each value, whether a row begins with it, and that it is there. */
function levels({ list, size }: ColumnPlan, { first, count }: PageValues): Uint8Array[] {
  const there = new RunEncoder(list ? 2 : 1)
  there.putRun(list ? 3 : 1, count)
  if (!list) return withLength(there.end())
  const rows = new RunEncoder(1, 1024)
  let at = first % size
  for (let left = count; left > 0; ) {
    const ones = at === 0 ? 0 : Math.min(size - at, left)
    if (at === 0) {
      rows.put(0)
      at = 1
      left--
    } else {
      rows.putRun(1, ones)
      at += ones
      left -= ones
    }
    if (at === size) at = 0
  }
  return [...withLength(rows.end()), ...withLength(there.end())]
}

function withLength(bytes: Uint8Array): Uint8Array[] {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return [length, bytes]
}
