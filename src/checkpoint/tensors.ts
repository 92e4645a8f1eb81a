import type { Grid, Place } from './grid.ts'
import { stageLayers } from './grid.ts'
import type { CheckpointSpec, TensorSpec, TensorType, TransformerShape } from './types.ts'

/** Which tensors a rank has, by DLIO's layer maths. Lengths are elements; every tensor has one dimension there. */

const ITEM_BYTES: Readonly<Record<TensorType, number>> = { fp16: 2, bf16: 2, fp32: 4, fp64: 8, int8: 1, uint8: 1 }

export function itemBytes(type: TensorType): number {
  return ITEM_BYTES[type]
}

export function tensorBytes({ shape, dtype }: TensorSpec): number {
  return shape.reduce((product, length) => product * length, ITEM_BYTES[dtype])
}

export interface Layer {
  /** 0: the embedding; from 1 on the layers; then the head, then the last norm. */
  readonly index: number
  readonly tensors: readonly TensorSpec[]
}

function flat(name: string, length: number, dtype: TensorType): TensorSpec {
  return { name, shape: [length], dtype }
}

/** Those of length 0 are left out, and the others keep their numbers. */
function numbered(lengths: readonly number[], dtype: TensorType): TensorSpec[] {
  return lengths.flatMap((length, i) => (length > 0 ? [flat(String(i), length, dtype)] : []))
}

function shapeOf({ model }: CheckpointSpec): TransformerShape | undefined {
  return model.kind === 'transformer' ? model : model.transformer
}

/** Elements of the keys' and of the values' projection in the other dimension. */
function keyValueWidth({ hidden, heads, kvHeads }: TransformerShape): number {
  return Math.floor(hidden / heads) * kvHeads
}

/** Of the whole model; 0 where there are no layers. */
export function parametersOf(spec: CheckpointSpec): number {
  const shape = shapeOf(spec)
  const { layers } = spec.model
  if (shape === undefined || layers <= 0) return 0
  const { hidden, ffn, vocabulary } = shape
  const attention = hidden * (hidden + 2 * keyValueWidth(shape)) + hidden * hidden
  // Three matrices: the linear unit is gated.
  const layer = 2 * hidden + attention + 3 * hidden * ffn
  return 2 * vocabulary * hidden + layer * layers + hidden
}

function transformerLayer(shape: TransformerShape, layers: number, index: number, tensor: number, shards: number) {
  const { hidden, ffn, vocabulary } = shape
  const norm = Math.floor(hidden / shards)
  const split = (elements: number) => Math.floor(Math.floor(elements / tensor) / shards)
  if (index === 0 || index === layers + 1) return [split(hidden * vocabulary)]
  if (index === layers + 2) return [norm]
  return [
    norm,
    split(hidden * (hidden + 2 * keyValueWidth(shape))),
    split(hidden * hidden),
    norm,
    split(hidden * 2 * ffn),
    split(hidden * ffn),
  ]
}

/** The layers that a rank at this place has. */
export function layersAt(spec: CheckpointSpec, grid: Grid, place: Place): readonly Layer[] {
  const { model, parallelism, modelType } = spec
  const [first, last] = stageLayers(model.layers, grid.pipeline, place.pipeline)
  if (last < first) return []
  if (model.kind === 'sized' && model.layerParameters.length > 0) {
    const tensors = model.layerParameters.flatMap((length, i) =>
      length > 0 ? [flat(String(i), Math.floor(length / grid.tensor), 'int8')] : [],
    )
    return Array.from({ length: last - first + 1 }, (_, i) => ({ index: first + i, tensors }))
  }
  const shape = shapeOf(spec)
  if (shape === undefined) return []
  const shards = parallelism.zeroStage === 3 ? grid.data : 1
  const begin = place.pipeline === 0 ? 0 : first
  const end = place.pipeline === grid.pipeline - 1 ? model.layers + 2 : last
  return Array.from({ length: end - begin + 1 }, (_, i) => ({
    index: begin + i,
    tensors: numbered(transformerLayer(shape, model.layers, begin + i, grid.tensor, shards), modelType),
  }))
}

/** Of the optimizer, on every rank that saves it the same. */
export function optimizerTensors(spec: CheckpointSpec, grid: Grid): readonly TensorSpec[] {
  const { model, parallelism, optimizerType } = spec
  if (model.kind === 'sized' && model.optimizationGroups.length > 0) {
    const groups = model.optimizationGroups
    const pairs = groups.flatMap((length, i) =>
      length > 0 ? [flat(`${i}.a`, length, 'int8'), flat(`${i}.b`, length, 'int8')] : [],
    )
    const all = groups.reduce((sum, length) => sum + Math.max(0, length), 0)
    return [...pairs, flat('combined', all, 'int8')]
  }
  const shape = shapeOf(spec)
  const ranks = parallelism.zeroStage > 0 ? grid.data * grid.model : grid.model
  const share = Math.floor(parametersOf(spec) / ranks)
  if (shape === undefined || share === 0) return []
  const state = [share, shape.hidden * 5]
  return numbered([...state, ...state, ...state], optimizerType)
}
