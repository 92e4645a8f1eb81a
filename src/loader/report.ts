import type { FaultReport } from './faults.ts'
import type { TuneMove } from './tuner.ts'
import type { WorkerReport } from './workers/member.ts'

/** What a loader has done until now, as JSON. */
export interface LoaderReport extends FaultReport {
  /** The worker threads of now, or of the last epoch that had some. */
  readonly workers: readonly WorkerReport[]
  /** As they are now: `autoTune` moves them. */
  readonly flow: { readonly prefetch: number; readonly inflight: number; readonly workers: number }
  /** Milliseconds that the consumer waited for batches. */
  readonly waited: number
  /** What `autoTune` did. */
  readonly tuning: readonly TuneMove[]
}
