export {
  type BuildManifestOptions,
  buildManifest,
  type ListingOptions,
  type ManifestProgress,
} from './build.ts'
export { openManifest } from './open.ts'
export type { Manifest, ManifestEntry, ManifestSummary } from './types.ts'
