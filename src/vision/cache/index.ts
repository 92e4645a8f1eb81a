export { buildImageCache } from './build.ts'
export type { BuildInput } from './build-source.ts'
export { type ExportOptions, type ExportReport, exportImageCache } from './export.ts'
export { ImageCache } from './image-cache.ts'
export type { FieldInfo, ImageCacheInfo } from './info.ts'
export type { ImageEncoding, PackedForm } from './layout.ts'
export { imageCacheInfo, openImageCache } from './open.ts'
export type { BuildOptions, BuildProgress, BuildReport, Skipped } from './options.ts'
export {
  type CacheProblem,
  type VerifyOptions,
  type VerifyProgress,
  type VerifyReport,
  verifyImageCache,
} from './verify.ts'
