import { nonNegativeInteger, positiveInteger } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { CheckpointSpec } from './types.ts'

/** How many ranks stand along each axis of the job that is saved; those of one replica of the model are `model`. */
export interface Grid {
  readonly tensor: number
  readonly pipeline: number
  readonly data: number
  readonly model: number
}

/** Where one rank stands in it. */
export interface Place {
  readonly pipeline: number
  readonly data: number
  /** Among the ranks of its replica. */
  readonly model: number
}

function refuse(message: string, hint?: string): never {
  throw new HeadraceError('E_CONFIG', message, hint === undefined ? {} : { hint })
}

/** E_CONFIG where so many ranks, stages and layers cannot be, as DLIO refuses them. */
export function gridOf(spec: CheckpointSpec, ranks: number): Grid {
  positiveInteger('ranks', ranks)
  const tensor = positiveInteger('model.parallelism.tensor', spec.parallelism.tensor)
  const pipeline = positiveInteger('model.parallelism.pipeline', spec.parallelism.pipeline)
  const zero = nonNegativeInteger('model.parallelism.zero_stage', spec.parallelism.zeroStage, 3)
  const { layers } = spec.model
  if (layers > 0 && layers < pipeline)
    refuse(`model.num_layers must be at least model.parallelism.pipeline (${pipeline}), but got ${layers}`)
  if (zero === 3 && pipeline > 1)
    refuse(`model.parallelism.zero_stage 3 does not go with model.parallelism.pipeline ${pipeline}: it must be 1`)
  const model = tensor * pipeline
  return { tensor, pipeline, data: dataAxis(spec, ranks, model), model }
}

function dataAxis({ mode, parallelism: { data, tensor, pipeline } }: CheckpointSpec, ranks: number, model: number) {
  if (mode === 'subset') {
    if (data <= 0)
      refuse(
        `checkpoint.mode subset needs model.parallelism.data, the size of the whole job, but it is ${data}`,
        'tensor x pipeline x data is how many ranks the whole job has',
      )
    if (data * model < ranks)
      refuse(
        `checkpoint.mode subset: ${ranks} ranks are more than the whole job's ${data * model} (tensor ${tensor} x pipeline ${pipeline} x data ${data})`,
      )
    return data
  }
  if (data >= 0)
    refuse(
      `model.parallelism.data is for checkpoint.mode subset, but got ${data}`,
      'leave it out: it is what the number of ranks leaves',
    )
  if (ranks % model !== 0)
    refuse(
      `ranks must be a multiple of ${model} (model.parallelism.tensor ${tensor} x pipeline ${pipeline}), but got ${ranks}`,
      'checkpoint.mode subset saves the first ranks of a larger job',
    )
  return ranks / model
}

export function placeOf({ tensor, pipeline, model }: Grid, rank: number): Place {
  return {
    pipeline: Math.floor(rank / tensor) % pipeline,
    data: Math.floor(rank / model),
    model: rank % model,
  }
}

/** The layers of a pipeline stage, first and last (none: last < first): the first stages take the remainder. */
export function stageLayers(layers: number, stages: number, stage: number): readonly [first: number, last: number] {
  if (layers <= 0) return [1, 0]
  const each = Math.floor(layers / stages)
  const more = layers % stages
  const first = stage * each + Math.min(stage, more) + 1
  return [first, first + each + (stage < more ? 1 : 0) - 1]
}
