import { recordFormat } from '../../../formats/records.ts'
import { DataSet } from '../../../generate/data-set.ts'
import type { Store } from '../../../storage/types.ts'
import type { RankContext } from './context.ts'

/** Deletes the data set with what goes with its files: `keep_files: false`. */
export async function removeFiles({ workload, signal }: RankContext, store: Store): Promise<void> {
  const format = await recordFormat(workload.data.format)
  const set = new DataSet(workload.data)
  function* keys(): Generator<string> {
    for (let file = 0; file < set.files; file++) {
      yield set.key(file)
      yield* set.sidecarKeys(file, format)
    }
  }
  for await (const { error } of store.delete(keys(), { signal })) if (error !== undefined) throw error
}
