import { parentPort, workerData } from 'node:worker_threads'
import { recordFormat } from '../formats/records.ts'
import { openStoreSpec } from '../storage/spec.ts'
import { type FailureData, failureData } from '../storage/threads/failure.ts'
import type { StoreSpec } from '../storage/types.ts'
import type { StoreOptions } from '../storage/url.ts'
import { DataSet } from './data-set.ts'
import { type Order, runLanes } from './lanes.ts'
import { Tally } from './tally.ts'
import type { DataSetSpec } from './types.ts'

/** A worker thread that makes files: opens a store of its own and takes files until there are none left. */

export interface ThreadData {
  readonly set: DataSetSpec
  readonly store: StoreSpec
  /** What the store was opened with and its spec leaves out. */
  readonly secrets: StoreOptions
  readonly order: Order
  readonly tally: SharedArrayBuffer
}

/** Absent: it is done. */
export type ThreadAnswer = { readonly failure?: FailureData }

async function work({ set: spec, store: storeSpec, secrets, order, tally }: ThreadData): Promise<void> {
  const stop = new AbortController()
  parentPort?.on('message', () => stop.abort())
  const set = new DataSet(spec)
  const format = await recordFormat(spec.format)
  const store = await openStoreSpec({ ...storeSpec, options: { ...storeSpec.options, ...secrets } })
  try {
    await runLanes(set, format, store, order, new Tally(tally), stop.signal)
  } finally {
    await store.close()
  }
}

const answer = (message: ThreadAnswer) => {
  parentPort?.postMessage(message)
  parentPort?.close()
}

work(workerData as ThreadData).then(
  () => answer({}),
  (error) => answer({ failure: failureData(error) }),
)
