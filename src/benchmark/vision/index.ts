export { type AdviseOptions, type AdviseProgress, type AdviseReport, adviseEncoding } from './advise.ts'
export { type BenchVisionOptions, type BenchVisionReport, benchVision, type EpochResult } from './bench.ts'
export { type EncodingCandidate, nameOf } from './candidates.ts'
export type { EncodingFidelity } from './fidelity.ts'
export {
  type BenchProtocolOptions,
  type BenchProtocolReport,
  benchProtocol,
  PROTOCOLS,
  type Protocol,
  type ProtocolEpoch,
  type ProtocolProgress,
  type ProtocolRun,
} from './protocol.ts'
export type { EncodingAdvice, MeasuredEncoding } from './recommend.ts'
export type { EncodingRate } from './turns.ts'
