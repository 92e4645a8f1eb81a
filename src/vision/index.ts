export type { RecordedPlan } from '../loader/index.ts'
export * from './cache/index.ts'
export type { CropBox, CropLaw, Rect, Uniform } from './crops/types.ts'
export {
  type DTypeOf,
  type FieldOf,
  type FieldsOf,
  type ImageOf,
  type LoadOptions,
  load,
  type PictureOf,
} from './load.ts'
export {
  type CropOperation,
  centerCrop,
  type DecodeOperation,
  type DecodeOptions,
  decode,
  directRandomResizedCrop,
  type FlipOperation,
  type ImageDType,
  type ImageLayout,
  type ImageOperation,
  imagenet,
  type NormalizeOperation,
  normalize,
  type RandomResizedCropOptions,
  randomHorizontalFlip,
  randomResizedCrop,
  resizeCenterCrop,
  type Size,
  type Statistics,
} from './operations/index.ts'
export { PRESETS, type Preset, type PresetOptions, preset } from './presets.ts'
export { type PreviewOptions, previewSheet } from './preview.ts'
