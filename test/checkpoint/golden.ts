import { readFileSync } from 'node:fs'
import type { CheckpointSpec, TensorType, TransformerShape } from '../../src/checkpoint/types.ts'

/** What DLIO itself wrote and computed: see test/fixtures/dlio-checkpoints/README.md. */

const folder = new URL('../fixtures/dlio-checkpoints/', import.meta.url)
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))

export interface GoldenRun {
  readonly case: string
  readonly ranks: number
  readonly framework: 'pytorch' | 'tensorflow'
  readonly model: {
    readonly type?: string
    readonly model_size_bytes?: number
    readonly num_layers?: number
    readonly layer_parameters?: readonly number[]
    readonly optimization_groups?: readonly number[]
    readonly model_datatype?: TensorType
    readonly optimizer_datatype?: TensorType
    readonly parallelism?: {
      readonly tensor?: number
      readonly pipeline?: number
      readonly data?: number
      readonly zero_stage?: 0 | 1 | 2 | 3
    }
    readonly transformer?: {
      readonly vocab_size: number
      readonly hidden_size: number
      readonly ffn_hidden_size: number
      readonly num_attention_heads: number
      readonly num_kv_heads: number
    }
  }
  readonly mode?: 'subset'
  readonly sizeGB?: number
  readonly files: readonly string[]
  readonly fileBytes: readonly number[]
  /** Of the first checkpoint's files: shape and type of each tensor. */
  readonly tensors: Readonly<Record<string, Readonly<Record<string, readonly [readonly number[], string]>>>>
}

export const GOLDEN_RUNS = read('runs.json') as readonly GoldenRun[]

export function goldenRun(name: string): GoldenRun {
  const found = GOLDEN_RUNS.find((run) => run.case === name)
  if (found === undefined) throw new Error(`no golden run is called ${name}`)
  return found
}

/** DLIO's defaults. */
const SHAPE: TransformerShape = { hidden: 2048, ffn: 8192, vocabulary: 32000, heads: 32, kvHeads: 8 }

export function specOf({ framework, model, mode }: GoldenRun): CheckpointSpec {
  const { parallelism = {}, transformer } = model
  const shape = transformer
    ? {
        hidden: transformer.hidden_size,
        ffn: transformer.ffn_hidden_size,
        vocabulary: transformer.vocab_size,
        heads: transformer.num_attention_heads,
        kvHeads: transformer.num_kv_heads,
      }
    : SHAPE
  return {
    framework,
    extension: framework === 'tensorflow' ? 'pb' : 'pt',
    mode: mode ?? 'default',
    type: 'rank_zero',
    parallelism: {
      tensor: parallelism.tensor ?? 1,
      pipeline: parallelism.pipeline ?? 1,
      data: parallelism.data ?? -1,
      zeroStage: parallelism.zero_stage ?? 0,
    },
    modelType: model.model_datatype ?? 'fp16',
    optimizerType: model.optimizer_datatype ?? 'fp32',
    model:
      model.type === 'transformer'
        ? { kind: 'transformer', layers: model.num_layers ?? -1, ...shape }
        : {
            kind: 'sized',
            bytes: model.model_size_bytes ?? 10240,
            layers: model.num_layers ?? -1,
            layerParameters: model.layer_parameters ?? [],
            optimizationGroups: model.optimization_groups ?? [],
            transformer: shape,
          },
  }
}

interface RanksShown {
  readonly files: number
  readonly tensor_bytes: number
  readonly tensors: number
  readonly parameters: number
  readonly ranks_shown: Readonly<Record<string, readonly (readonly [string, number])[]>>
}

export interface GoldenSize {
  readonly workload: string
  readonly loaded: {
    readonly model_type: string | null
    readonly model_size: number
    readonly num_layers: number
    readonly layer_parameters: readonly number[]
    readonly optimization_groups: readonly number[]
    readonly hidden_size: number
    readonly ffn_hidden_size: number
    readonly vocab_size: number
    readonly num_attention_heads: number
    readonly num_kv_heads: number
    readonly tensor_parallelism: number
    readonly pipeline_parallelism: number
    readonly data_parallelism: number
    readonly zero_stage: 0 | 1 | 2 | 3
    readonly model_datatype: TensorType
    readonly optimizer_datatype: TensorType
  }
  readonly ranks: Readonly<Record<string, RanksShown | { readonly error: string }>>
}

export const GOLDEN_SIZES = read('sizes.json') as readonly GoldenSize[]

export function specOfLoaded({ loaded }: GoldenSize): CheckpointSpec {
  const shape = {
    hidden: loaded.hidden_size,
    ffn: loaded.ffn_hidden_size,
    vocabulary: loaded.vocab_size,
    heads: loaded.num_attention_heads,
    kvHeads: loaded.num_kv_heads,
  }
  return {
    framework: 'pytorch',
    // The table was made for one extension, whatever the framework.
    extension: 'pt',
    mode: 'default',
    type: 'rank_zero',
    parallelism: {
      tensor: loaded.tensor_parallelism,
      pipeline: loaded.pipeline_parallelism,
      data: loaded.data_parallelism,
      zeroStage: loaded.zero_stage,
    },
    modelType: loaded.model_datatype,
    optimizerType: loaded.optimizer_datatype,
    model:
      loaded.model_type === 'transformer'
        ? { kind: 'transformer', layers: loaded.num_layers, ...shape }
        : {
            kind: 'sized',
            bytes: loaded.model_size,
            layers: loaded.num_layers,
            layerParameters: loaded.layer_parameters,
            optimizationGroups: loaded.optimization_groups,
            transformer: shape,
          },
  }
}
