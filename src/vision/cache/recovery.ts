import { stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { combineCrc32c } from '../../crc32c.ts'
import type { Schema } from '../../datasets/types.ts'
import { native } from '../../native.ts'
import { headerOf, type RowType } from './append-file.ts'
import { fieldFiles } from './columns.ts'
import { type ReadRecord, readJournal } from './journal.ts'
import type { Skipped } from './options.ts'

/** An unfinished build, cut back to the last state that its files agree with. */
export interface Recovered {
  readonly record: ReadRecord
  /** Everything left out so far. */
  readonly skipped: readonly Skipped[]
}

/** How many of the records a file agrees with: it is long enough, and its bytes have the checksums they say. */
async function soundRecords(
  path: string,
  file: string,
  rows: RowType | undefined,
  records: readonly ReadRecord[],
  threads: number,
): Promise<number> {
  const start = headerOf(rows, 0).length
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  const ends: number[] = [0]
  for (const { extents } of records) {
    const bytes = extents[file]?.bytes ?? -1
    if (bytes < (ends.at(-1) ?? 0) || (bytes > 0 && start + bytes > size)) break
    ends.push(bytes)
  }
  const pieces = ends.length - 1
  if (pieces === 0 || size === 0) return pieces
  const offsets = Float64Array.from({ length: pieces }, (_, i) => start + (ends[i] ?? 0))
  const sizes = Float64Array.from({ length: pieces }, (_, i) => (ends[i + 1] ?? 0) - (ends[i] ?? 0))
  // an empty piece may start where a file without any rows has no byte yet
  sizes.forEach((bytes, i) => {
    if (bytes === 0) offsets[i] = 0
  })
  const map = native.mapFile(path)
  try {
    const sums = await native.crc32cMapped(map, offsets, sizes, threads)
    let crc = 0
    for (let i = 0; i < pieces; i++) {
      crc = combineCrc32c(crc, sums[i] ?? 0, sizes[i] ?? 0)
      if (crc !== records[i]?.extents[file]?.crc) return i
    }
    return pieces
  } finally {
    native.unmapFile(map)
  }
}

/**
 * Finds how far an unfinished build of this identity came, checks every byte of it against the journal, and cuts its
 * files to the last record that all of them agree with. undefined: nothing that can be used.
 */
export async function recover(
  folder: string,
  journal: string,
  identity: string,
  schema: Schema,
  threads: number,
): Promise<Recovered | undefined> {
  const records = await readJournal(journal, identity)
  if (records === undefined || records.length === 0) return undefined
  const files = Object.entries(schema).flatMap(([name, field]) => fieldFiles(name, field))
  let sound = records.length
  for (const [file, rows] of files)
    sound = Math.min(sound, await soundRecords(join(folder, file), file, rows, records, threads))
  const record = records[sound - 1]
  if (record === undefined) return undefined
  for (const [file, rows] of files)
    await truncate(join(folder, file), headerOf(rows, 0).length + (record.extents[file]?.bytes ?? 0))
  return { record, skipped: records.slice(0, sound).flatMap(({ skipped }) => skipped) }
}
