import { type ColumnPlan, PHYSICAL } from './columns.ts'
import type { Extremes } from './extremes.ts'
import { ENCODING, putStatistics } from './page-writer.ts'
import { ThriftWriter } from './thrift-writer.ts'

/** What was written of a column of a row group. */
export interface ColumnFacts {
  /** As Parquet numbers it. */
  readonly codec: number
  readonly values: number
  /** Of values of any length, without their lengths. */
  readonly rawBytes: number
  readonly extremes: Extremes | undefined
  /** Pages of values by their number in the dictionary, and as they are. */
  readonly pages: { readonly dictionary: number; readonly plain: number }
  /** Bytes with headers, before and after compression. */
  readonly plain: number
  readonly stored: number
  /** Where in the file the first page of values lies, and the dictionary if there is one. */
  readonly firstData: number
  readonly dictionary?: number
}

const DATA_PAGE = 0
const DICTIONARY_PAGE = 2

/** Parquet's ColumnChunk, with what Arrow tells of it. */
export function describeColumn(column: ColumnPlan, facts: ColumnFacts): Uint8Array {
  const { name, list, size, physical } = column
  const { pages, values, dictionary } = facts
  const stats: [page: number, encoding: number, count: number][] = []
  if (dictionary !== undefined) stats.push([DICTIONARY_PAGE, ENCODING.plain, 1])
  if (pages.plain > 0) stats.push([DATA_PAGE, ENCODING.plain, pages.plain])
  if (pages.dictionary > 0) stats.push([DATA_PAGE, ENCODING.dictionary, pages.dictionary])
  // As Arrow lists them: the dictionary's, that of levels, those of pages; each once.
  const first = dictionary === undefined ? [] : [ENCODING.plain]
  const encodings = [...new Set([...first, ENCODING.rle, ...stats.map(([, encoding]) => encoding)])]
  const chunk = new ThriftWriter().i64(2, 0).struct(3, (to) => {
    to.i32(1, physical).i32s(2, encodings)
    to.binaries(3, list ? [name, 'list', 'element'] : [name])
    to.i32(4, facts.codec).i64(5, values)
    to.i64(6, facts.plain).i64(7, facts.stored).i64(9, facts.firstData)
    if (dictionary !== undefined) to.i64(11, dictionary)
    to.struct(12, (statistics) => putStatistics(statistics, column, facts.extremes))
    to.structs(13, stats, ([page, encoding, count], inner) => inner.i32(1, page).i32(2, encoding).i32(3, count))
    to.struct(16, (inner) => {
      if (physical === PHYSICAL.byteArray) inner.i64(1, facts.rawBytes)
      const rows = values / size
      inner.i64s(2, list ? [rows, values - rows] : [])
      inner.i64s(3, list ? [0, 0, 0, values] : [0, values])
    })
  })
  return chunk.stop().take()
}
