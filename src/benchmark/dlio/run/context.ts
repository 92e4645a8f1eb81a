import type { Communicator } from '../../../distributed/types.ts'
import type { StoreSpec } from '../../../storage/types.ts'
import type { StoreOptions } from '../../../storage/url.ts'
import type { ResolvedConfig, RunPlan, Workload } from '../types.ts'
import type { EpochLog } from './epoch-log.ts'
import type { HostFacts } from './host.ts'
import type { RunLog } from './log.ts'
import type { MetricRules } from './metrics.ts'
import type { Progress } from './progress.ts'

/** What may be told of a run beside its config; plain data. */
export interface RunSettings {
  /** `fail` (the default): a sample that cannot be read ends the run. `count`: it is counted and reported. */
  readonly onError: 'fail' | 'count'
  /** Compares every record with what the generator makes of the set's seed. */
  readonly verify: boolean
  /** Seconds that a batch may take. */
  readonly timeout: number
  /** Bytes of batches that are read or wait, of a rank. */
  readonly ringBytes: number
  /** Bytes of file contents that a rank keeps under `read_type: memory`. */
  readonly holdBytes: number
  /** Samples of an object store that a thread reads at once. */
  readonly requests: number
  /** Runs some steps of the plan on storage that answers at once, after the run. */
  readonly calibrate: boolean
  /** Makes the system forget the files before each epoch. */
  readonly dropCaches: boolean
}

/** What all phases of a rank share. */
export interface RankContext {
  readonly config: ResolvedConfig
  readonly workload: Workload
  readonly plan: RunPlan
  readonly settings: RunSettings
  /** In place of the store that the data folder's URL opens. */
  readonly store: { readonly spec: StoreSpec; readonly secrets: StoreOptions } | undefined
  readonly comm: Communicator
  readonly log: RunLog
  readonly progress: Progress
  readonly rules: MetricRules
  readonly signal: AbortSignal
  /** One word, of STOP: not 0 ends what blocks the thread. */
  readonly stop: SharedArrayBuffer
  readonly epochs: EpochLog[]
  readonly host: HostFacts
  /** Of 2^30 bytes: what the ranks of a host read in an epoch, as DLIO counts it. */
  readonly dataPerHostGb: number
  /** Of a sample, as DLIO counts MB/s. */
  readonly recordBytes: number
  /** An absolute path. */
  readonly outputFolder: string
}
