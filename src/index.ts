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
export * from './datasets/index.ts'
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
export {
  type Batch,
  type BatchControl,
  type BatchMeta,
  type EpochOrder,
  type FaultRecord,
  type FaultReport,
  type FieldBatch,
  type FlowOptions,
  type Knob,
  type Loader,
  type LoaderOptions,
  type LoaderReport,
  type LoaderState,
  type OnError,
  type OrderedStep,
  type OrderOptions,
  orderOf,
  type PositionRange,
  type RaggedImages,
  type RecordedFields,
  type RecordedPlan,
  type SamplerName,
  type SourceOfOrder,
  type StoredBytes,
  type Tail,
  type TuneBounds,
  type TuneMove,
  type WorkerReport,
} from './loader/index.ts'
export type { MappedBytes } from './mapped.ts'
export type { SimdLevel } from './native.ts'
export type { Sampler } from './sampling/types.ts'
export * from './storage/index.ts'
export * from './storage/oplog/index.ts'
export * from './vision/index.ts'
