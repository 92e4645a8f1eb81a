export type { FaultRecord, LoaderReport } from './faults.ts'
export { Loader, type RecordedPlan } from './loader.ts'
export type { Tail } from '../sampling/shards.ts'
export { LOADER_OPTIONS, type LoaderOptions, type LoaderSettings, type OnError } from './options.ts'
export { locate, type StoredSource } from './source.ts'
export type { LoaderState } from './state.ts'
export type {
  Batch,
  BatchControl,
  BatchMeta,
  DecodePlan,
  Decoder,
  DecoderFactory,
  FieldBatch,
  RaggedImages,
  Rows,
  SampleFault,
  SlotSpan,
  StoredBytes,
} from './types.ts'
