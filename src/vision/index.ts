export * from './cache/index.ts'
export type { RecordedPlan } from '../loader/index.ts'
export { type FieldsOf, type LoadOptions, load } from './load.ts'
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
export { PRESETS, type Preset, preset } from './presets.ts'
export { type PreviewOptions, previewSheet } from './preview.ts'
