export type { AzChecksums, AzStoreOptions } from './az/options.ts'
export { alignedBytes } from './direct/aligned.ts'
export type { DirectReport, DirectStoreOptions, TransferCounts } from './direct/direct.ts'
export type { DirectEngine } from './direct/transfers.ts'
export type { FileStoreOptions } from './file/file.ts'
export type { PageCachePolicy, SyncPolicy } from './file/policies.ts'
export type { GsStoreOptions } from './gs/options.ts'
export { openStore } from './open.ts'
export type { OpName, OpRecord, OpSink } from './oplog/types.ts'
export type { RemoteOptions } from './remote/types.ts'
export type { S3CredentialProvider, S3Credentials } from './s3/credentials.ts'
export type { S3StoreOptions } from './s3/options.ts'
export { openStoreSpec } from './spec.ts'
export type { MemberReport } from './threads/member.ts'
export { type ThreadOptions, type ThreadReport, threaded } from './threads/threaded.ts'
export {
  type BulkOptions,
  copyObjects,
  type MovingOptions,
  moveObjects,
  type Place,
  type RemoveOptions,
  removeObjects,
  type SyncOptions,
  syncObjects,
  type TransferFailure,
  type TransferOptions,
  type TransferProgress,
  type TransferReport,
  type TransferStep,
} from './transfer/index.ts'
export type {
  ByteRange,
  CallOptions,
  Checksum,
  ChecksumAlgorithm,
  ContainerInfo,
  CopyAcross,
  DeleteResult,
  GetOptions,
  GetParts,
  ListEntry,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectWriter,
  PresignOptions,
  PutOptions,
  Store,
  StoreSpec,
  Trace,
  Unlisted,
  WrapperSpec,
  WriterOptions,
} from './types.ts'
export type { StoreOptions } from './url.ts'
export type { CacheReport, CacheTotals } from './wrappers/cache-report.ts'
export { type CachedStore, type CacheOptions, cached } from './wrappers/cached.ts'
export { type LimitOptions, limited } from './wrappers/limited.ts'
export { type MeasureOptions, measured } from './wrappers/measured.ts'
export { type RetryOptions, withRetry } from './wrappers/with-retry.ts'
