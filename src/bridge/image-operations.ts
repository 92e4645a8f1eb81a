import { knownOptions, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import {
  centerCrop,
  type DecodeOptions,
  decode,
  directRandomResizedCrop,
  type ImageOperation,
  imagenet,
  normalize,
  type Preset,
  type PresetOptions,
  preset,
  randomHorizontalFlip,
  randomResizedCrop,
  resizeCenterCrop,
  type Size,
} from '../vision/index.ts'

/** Operations on images as data: `{ op: 'centerCrop', size: 224 }` is `centerCrop(224)`. Every function checks its own. */

type Data = Readonly<Record<string, unknown>>

const OPERATIONS: Readonly<Record<string, (options: Data) => ImageOperation>> = {
  decode: (options) => decode(options as DecodeOptions),
  randomResizedCrop: ({ size, ...options }) => randomResizedCrop(size as Size, options),
  directRandomResizedCrop: ({ size, ...options }) => directRandomResizedCrop(size as Size, options),
  centerCrop: ({ size, ...options }) => centerCrop(size as Size, options),
  resizeCenterCrop: ({ resize, size, ...others }) => {
    knownOptions('resizeCenterCrop', others, [])
    return resizeCenterCrop(resize as number, size as Size)
  },
  randomHorizontalFlip: ({ p, ...others }) => {
    knownOptions('randomHorizontalFlip', others, [])
    return randomHorizontalFlip(p as number | undefined)
  },
  normalize: ({ mean = imagenet.mean, std = imagenet.std, ...others }) => {
    knownOptions('normalize', others, [])
    return normalize(mean as readonly number[], std as readonly number[])
  },
}

function operationOf(name: string, data: unknown): ImageOperation {
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw new HeadraceError('E_USAGE', `${name} must hold objects such as {"op":"decode"}, but got ${show(data)}`)
  const { op, ...options } = data as Data
  if (typeof op !== 'string' || !Object.hasOwn(OPERATIONS, op))
    throw new HeadraceError(
      'E_USAGE',
      `${name}: op must be one of ${Object.keys(OPERATIONS).join(', ')}, but got ${show(op)}`,
    )
  return (OPERATIONS[op] as (options: Data) => ImageOperation)(options)
}

/** A list of operations, or a pipeline with a name, alone or with options. */
export function operationsOf(name: string, data: unknown): readonly ImageOperation[] {
  if (Array.isArray(data)) return data.map((operation) => operationOf(name, operation))
  if (typeof data === 'string') return preset(data as Preset)
  if (typeof data === 'object' && data !== null && 'preset' in data) {
    const { preset: called, ...options } = data
    return preset(called as Preset, options as PresetOptions)
  }
  throw new HeadraceError(
    'E_USAGE',
    `${name} must be a list of operations or the name of a pipeline, but got ${show(data)}`,
  )
}
