import { checkLayout, refuseOptions } from './layout.ts'
import { expectedRecord } from './parquet/expected-record.ts'
import { inspectParquet } from './parquet/inspect.ts'
import { openRows } from './parquet/reader.ts'
import { describe, writeParquet } from './parquet/writer.ts'
import type { FileLayout, RecordFormat } from './types.ts'

const OPTIONS = ['compression', 'compressionLevel', 'columns', 'rowGroupSize', 'rowsAtOnce'] as const

function check(layout: FileLayout): void {
  refuseOptions('parquet', layout.options, OPTIONS)
  checkLayout('parquet', layout)
  describe(layout)
}

/**
 * Parquet. A sample is a row: the bytes of its columns that are read, one after the other, strings and lists without
 * their lengths. Only the ranges of those columns are fetched, a row group at a time; of row groups beyond 32 MiB, the
 * pages that a row lies in.
 */
export const parquet: RecordFormat = {
  name: 'parquet',
  sidecars: [],
  fileBytes(layout) {
    check(layout)
    return undefined
  },
  async write(sink, layout, content) {
    check(layout)
    await writeParquet(sink, layout, content)
  },
  open: (source, layout) => openRows(source, layout),
  expected: expectedRecord,
  inspect: (source) => inspectParquet(source),
}
