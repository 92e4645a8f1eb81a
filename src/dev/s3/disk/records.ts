import type { Algorithm, ChecksumType, StoredChecksum } from '../checksums/algorithms.ts'

/** What the catalog knows, as plain data: the lines of its journal hold it as JSON. */

/** A file of bytes under a name of its own, written once. */
export interface BlobRef {
  readonly id: string
  /** Bytes. */
  readonly size: number
}

/** What a client says about an object beside its bytes. */
export interface Description {
  /** Names in lower case, such as content-type. */
  readonly headers: Readonly<Record<string, string>>
  /** Names in lower case, without x-amz-meta-. */
  readonly metadata: Readonly<Record<string, string>>
}

export interface PartSummary {
  readonly number: number
  /** Bytes. */
  readonly size: number
  /** Base64, of the object's algorithm. */
  readonly checksum?: string
}

export interface ObjectRecord extends Description {
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** Without quotes. */
  readonly etag: string
  /** Milliseconds since 1970. */
  readonly modified: number
  readonly checksum?: StoredChecksum
  /** Its bytes, one after the other. */
  readonly blobs: readonly BlobRef[]
  /** Of an object that was uploaded in parts. */
  readonly parts?: readonly PartSummary[]
}

export interface PartRecord {
  readonly number: number
  readonly blob: BlobRef
  /** MD5, hex. */
  readonly etag: string
  readonly modified: number
  readonly algorithm?: Algorithm
  /** Base64. */
  readonly checksum?: string
}

export interface UploadRecord extends Description {
  readonly id: string
  readonly key: string
  /** Milliseconds since 1970. */
  readonly created: number
  /** What the client asked for; absent: the server's own. */
  readonly algorithm?: Algorithm
  readonly checksumType: ChecksumType
}

/** Everything that ever happens to the catalog. One is one line of the journal, and happens whole or not at all. */
export type Change =
  | { readonly do: 'create-bucket'; readonly bucket: string; readonly created: number }
  | { readonly do: 'delete-bucket'; readonly bucket: string }
  /** `upload`: the one that ends with it. */
  | { readonly do: 'put'; readonly bucket: string; readonly object: ObjectRecord; readonly upload?: string }
  | { readonly do: 'delete'; readonly bucket: string; readonly keys: readonly string[] }
  | { readonly do: 'create-upload'; readonly bucket: string; readonly upload: UploadRecord }
  | { readonly do: 'put-part'; readonly bucket: string; readonly upload: string; readonly part: PartRecord }
  | { readonly do: 'abort'; readonly bucket: string; readonly upload: string }
