import type { CheckpointFile, CheckpointSpec } from '../../checkpoint/types.ts'
import type { DataSetSpec } from '../../generate/types.ts'

/** Whose behaviour holds where the code lines of DLIO differ; `default` is ours, which mends what is a bug in all. */
export type Profile = 'default' | 'dlio' | 'mlperf-v2' | 'mlcommons-fork'

/** Seconds, drawn anew each time; the absolute value of the draw counts. */
export type Distribution =
  | { readonly type: 'constant'; readonly value: number }
  | { readonly type: 'normal'; readonly mean: number; readonly stdev: number }
  | { readonly type: 'uniform'; readonly min: number; readonly max: number }
  | { readonly type: 'gamma'; readonly shape: number; readonly scale: number }
  | { readonly type: 'exponential'; readonly scale: number }
  | { readonly type: 'poisson'; readonly lam: number }

export type Shuffle = 'off' | 'seed' | 'random'

/** A workload, resolved: DLIO's groups and keys, every value there, checked and of its type. */
export interface Workload {
  readonly model: { readonly name: string; readonly type: string | null; readonly size_bytes: number }
  readonly framework: 'tensorflow' | 'pytorch' | 'jax'
  readonly workflow: {
    readonly generate_data: boolean
    readonly train: boolean
    readonly evaluation: boolean
    readonly checkpoint: boolean
    readonly profiling: boolean
  }
  /** The data set, whatever keys it came from. */
  readonly data: DataSetSpec
  readonly keepFiles: boolean
  readonly reader: {
    readonly batchSize: number
    readonly batchSizeEval: number
    /** Worker threads that read and decode; 0: the thread that steps does. */
    readonly readThreads: number
    readonly computationThreads: number
    /** Batches ahead. */
    readonly prefetch: number
    readonly fileShuffle: Shuffle
    readonly sampleShuffle: Shuffle
    readonly shuffleSize: number
    readonly readType: 'memory' | 'on_demand'
    /** Bytes of one read call; undefined: as large as the sample. */
    readonly transferSize: number | undefined
    readonly odirect: boolean
    readonly dataLoader: string
    readonly preprocessTime: Distribution
    /** Bytes of the tensor handed to the trainer; undefined: the record's. */
    readonly resizedBytes: number | undefined
    /** Whether the last incomplete global batch is left out. */
    readonly dropLast: boolean
  }
  readonly train: {
    readonly epochs: number
    /** -1: all. */
    readonly totalSteps: number
    readonly seed: number
    readonly seedChangeEpoch: boolean
    readonly computationTime: Distribution
  }
  readonly evaluation: { readonly time: Distribution; readonly afterEpoch: number; readonly epochsBetween: number }
  readonly checkpoint: {
    readonly url: string
    readonly spec: CheckpointSpec
    readonly afterEpoch: number
    readonly epochsBetween: number
    readonly stepsBetween: number
    readonly fsync: boolean
    /** Seconds; -1: none. */
    readonly timeBetween: number
    readonly writes: number
    readonly reads: number
    readonly recoveryRankShift: boolean
    readonly rankSync: boolean
    readonly randomizeTensor: boolean
  }
  readonly output: {
    readonly folder: string
    readonly logFile: string
    readonly excludeStartSteps: number
    readonly excludeEndSteps: number
  }
  /** AU to reach, 0 to 1. */
  readonly metricAu: number
  /** Bytes of a sample that MB/s are counted with: `record_length_bytes`, or what `record_dims` or columns come to. */
  readonly recordLength: number
  readonly iostatDevices: readonly string[]
  readonly profile: Profile
}

export interface Warning {
  readonly message: string
  /** Dotted, below `workload`. */
  readonly key?: string
  readonly file?: string
  /** 1-based. */
  readonly line?: number
  readonly column?: number
}

/** What a config file and its overrides come to. */
export interface ResolvedConfig {
  /** DLIO's own keys, as Hydra composes them: what `.hydra/config.yaml` holds below `workload`. */
  readonly tree: Readonly<Record<string, unknown>>
  readonly workload: Workload
  readonly overrides: readonly string[]
  readonly outputFolder: string
  /** Every key that DLIO has, with what is given or its default; secrets as `***`. */
  readonly resolved: Readonly<Record<string, unknown>>
  /** What `openStore` needs besides the URLs. Holds credentials: for no output. */
  readonly storageOptions: Readonly<Record<string, unknown>>
  /** Files that say what was run, for the folder `subdir` below the output folder; null: they are not wanted. */
  readonly hydra: { readonly subdir: string | null; readonly files: Readonly<Record<string, string>> }
  /** `workflow.query`: the key whose value is all that is wanted. */
  readonly query: string | null
  readonly warnings: readonly Warning[]
}

/** One part of a run. */
export type Phase =
  | { readonly kind: 'generate' }
  | {
      readonly kind: 'train'
      readonly epoch: number
      readonly block: number
      /** Of the epoch, from 1 on. */
      readonly firstStep: number
      readonly steps: number
    }
  | { readonly kind: 'evaluate'; readonly epoch: number; readonly steps: number }
  | { readonly kind: 'save'; readonly epoch: number; readonly step: number; readonly number: number }
  | { readonly kind: 'load'; readonly epoch: number; readonly step: number; readonly number: number }

/** The whole run, made before it starts: the same on every rank. */
export interface RunPlan {
  readonly ranks: number
  readonly stepsPerEpoch: number
  readonly evalSteps: number
  readonly phases: readonly Phase[]
  readonly checkpointFiles: readonly (readonly CheckpointFile[])[]
}
