export type { Tail } from '../sampling/shards.ts'
export type { RecordedFields } from './batch-maker.ts'
export type { BatchMemory } from './batch-memory.ts'
export type { FaultRecord, LoaderReport } from './faults.ts'
export { Loader } from './loader.ts'
export { LOADER_OPTIONS, type LoaderOptions, type OnError, RESERVED_FIELDS } from './options.ts'
export type { RecordedPlan } from './recorded-plan.ts'
export { locate, type StoredSource } from './source.ts'
export type { LoaderState } from './state.ts'
export type {
  Batch,
  BatchControl,
  BatchMeta,
  DecodeFault,
  DecodePlan,
  Decoder,
  FieldBatch,
  RaggedImages,
  Rows,
  SampleFault,
  SlotSpan,
  StoredBytes,
} from './types.ts'
