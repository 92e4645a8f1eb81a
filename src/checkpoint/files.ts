import { nonNegativeInteger } from '../checks.ts'
import { bundleKey } from './bundle/bundle.ts'
import { type Grid, gridOf, type Place, placeOf } from './grid.ts'
import { type Layer, layersAt, optimizerTensors, parametersOf, tensorBytes } from './tensors.ts'
import type { CheckpointFile, CheckpointSpec, TensorSpec } from './types.ts'

/** After which step of which epoch it is saved: names of files say so. */
export interface CheckpointMoment {
  readonly epoch: number
  readonly step: number
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0)

function merged(layers: readonly Layer[]): TensorSpec[] {
  return layers.flatMap(({ index, tensors }) =>
    tensors.map((tensor) => ({ ...tensor, name: `${index}.${tensor.name}` })),
  )
}

/** Without ZeRO only the first replica of the model is saved. */
function savesNothing({ parallelism }: CheckpointSpec, place: Place): boolean {
  return parallelism.zeroStage === 0 && place.data > 0
}

/** Names without folder and extension, and what is in them. */
function contentsAt(
  spec: CheckpointSpec,
  grid: Grid,
  place: Place,
  rank: number,
): (readonly [name: string, tensors: readonly TensorSpec[]])[] {
  const { model, parallelism } = spec
  const isSharded = parallelism.zeroStage === 0 || parallelism.zeroStage === 3
  const suffix = `zero_pp_rank_${place.data}_mp_rank_${place.model}`
  const layers = isSharded || place.data === 0 ? layersAt(spec, grid, place) : []
  const optimizer = optimizerTensors(spec, grid)
  return [
    ...(model.kind === 'sized' && model.bytes > 0
      ? [[`model_states-${rank}`, [{ name: 'a', shape: [model.bytes], dtype: 'int8' }]] as const]
      : []),
    ...(layers.length === 0
      ? []
      : isSharded
        ? [[`${suffix}_model_states`, merged(layers)] as const]
        : grid.pipeline > 1
          ? layers.map(({ index, tensors }) => [`layer_${index}-model_${place.model}_model_states`, tensors] as const)
          : [[`model_${place.model}_model_states`, merged(layers)] as const]),
    ...(optimizer.length > 0 ? [[`${suffix}_optim_states`, optimizer] as const] : []),
  ]
}

/**
 * The files that `rank` of `ranks` saves, in the order of saving; none for ranks that save nothing. Names, shapes and
 * bytes are DLIO's; what TensorFlow puts beside a file is not among them. E_CONFIG where the parallelism does not fit the ranks.
 */
export function checkpointFiles(
  spec: CheckpointSpec,
  rank: number,
  ranks: number,
  { epoch, step }: CheckpointMoment = { epoch: 1, step: 1 },
): readonly CheckpointFile[] {
  const grid = gridOf(spec, ranks)
  nonNegativeInteger('rank', rank, ranks - 1)
  const place = placeOf(grid, rank)
  if (savesNothing(spec, place)) return []
  const bundled = spec.extension === 'pb'
  return contentsAt(spec, grid, place, rank).map(([name, tensors]) => {
    const file = `global_epoch${epoch}_step${step}/${name}.${spec.extension}`
    const bytes = sumOf(tensors.map(tensorBytes))
    return bundled ? { key: bundleKey(file), tensors, bytes, layout: 'bundle' } : { key: file, tensors, bytes }
  })
}

/** One checkpoint of all ranks. */
export interface CheckpointSize {
  readonly files: number
  readonly tensors: number
  /** Of all tensors in all files. */
  readonly bytes: number
  readonly bytesPerRank: readonly number[]
  /** Parameters of the model; 0 where only its size is known. */
  readonly parameters: number
  /**
   * What DLIO calls the checkpoint's size, and divides by seconds: of a model that is given by its size neither listed
   * layers nor optimizer groups count, and under ZeRO 2 the model counts once for each replica.
   */
  readonly countedByDlio: number
}

/** The size of a checkpoint, without a list of all its tensors. E_CONFIG as `checkpointFiles`. */
export function checkpointSize(spec: CheckpointSpec, ranks: number): CheckpointSize {
  const grid = gridOf(spec, ranks)
  /** What a rank saves depends on its stage and on whether it is of the first replica. */
  const known = new Map<string, { files: number; tensors: number; bytes: number }>()
  const of = (rank: number) => {
    const place = placeOf(grid, rank)
    const name = `${place.pipeline} ${place.data === 0}`
    const found = known.get(name)
    if (found !== undefined) return found
    const files = checkpointFiles(spec, rank, ranks)
    const size = {
      files: files.length,
      tensors: sumOf(files.map(({ tensors }) => tensors.length)),
      bytes: sumOf(files.map(({ bytes }) => bytes)),
    }
    known.set(name, size)
    return size
  }
  const sizes = Array.from({ length: ranks }, (_, rank) => of(rank))
  return {
    files: sumOf(sizes.map(({ files }) => files)),
    tensors: sumOf(sizes.map(({ tensors }) => tensors)),
    bytes: sumOf(sizes.map(({ bytes }) => bytes)),
    bytesPerRank: sizes.map(({ bytes }) => bytes),
    parameters: parametersOf(spec),
    countedByDlio: countedByDlio(spec, grid, ranks),
  }
}

function countedByDlio(spec: CheckpointSpec, grid: Grid, ranks: number): number {
  const { model, parallelism } = spec
  const bytesOf = (tensors: readonly TensorSpec[]) => sumOf(tensors.map(tensorBytes))
  const places = Array.from({ length: ranks }, (_, rank) => placeOf(grid, rank)).filter(
    (place) => !savesNothing(spec, place),
  )
  const isListed = (list: 'layerParameters' | 'optimizationGroups') => model.kind === 'sized' && model[list].length > 0
  const optimizer = isListed('optimizationGroups') ? 0 : bytesOf(optimizerTensors(spec, grid))
  const stages = Array.from({ length: grid.pipeline }, (_, pipeline) =>
    isListed('layerParameters')
      ? 0
      : sumOf(layersAt(spec, grid, { pipeline, data: 0, model: 0 }).map(({ tensors }) => bytesOf(tensors))),
  )
  const layers = places.map(({ pipeline, data }) =>
    parallelism.zeroStage === 1 && data > 0 ? 0 : (stages[pipeline] as number),
  )
  const isSized = model.kind === 'sized' && model.bytes > 0
  return (isSized ? model.bytes : sumOf(layers)) + optimizer * places.length
}
