import { setMaxListeners } from 'node:events'
import { throwIfAborted } from '../errors.ts'
import type { RecordFormat } from '../formats/types.ts'
import type { Store } from '../storage/types.ts'
import type { DataSet } from './data-set.ts'
import { isWritten } from './existing.ts'
import { filesOf, type Share } from './plan.ts'
import type { Tally } from './tally.ts'
import { writeFile } from './write-file.ts'

/** How the files of a share are made. */
export interface Order {
  readonly share: Share
  /** keep: files that are there and right stay as they are; replace: all are written. */
  readonly existing: 'keep' | 'replace'
  /** Files under way at once. */
  readonly lanes: number
}

/** Makes files until there are none left, several at once. The first failure stops all. */
export async function runLanes(
  set: DataSet,
  format: RecordFormat,
  store: Store,
  { share, existing, lanes }: Order,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const files = filesOf(set, share)
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  // Every file that is under way listens.
  setMaxListeners(0, either)
  const lane = async () => {
    for (let next = tally.takeNext(); next < files; next = tally.takeNext()) {
      throwIfAborted(either, 'generating')
      const index = share.rank + share.size * next
      if (existing === 'keep' && (await isWritten(set, format, store, index, { signal: either }))) {
        tally.add('kept', 1)
        continue
      }
      await writeFile(set, format, store, index, { signal: either, onBytes: (bytes) => tally.add('bytes', bytes) })
      tally.add('written', 1)
    }
  }
  const running = Array.from({ length: lanes }, async () => {
    try {
      await lane()
    } catch (error) {
      failed.abort(error)
      throw error
    }
  })
  const ended = await Promise.allSettled(running)
  // The cause, and not what it cancelled.
  if (failed.signal.aborted) throw failed.signal.reason
  for (const end of ended) if (end.status === 'rejected') throw end.reason
}
