import type { PageCachePolicy } from '../file/policies.ts'
import type {
  ByteRange,
  CallOptions,
  DeleteResult,
  GetParts,
  ListEntry,
  ListOptions,
  ObjectInfo,
  StoreSpec,
  Trace,
  Unlisted,
  WriterOptions,
} from '../types.ts'
import type { StoreOptions } from '../url.ts'
import type { FailureData } from './failure.ts'

/** What a store's thread and its callers tell each other. All of it is plain data. */

/** What a thread begins with. */
export interface ThreadData {
  readonly spec: StoreSpec
  /** Options that are in no spec, for they are secret. */
  readonly secrets: StoreOptions
  /** Number of the slot that all threads share. */
  readonly memory: number
  /** Of the thread that asks. */
  readonly clock: number
}

/** A piece of the memory that all threads of a store share. */
export interface Room {
  readonly at: number
  readonly length: number
}

/** Where bytes are: in shared memory, or in a SharedArrayBuffer of the caller's. */
export type Bytes = Room | Uint8Array

export interface Batch<T> {
  readonly items: readonly T[]
  readonly unlisted: readonly Unlisted[]
  readonly done: boolean
  /** What came after the items. */
  readonly failure?: FailureData
}

type Plain<T> = Omit<T, keyof CallOptions>

/** What can be asked for, and what is answered. `of` names what an earlier call opened. */
export interface Operations {
  head: { asks: { readonly key: string }; gives: ObjectInfo | undefined }
  get: {
    asks: {
      readonly key: string
      readonly range?: ByteRange
      readonly ifMatch?: string
      readonly parts?: GetParts
      readonly pageCache?: PageCachePolicy
      readonly into?: Bytes
    }
    /** `bytes`: how many landed in `into`; without that, they themselves. */
    gives: { readonly info: ObjectInfo; readonly bytes: number | Uint8Array } | undefined
  }
  put: {
    asks: { readonly key: string; readonly body: Bytes; readonly options: Plain<WriterOptions> }
    gives: ObjectInfo
  }
  copy: {
    asks: { readonly from: string; readonly to: string; readonly options: Plain<WriterOptions> }
    gives: ObjectInfo
  }
  delete: {
    asks: { readonly keys: readonly string[] }
    gives: Batch<Omit<DeleteResult, 'error'> & { error?: FailureData }>
  }
  list: {
    asks: {
      readonly of: number
      readonly prefix: string
      readonly options: Plain<Omit<ListOptions, 'onUnlisted'>>
      /** Whether anyone wants to know of what cannot be listed. */
      readonly tellUnlisted: boolean
    }
    gives: Batch<ListEntry>
  }
  next: { asks: { readonly of: number }; gives: Batch<ListEntry> }
  leave: { asks: { readonly of: number }; gives: undefined }
  writer: {
    asks: { readonly of: number; readonly key: string; readonly options: Plain<WriterOptions> }
    gives: undefined
  }
  write: { asks: { readonly of: number; readonly chunk: Bytes }; gives: undefined }
  close: { asks: { readonly of: number }; gives: { readonly info: ObjectInfo; readonly trace: Trace } }
  abort: { asks: { readonly of: number }; gives: undefined }
}

export type Operation = keyof Operations

export interface Question<N extends Operation = Operation> {
  readonly id: number
  readonly does: N
  readonly asks: Operations[N]['asks']
  /** As it is before; the answer has it as it is then. */
  readonly trace?: Trace
  /** What a `Cancel` may name: this call or what it opens. */
  readonly scope?: number
}

export interface Cancel {
  readonly cancel: number
  readonly reason: FailureData
}

/** The store is closed then, and the thread may be ended. */
export type Close = 'close'

export type ToThread = readonly (Question | Cancel | Close)[]

export interface Answer {
  readonly id: number
  readonly gives?: unknown
  readonly failure?: FailureData
  readonly trace?: Trace
}

export interface Warning {
  readonly message: string
  readonly type: string
  readonly code?: string
}

export interface FromThread {
  readonly answers: readonly Answer[]
  readonly warnings?: readonly Warning[]
  /** What the thread's store reports, where it is worth telling. */
  readonly report?: object
  readonly closed?: true
}
