export { type BenchVisionOptions, type BenchVisionReport, benchVision, type EpochResult } from './bench.ts'
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
