export {
  centerCrop,
  directRandomResizedCrop,
  type RandomResizedCropOptions,
  randomResizedCrop,
  resizeCenterCrop,
  type Size,
} from './crop.ts'
export { type DecodeOptions, decode } from './decode.ts'
export { type ImageDType, type ImageLayout, type Pipeline, settlePipeline } from './pipeline.ts'
export { imagenet, normalize, randomHorizontalFlip, type Statistics } from './pixel.ts'
export type { CropOperation, DecodeOperation, FlipOperation, ImageOperation, NormalizeOperation } from './types.ts'
