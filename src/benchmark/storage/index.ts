export { benchStorage } from './bench.ts'
export {
  type BenchStorageOptions,
  type BenchStorageProgress,
  type BenchStorageReport,
  STORAGE_OPS,
  type StorageOp,
} from './types.ts'
