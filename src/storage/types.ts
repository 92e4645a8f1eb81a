import type { ErrorCode } from '../errors.ts'
import type { PageCachePolicy } from './file/policies.ts'

/** A half-open range of bytes, [offset, offset + length). Without `length`: to the end of the object. */
export interface ByteRange {
  readonly offset: number
  readonly length?: number
}

export interface ObjectInfo {
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** Changes whenever the object does; opaque. */
  readonly etag: string
  /** Milliseconds since 1970. */
  readonly modified: number
  /** Of the whole object, where the store keeps one and says so. */
  readonly checksum?: Checksum
  readonly contentType?: string
  readonly storageClass?: string
  /** The user's own, names in lower case. */
  readonly metadata?: Readonly<Record<string, string>>
}

export type ChecksumAlgorithm = 'crc32' | 'crc32c' | 'crc64nvme' | 'sha1' | 'sha256' | 'md5'

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  /** Lower-case hex; of CRCs the number, most significant digit first. */
  readonly value: string
}

/** Filled in by a store while it works: what only it can see. One object a call. */
export interface Trace {
  /** `performance.now()` when the first byte of the (last attempt's) answer was there. */
  firstByte?: number
  /** Which server or device answered. */
  endpoint?: string
  /** Attempts after the first. */
  retries?: number
}

export interface ObjectBody {
  readonly info: ObjectInfo
  /** The bytes asked for: a view of `into` where that was given. */
  readonly data: Uint8Array
}

/** An object, or with a delimiter a common prefix (`prefix` ends with the delimiter). */
export type ListEntry =
  | ({ readonly kind: 'object' } & ObjectInfo)
  | { readonly kind: 'prefix'; readonly prefix: string }

export interface DeleteResult {
  readonly key: string
  /** Absent where the delete succeeded; deleting what is not there succeeds. */
  readonly error?: Error
}

/** A wrapper around a store, as plain data: its name, and what it was given. */
export interface WrapperSpec {
  readonly name: 'withRetry' | 'limited' | 'cached' | 'threaded'
  readonly options: Readonly<Record<string, unknown>>
}

/** Plain data from which another thread opens the same store. */
export interface StoreSpec {
  readonly url: string
  readonly options?: Readonly<Record<string, unknown>>
  /** What is around the store, from the inside out. */
  readonly wrappers?: readonly WrapperSpec[]
}

export interface CallOptions {
  readonly signal?: AbortSignal
  readonly trace?: Trace
}

/** Bytes of one request of a get, and requests of it at once. `size` may be Infinity: all in one. */
export interface GetParts {
  readonly size: number
  readonly inflight: number
}

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange
  /** Where the bytes go; E_LIMIT where it is too small. Without it a new array is made. */
  readonly into?: Uint8Array
  /** E_STATE unless the object still has this etag. */
  readonly ifMatch?: string
  /** Of a get that is larger than a part; what the store was opened with where absent. In memory it means nothing. */
  readonly parts?: GetParts
  /** Where objects are files in the page cache; what the store was opened with where absent. */
  readonly pageCache?: PageCachePolicy
}

/** What lies where objects could and is none, under the key that it would have; of a directory with `/` at the end. */
export interface Unlisted {
  readonly key: string
  /**
   * E_NOT_FOUND: a link to nothing. E_ACCESS: not permitted to look. E_UNSUPPORTED: a pipe, a socket, a device, or a name
   * that is not UTF-8. E_EXISTS: a link into a directory that it lies in, hence listed already.
   */
  readonly code: ErrorCode
  readonly reason: string
}

export interface ListOptions extends CallOptions {
  readonly delimiter?: '/'
  /** Only keys that sort after this one. */
  readonly startAfter?: string
  /**
   * Without a delimiter, in object stores: so many of the first level's prefixes are listed side by side, up to 1,024. The
   * order stays. Where listing takes no requests it changes nothing.
   */
  readonly parallel?: number
  /**
   * Called with what is there and cannot be listed, which is left out then. Without it such things are passed over, but
   * for directories that may not be read and names that are not UTF-8: those end the listing.
   */
  readonly onUnlisted?: (found: Unlisted) => void
}

