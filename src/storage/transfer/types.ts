import type { ErrorCode } from '../../errors.ts'
import type { OpSink } from '../oplog/types.ts'
import type { Store } from '../types.ts'

/** An object or a folder (all keys below `key/`): a URL or path, or a key in a store that is open already. */
export type Place = string | { readonly store: Store; readonly key: string }

/** One thing that a transfer does, as plain data. Places are URLs, or paths as they were given. */
export type TransferStep =
  | { readonly action: 'copy'; readonly from: string; readonly to: string; readonly size: number }
  | { readonly action: 'delete'; readonly url: string }
  | { readonly action: 'skip'; readonly url: string; readonly reason: string }

export interface TransferFailure {
  /** The object; of a copy the source. */
  readonly url: string
  readonly code: ErrorCode
  readonly message: string
  /** What can be done about it, where that is known. */
  readonly hint?: string
}

export interface TransferProgress {
  /** Objects that are through: copied, skipped, deleted or failed. */
  readonly objects: number
  readonly bytes: number
  /** Of all objects, once they are all listed; at most 10,000 are listed ahead. */
  readonly totalObjects?: number
  readonly totalBytes?: number
  readonly failed: number
  readonly seconds: number
}

export interface TransferReport {
  readonly copied: number
  /** Bytes of the copied objects. */
  readonly bytes: number
  /** Objects that were the same already, or are markers of folders. */
  readonly skipped: number
  readonly deleted: number
  readonly failed: number
  /** The first 1,000; `onFailure` gets all. */
  readonly failures: readonly TransferFailure[]
  readonly seconds: number
}

export interface BulkOptions {
  /**
   * Only keys that match one of these globs, and none of `exclude`. They are matched against what stands behind the
   * folder; one without `/` against the last part of it.
   */
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  /**
   * `report` (the default) goes on after an object that fails, and the report has it; `throw` ends with it. What would
   * fail for all (no space, no credentials, a listing that breaks, 20 objects in a row that cannot be reached) always
   * throws.
   */
  readonly onError?: 'report' | 'throw'
  /** Only plans: `onStep` is told what would be done, nothing is written. */
  readonly dryRun?: boolean
  /** Records every operation of the stores that are opened for URLs and paths. It stays open. */
  readonly opLog?: OpSink
  readonly signal?: AbortSignal
  /** Called every 100 ms at most, and at the end. */
  readonly onProgress?: (progress: TransferProgress) => void
  /** Called for every step that is done; in a dry run for every step that would be. */
  readonly onStep?: (step: TransferStep) => void
  readonly onFailure?: (failure: TransferFailure) => void
}

export interface RemoveOptions extends BulkOptions {
  /** Folders with all that is in them; false. */
  readonly recursive?: boolean
  /** Lets a whole bucket be emptied; false. */
  readonly force?: boolean
}

export interface MovingOptions extends BulkOptions {
  /** Objects under way at once; 32. */
  readonly jobs?: number
  /** Bytes of the ranges that larger objects are read in, and of the parts of uploads; 8 MiB. */
  readonly partSize?: number
  /**
   * Bytes of objects in memory at once, 64 MiB; a part that is larger is moved alone. Writers of stores behind HTTP
   * have their own: at most two objects larger than `partSize` are under way, each with the parts of its upload.
   */
  readonly windowBytes?: number
  /**
   * Takes up uploads of large objects that a process left when it was killed or cancelled, and leaves its own where it is
   * cancelled; false. Not while another process may write the same object.
   */
  readonly resume?: boolean
  /** Worker threads of each store behind HTTP that is opened for this; 0 (the default): none. */
  readonly workers?: number
}

export interface TransferOptions extends MovingOptions {
  /** Folders with all that is in them; false. */
  readonly recursive?: boolean
}

export interface SyncOptions extends MovingOptions {
  /** Deletes what the source does not have, among what the globs let through; false. */
  readonly delete?: boolean
  /**
   * Compares checksums of all objects of the same size, also where the times agree: a request for each, local files are
   * read; false.
   */
  readonly checksum?: boolean
}
