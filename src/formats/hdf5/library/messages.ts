/** What goes between a thread with libhdf5 and the one that asks it. */

/** A data set as libhdf5 describes it. */
export interface DescribedDataSet {
  readonly name: string
  readonly shape: readonly number[]
  readonly chunk: readonly number[] | undefined
  /** H5T_class_t. */
  readonly type: number
  readonly signed: boolean
  /** Bytes of an element. */
  readonly itemBytes: number
  /** Names of an enumeration's values. */
  readonly names: readonly string[]
  readonly filters: readonly string[]
}

export type Question =
  | { readonly kind: 'open'; readonly id: number; readonly file: number; readonly size: number }
  | {
      readonly kind: 'read'
      readonly id: number
      readonly file: number
      readonly dataSet: string
      /** Samples from `first` on. */
      readonly first: number
      readonly count: number
    }
  | { readonly kind: 'close'; readonly file: number }

export type Answer =
  | { readonly kind: 'opened'; readonly id: number; readonly dataSets: readonly DescribedDataSet[] }
  | { readonly kind: 'read'; readonly id: number; readonly bytes: ArrayBuffer }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }
  /** The thread waits until `length` bytes from `offset` on lie in the shared memory. */
  | { readonly kind: 'needs'; readonly file: number; readonly offset: number; readonly length: number }

/** Memory of both threads: two words, then the bytes that the thread needs. */
export interface ThreadData {
  readonly shared: SharedArrayBuffer
}

/** Words at the beginning of the shared memory. */
export const TURN = 0
export const OUTCOME = 1
export const WORDS_BYTES = 8
/** Values of TURN: the thread waits for its bytes; they, or a failure, are there. */
export const WAITING = 0
export const DONE = 1
/** Values of OUTCOME. */
export const FAILED = 0
export const READ = 1

/** Bytes that are asked for at a time. */
export const WINDOW = 1024 * 1024