export interface PutOptions extends CallOptions {
  /** E_EXISTS if the key is there already. */
  readonly ifNoneMatch?: '*'
  /** Kept in memory and behind HTTP; a copy has the original's without it. Files have no type: it is left out there. */
  readonly contentType?: string
  /** As with `contentType`: kept in memory and behind HTTP, left out where objects are files. Replaces all of a copy's. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Of S3, such as STANDARD_IA; left out elsewhere. */
  readonly storageClass?: string
  /** Milliseconds since 1970 that the object has then, in stores that let it be set: files and memory. Otherwise it is now. */
  readonly modified?: number
}

export interface WriterOptions extends PutOptions {
  /**
   * In stores whose uploads can be found again by their key (S3): parts that an interrupted upload of the same key left at
   * the server, and that hold the same bytes, are not sent again, and a failure leaves its parts there for the next time.
   * Elsewhere every upload begins anew.
   */
  readonly resume?: boolean
  /** Bytes that will come, where known: chooses the size of parts, and `close` is E_STATE if they were others. */
  readonly size?: number
}

export interface PresignOptions {
  readonly method?: 'GET' | 'PUT'
  /** Seconds; 3,600. */
  readonly expires?: number
}

export interface ContainerInfo {
  readonly name: string
  /** Milliseconds since 1970. */
  readonly created?: number
}

/** Writes one object piece by piece. Nothing is visible under the key before `close()` resolves. */
export interface ObjectWriter {
  /** The chunk must stay as it is until the promise resolves, and may be used again then. */
  write(chunk: Uint8Array): Promise<void>
  close(): Promise<ObjectInfo>
  /** Drops what was written; the key is as it was. Safe to call at any time, and more than once. */
  abort(): Promise<void>
}

/** Copies an object of another store; see `copy`. */
export type CopyAcross = (from: string, to: string, options?: PutOptions) => Promise<ObjectInfo>

/**
 * A place where bytes live under keys. Absent is `undefined`, broken is a throw.
 * Keys are literal strings with `/` between levels; listings are ordered by the UTF-8 bytes of the key.
 */
export interface Store {
  /** Canonical, without credentials. */
  readonly url: string
  readonly spec: StoreSpec
  /** Which servers answer, where `url` does not say it, whatever named them: what is cached of others is not theirs. */
  readonly endpoint?: string
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>
  /** A range that starts past the end is E_USAGE, at the end is empty; one that ends past it is cut. A short read is E_CORRUPT. */
  get(key: string, options?: GetOptions): Promise<ObjectBody | undefined>
  list(prefix: string, options?: ListOptions): AsyncIterable<ListEntry>
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<ObjectInfo>
  writer(key: string, options?: WriterOptions): ObjectWriter
  delete(keys: Iterable<string>, options?: CallOptions): AsyncIterable<DeleteResult>
  /** Copies within the store. E_NOT_FOUND if `from` is absent. */
  copy?(from: string, to: string, options?: PutOptions): Promise<ObjectInfo>
  /**
   * How objects of another store are copied without passing through here; undefined where the two are not of one
   * service, reached by the same servers with the same credentials.
   */
  copyFrom?(source: Store): Promise<CopyAcross | undefined>
  /** Makes the bucket or container that the store lies in; of a local store its directory. E_EXISTS. */
  createContainer?(options?: CallOptions): Promise<void>
  /** E_NOT_FOUND; E_STATE where it is not empty. */
  deleteContainer?(options?: CallOptions): Promise<void>
  /** Of the account that the store's credentials belong to. */
  listContainers?(options?: CallOptions): AsyncIterable<ContainerInfo>
  /** A URL that anybody may use until it expires. */
  presign?(key: string, options?: PresignOptions): Promise<string>
  /** The file behind a key where there is one, so that it can be mapped. */
  localPath?(key: string): string
  /** What the store has counted, as plain data; each kind of store has a type of its own for it. */
  report?(): object
  close(): Promise<void>
}
