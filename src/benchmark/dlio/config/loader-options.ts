import type { Workload } from '../types.ts'

/** What dl-driver's `validate --to-json` derives: options of its loader and its pool, by its own names. */
export interface LoaderOptions {
  readonly batch_size: number
  readonly drop_last: boolean
  readonly shuffle: boolean
  readonly num_workers: number
  readonly prefetch: number
  readonly seed: number
  readonly reader_mode: 'sequential'
  readonly loading_mode: 'async_pool'
  readonly pool_config: {
    readonly pool_size: number
    readonly readahead_batches: number
    /** Seconds. */
    readonly batch_timeout: number
    readonly max_inflight: number
  }
}

/** Requests a reader thread keeps under way, and the bounds of dl-driver's pool. */
const POOL_PER_THREAD = 4
const BATCH_TIMEOUT = 10
const MAX_INFLIGHT = 64

export function loaderOptions({ reader, train }: Workload): LoaderOptions {
  const threads = Math.max(1, reader.readThreads)
  return {
    batch_size: reader.batchSize,
    drop_last: reader.dropLast,
    shuffle: reader.fileShuffle !== 'off' || reader.sampleShuffle !== 'off',
    num_workers: reader.readThreads,
    prefetch: reader.prefetch,
    seed: train.seed,
    reader_mode: 'sequential',
    loading_mode: 'async_pool',
    pool_config: {
      pool_size: threads * POOL_PER_THREAD,
      readahead_batches: reader.prefetch,
      batch_timeout: BATCH_TIMEOUT,
      max_inflight: MAX_INFLIGHT,
    },
  }
}
