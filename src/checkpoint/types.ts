/** Element types of DLIO's tensors, by their names there. */
export type TensorType = 'fp16' | 'bf16' | 'fp32' | 'fp64' | 'int8' | 'uint8'

export interface TensorSpec {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: TensorType
}

/** One file of a checkpoint. */
export interface CheckpointFile {
  /** Below the checkpoint folder: `global_epoch1_step1/...`. */
  readonly key: string
  readonly tensors: readonly TensorSpec[]
  /** Of the tensors alone. */
  readonly bytes: number
  /** `bundle`: TensorFlow's, with an index beside it. Absent: docs/formats/checkpoint.md. */
  readonly layout?: 'bundle'
}

export interface Parallelism {
  readonly tensor: number
  readonly pipeline: number
  /** -1: what the number of ranks leaves. */
  readonly data: number
  readonly zeroStage: 0 | 1 | 2 | 3
}

/** Of a transformer: elements, and heads. */
export interface TransformerShape {
  readonly hidden: number
  readonly ffn: number
  readonly vocabulary: number
  readonly heads: number
  readonly kvHeads: number
}

/** What is saved, as plain data; from it and the number of ranks every rank knows its files without asking others. */
export interface CheckpointSpec {
  readonly framework: 'pytorch' | 'tensorflow'
  /** Ends of file names: `pt`, `pts3`, `pb`. */
  readonly extension: string
  /** `default`: all of a job's ranks are here. `subset`: the first ranks of a larger one. */
  readonly mode: 'default' | 'subset'
  /** DLIO's key, which changes nothing there: who writes what follows from the parallelism. */
  readonly type: 'rank_zero' | 'all_ranks'
  readonly parallelism: Parallelism
  readonly modelType: TensorType
  readonly optimizerType: TensorType
  readonly model:
    | ({ readonly kind: 'transformer'; readonly layers: number } & TransformerShape)
    /** `model_size_bytes`, and DLIO's older keys. */
    | {
        readonly kind: 'sized'
        readonly bytes: number
        readonly layers: number
        readonly layerParameters: readonly number[]
        readonly optimizationGroups: readonly number[]
        /** With layers, whose sizes or whose optimizer no list gives: those of a transformer are taken, as DLIO does. */
        readonly transformer?: TransformerShape
      }
}
