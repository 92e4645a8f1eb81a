export type { Tail } from '../sampling/shards.ts'
export type { RecordedFields } from './batch-maker.ts'
export type { BatchMemory } from './batch-memory.ts'
export type { PositionRange } from './delivery.ts'
export { type EpochOrder, type OrderedStep, orderOf } from './epoch-order.ts'
export type { FaultRecord, FaultReport } from './faults.ts'
export type { FlowOptions, TuneBounds } from './flow-options.ts'
export { Loader } from './loader.ts'
export {
  DEFAULT_RING_BYTES,
  LOADER_OPTIONS,
  type LoaderOptions,
  type LoaderSettings,
  type OnError,
  RESERVED_FIELDS,
  type SourceOfOrder,
} from './options.ts'
export type { OrderOptions, SamplerName } from './order.ts'
export type { RecordedPlan } from './recorded-plan.ts'
export type { LoaderReport } from './report.ts'
export type { SlotMaker } from './slots.ts'
export { locate, type StoredSource } from './source.ts'
export type { LoaderState } from './state.ts'
export type { Knob, TuneMove } from './tuner.ts'
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
export type { WorkerReport } from './workers/member.ts'
