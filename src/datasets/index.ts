export { concat } from './concat.ts'
export type { LooseSample, LooseValue } from './field-types.ts'
export {
  type ImageFolder,
  type ImageFolderOptions,
  type ImageFolderSchema,
  imageFolder,
  type Listed,
} from './image-folder.ts'
export {
  type AnyIterator,
  type FromSamplesOptions,
  fromSamples,
  type LooseSamples,
  type SampleStream,
} from './iterable.ts'
export type { JsonFields } from './jsonl/fields.ts'
export { type JsonLines, type JsonlOptions, jsonl } from './jsonl.ts'
export type { SourceOptions } from './listing.ts'
export {
  type BuildManifestOptions,
  buildManifest,
  type ListingOptions,
  type Manifest,
  type ManifestEntry,
  type ManifestProgress,
  type ManifestSummary,
  openManifest,
} from './manifest/index.ts'
export { type MixOptions, mix } from './mix.ts'
export { type FromModuleOptions, fromModule } from './module.ts'
export { type Objects, type ObjectsOptions, type ObjectsSchema, objects } from './objects.ts'
export { type DatasetOpener, type OpenInner, type Options as SpecOptions, openDataset } from './open.ts'
export type { Nulls } from './parquet/values.ts'
export { type ParquetOptions, type ParquetRows, parquet } from './parquet.ts'
export { type Records, type RecordsOptions, records } from './records.ts'
export type { Starts } from './shards/starts.ts'
export { type SplitOptions, split } from './split.ts'
export { type SubsetOptions, subset } from './subset.ts'
export { type Synthetic, type SyntheticOptions, synthetic } from './synthetic.ts'
export type { Features } from './tfrecord/features.ts'
export { type TfrecordOptions, type Tfrecords, tfrecord } from './tfrecord.ts'
export type { Extensions } from './webdataset/columns.ts'
export { type WebDataset, type WebDatasetOptions, webdataset } from './webdataset.ts'
