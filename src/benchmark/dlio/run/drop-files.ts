import { closeSync, openSync } from 'node:fs'
import { DataSet } from '../../../generate/data-set.ts'
import { native } from '../../../native.ts'
import type { Store } from '../../../storage/types.ts'
import type { RankContext } from './context.ts'

/** Files between looks at the signal. */
const TURN = 256

/**
 * Makes this host's page cache forget the set's files, which needs no rights but those to read them. The ranks of a host
 * share the work; all wait for it. Files of another store are not in this cache.
 */
export async function dropFiles({ workload, comm, signal }: RankContext, store: Store): Promise<void> {
  const { localPath } = store
  if (localPath !== undefined) {
    const set = new DataSet(workload.data)
    for (let file = comm.localRank; file < set.files && !signal.aborted; file += comm.localSize) {
      await dropPages(localPath.call(store, set.key(file)))
      if (file % TURN === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  if (comm.size > 1) await comm.barrier({ signal })
}

/** What is not there has no pages. */
async function dropPages(path: string): Promise<void> {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return
  }
  try {
    await native.dropFilePages(fd, 0, 0)
  } finally {
    closeSync(fd)
  }
}
