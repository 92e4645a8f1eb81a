/**
 * Headrace feeds training jobs from storage. This is the whole public surface of the package.
 * @packageDocumentation
 */
export * from './benchmark/dlio/index.ts'
export {
  type BenchStorageOptions,
  type BenchStorageProgress,
  type BenchStorageReport,
  benchStorage,
  type StorageOp,
} from './benchmark/storage/index.ts'
export {
  type AdviseOptions,
  type AdviseProgress,
  type AdviseReport,
  adviseEncoding,
  type BenchProtocolOptions,
  type BenchProtocolReport,
  type BenchVisionOptions,
  type BenchVisionReport,
  benchProtocol,
  benchVision,
  type EncodingAdvice,
  type EncodingCandidate,
  type EncodingFidelity,
  type EncodingRate,
  type EpochResult,
  type MeasuredEncoding,
  PROTOCOLS,
  type Protocol,
  type ProtocolEpoch,
  type ProtocolProgress,
  type ProtocolRun,
} from './benchmark/vision/index.ts'
export * from './checkpoint/index.ts'
export {
  type FromSamplesOptions,
  fromSamples,
  type ImageFolder,
  type ImageFolderOptions,
  type ImageFolderSchema,
  imageFolder,
  type LooseSample,
  type LooseSamples,
  type LooseValue,
  type SampleStream,
} from './datasets/index.ts'
export type { DatasetSpec } from './datasets/spec.ts'
export type {
  Chunks,
  Dataset,
  Field,
  FieldKind,
  Locations,
  ReadOptions,
  Sample,
  Schema,
  Value,
} from './datasets/types.ts'
export * from './distributed/index.ts'
export type { DType, Tensor, TypedArray } from './dtype.ts'
export { type ErrorCode, type ErrorDetails, HeadraceError, isHeadraceError } from './errors.ts'
export type { Column, Compression, FileLayout, FormatName, FormatOptions, Sidecar } from './formats/types.ts'
export * from './generate/index.ts'
export { Histogram, type HistogramData, type Percentiles } from './histogram.ts'
export type {
  Batch,
  BatchControl,
  BatchMeta,
  FaultRecord,
  FieldBatch,
  Loader,
  LoaderOptions,
  LoaderReport,
  LoaderState,
  OnError,
  RaggedImages,
  RecordedFields,
  RecordedPlan,
  StoredBytes,
  Tail,
} from './loader/index.ts'
export type { MappedBytes } from './mapped.ts'
export type { SimdLevel } from './native.ts'
export type { Sampler } from './sampling/types.ts'
export * from './storage/index.ts'
export * from './storage/oplog/index.ts'
export * from './vision/index.ts'
