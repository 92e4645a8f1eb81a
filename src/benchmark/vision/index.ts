export { type BenchVisionOptions, type BenchVisionReport, benchVision, type EpochResult } from './bench.ts'
