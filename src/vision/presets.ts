import { finiteNumber } from '../checks.ts'
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

export interface PresetOptions {
  readonly size: Size
  /** Of `center`: share of the shorter side. 1. */
  readonly ratio?: number | undefined
  readonly dct?: 'islow' | 'ifast' | undefined
}

/**
 * The operations of a named pipeline; `raw` has none. rrc: RandomResizedCrop. center: FFCV's centre crop. crop: the
 * central pixels as they are. resize-center: Resize then CenterCrop. train: rrc and flip.
 */
export function preset(name: Preset, { size, ratio = 1, dct = 'islow' }: PresetOptions): readonly ImageOperation[] {
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
