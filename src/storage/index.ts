export { openStore } from './open.ts'
export type {
  ByteRange,
  CallOptions,
  DeleteResult,
  GetOptions,
  ListEntry,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectWriter,
  PutOptions,
  Store,
  StoreSpec,
  Unlisted,
} from './types.ts'
export type { StoreOptions } from './url.ts'
