import { finiteNumber, knownOptions, oneOf } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import {
  centerCrop,
  decode,
  type ImageOperation,
  randomHorizontalFlip,
  randomResizedCrop,
  resizeCenterCrop,
  type Size,
} from './operations/index.ts'

/** The pipelines that have a name on the command line. */
export const PRESETS = ['raw', 'decode', 'rrc', 'center', 'crop', 'resize-center', 'train'] as const
export type Preset = (typeof PRESETS)[number]

/** torchvision's usual relation of Resize to CenterCrop: 256 to 224. */
const RESIZE_TO_CROP = 256 / 224

const DEFAULT_SIZE = 224

export interface PresetOptions {
  /** Output pixels of pipelines with a crop. 224. */
  readonly size?: Size | undefined
  /** Of `center`: share of the shorter side. 1. */
  readonly ratio?: number | undefined
  /** Of all but `raw`. 'islow'. */
  readonly dct?: 'islow' | 'ifast' | undefined
}

/** Pipelines in which an option means nothing. */
const WITHOUT: Readonly<Record<keyof PresetOptions, readonly Preset[]>> = {
  size: ['raw', 'decode'],
  ratio: PRESETS.filter((name) => name !== 'center'),
  dct: ['raw'],
}

function refuseUnused(name: Preset, options: PresetOptions): void {
  for (const option of ['size', 'ratio', 'dct'] as const)
    if (options[option] !== undefined && WITHOUT[option].includes(name))
      throw new HeadraceError('E_USAGE', `the pipeline ${name} takes no ${option}`)
}

/**
 * The operations of a named pipeline; `raw` has none. rrc: RandomResizedCrop. center: FFCV's centre crop. crop: the
 * central pixels as they are. resize-center: Resize then CenterCrop. train: rrc and flip. E_USAGE for an option that
 * the pipeline has no use for.
 */
export function preset(name: Preset, options: PresetOptions = {}): readonly ImageOperation[] {
  oneOf('name', name, PRESETS)
  knownOptions('preset', options, ['size', 'ratio', 'dct'])
  refuseUnused(name, options)
  const { size = DEFAULT_SIZE, ratio = 1, dct = 'islow' } = options
  const first = decode({ dct })
  switch (name) {
    case 'raw':
      return []
    case 'decode':
      return [first]
    case 'rrc':
      return [first, randomResizedCrop(size)]
    case 'center':
      return [first, centerCrop(size, { ratio: finiteNumber('ratio', ratio) })]
    case 'crop':
      return [first, centerCrop(size)]
    case 'resize-center':
      return [
        first,
        resizeCenterCrop(Math.round((typeof size === 'number' ? size : Math.max(...size)) * RESIZE_TO_CROP), size),
      ]
    case 'train':
      return [first, randomResizedCrop(size), randomHorizontalFlip()]
  }
}
