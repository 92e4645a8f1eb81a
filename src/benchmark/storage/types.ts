import type { Percentiles } from '../../histogram.ts'

/** What is measured. `mixed`: of twenty operations nine gets, three puts, two deletes and six heads. */
export type StorageOp = 'get' | 'put' | 'list' | 'delete' | 'mixed'

export const STORAGE_OPS: readonly StorageOp[] = ['get', 'put', 'list', 'delete', 'mixed']

export interface BenchStorageOptions {
  readonly op: StorageOp
  /** Bytes of an object, up to 1 GiB; 128 KiB. */
  readonly size?: number
  /** 1,000. */
  readonly objects?: number
  /** Operations under way at once, of all workers together; 32. */
  readonly concurrency?: number
  /** Seconds; 10. A `delete` ends when nothing is left. */
  readonly duration?: number
  /** Seconds that are not measured before; 1. */
  readonly warmup?: number
  /** Threads, each with a store of its own; 1 is the thread that calls. */
  readonly workers?: number
  /** Keys of one delete; 1. */
  readonly batch?: number
  /** Of the bytes that are written, and of the order of gets; 0. */
  readonly seed?: number
  /** Leaves the objects where they are, for the next run. */
  readonly keep?: boolean
  /** A file that gets a record of every operation that is measured. */
  readonly opLog?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: BenchStorageProgress) => void
}

export interface BenchStorageProgress {
  readonly doing: 'preparing' | 'warming up' | 'measuring' | 'cleaning up'
  /** Objects, or seconds. */
  readonly done: number
  readonly total: number
}

export interface BenchStorageReport {
  readonly op: StorageOp
  readonly url: string
  readonly concurrency: number
  readonly workers: number
  readonly objects: number
  /** That moved while it was measured. */
  readonly bytes: number
  /** From the first start to the last end. */
  readonly seconds: number
  /** Of operations that succeeded. */
  readonly opsPerSecond: number
  readonly bytesPerSecond: number
  /** Null where nothing succeeded. */
  readonly latencyMs: Percentiles | null
  /** Null where the store does not say when the first byte came. */
  readonly firstByteMs: Percentiles | null
  /** User and system, of the whole process; null where nothing succeeded. */
  readonly cpuSecondsPerOp: number | null
  /** Null where no bytes moved. */
  readonly cpuSecondsPerGiB: number | null
  /** Of the whole process, from its beginning on. */
  readonly peakRssBytes: number
  /** How often, by code. */
  readonly errors: Readonly<Record<string, number>>
}

/** What a thread is told. */
export interface LoopPlan {
  readonly op: StorageOp
  readonly size: number
  readonly objects: number
  /** Of this thread. */
  readonly concurrency: number
  readonly worker: number
  readonly workers: number
  readonly batch: number
  readonly seed: number
  /** What the keys begin with. */
  readonly folder: string
}
