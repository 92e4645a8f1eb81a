import { setImmediate } from 'node:timers/promises'
import { throwIfAborted } from '../errors.ts'
import type { ByteSink, RecordFormat } from '../formats/types.ts'
import { contentOf } from './content.ts'
import type { DataSet } from './data-set.ts'

/** Which files of a set a rank makes: every `size`-th, from its own number on, as DLIO deals them. */
export interface Share {
  readonly rank: number
  readonly size: number
}

/** How many files of a set a rank makes. */
export function filesOf({ files }: DataSet, { rank, size }: Share): number {
  return Math.max(0, Math.ceil((files - rank) / size))
}

export interface PlannedBytes {
  readonly files: number
  /** Without sidecars, which are a few bytes a sample. */
  readonly bytes: number
  /** False where bytes are those of the records, since the files' depend on what the records hold, or were sampled. */
  readonly exact: boolean
}

/** Files that are looked at before others may have a turn. */
const TURN = 20_000

/** Where sizes depend on the content: bytes of a file that is written to nowhere, to see how many it has. */
const TRIED = 8 * 1024 * 1024

/** A file's bytes by those of its records; 1 where it is too large to be tried. */
async function ratioOf(set: DataSet, format: RecordFormat, index: number): Promise<number> {
  const records = set.spec.samplesPerFile * set.recordBytes(index)
  if (records > TRIED) return 1
  let bytes = 0
  const count: ByteSink = {
    write: async (chunk) => {
      bytes += chunk.length
    },
  }
  const nowhere: ByteSink = { write: async () => {} }
  const { layout } = set.file(index)
  await format.write(
    count,
    layout,
    contentOf(set, index),
    format.sidecars.map(() => nowhere),
  )
  return bytes / records
}

export interface PlanOptions {
  readonly signal?: AbortSignal
  /** Most files whose sizes are computed; of more, so many are taken evenly for all. All where absent. */
  readonly sampled?: number
}

/** What a rank will write. E_CONFIG for what the format cannot hold. */
export async function planFiles(
  set: DataSet,
  format: RecordFormat,
  share: Share,
  { signal, sampled = Number.POSITIVE_INFINITY }: PlanOptions = {},
): Promise<PlannedBytes> {
  const files = filesOf(set, share)
  if (files === 0) return { files, bytes: 0, exact: true }
  const first = format.fileBytes(set.file(share.rank).layout)
  const ratio = first === undefined ? await ratioOf(set, format, share.rank) : 1
  const recordsBytes = (index: number) => ratio * set.spec.samplesPerFile * set.recordBytes(index)
  if (set.uniform && format.name !== 'synthetic') {
    const bytes = files * (first ?? recordsBytes(share.rank))
    return { files, bytes: Math.round(bytes), exact: first !== undefined }
  }
  const looked = Math.min(files, sampled)
  let bytes = 0
  let exact = looked === files
  for (let i = 0; i < looked; i++) {
    const index = share.rank + share.size * Math.floor((i * files) / looked)
    const size = format.fileBytes(set.file(index).layout)
    if (size === undefined) exact = false
    bytes += size ?? recordsBytes(index)
    if (i % TURN === TURN - 1) {
      await setImmediate()
      throwIfAborted(signal, 'planning')
    }
  }
  return { files, bytes: Math.round((bytes / looked) * files), exact }
}
