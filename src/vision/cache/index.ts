export { buildImageCache } from './build.ts'
export type { BuildInput } from './build-source.ts'
export type { BuildOptions, BuildProgress, BuildReport, Skipped } from './options.ts'
