import type { DatasetSpec } from '../../datasets/spec.ts'
import type { FailureData } from '../../storage/threads/failure.ts'
import type { ReadManner } from '../local-reader.ts'

/** What a loader and its worker threads tell each other. All of it is plain data. */

/** What a thread begins with. */
export interface ThreadData {
  readonly spec: DatasetSpec
  readonly manner: ReadManner
  /** Samples that it reads at once. */
  readonly inflight: number
}

interface Rows {
  readonly ids: Float64Array
  readonly clock: SharedArrayBuffer
  /** Of the clock's rows, the first of these. */
  readonly first: number
}

/** Samples whose values come back. */
export interface ReadRequest extends Rows {
  readonly fields: readonly string[]
}

/** A field of samples, into a slot that is shared by its number. */
export interface PlaceRequest extends Rows {
  readonly field: string
  readonly memory: number
  /** Bytes from the slot's start. */
  readonly starts: Float64Array
  readonly sizes: Float64Array
}

export type ToThread =
  | { readonly id: number; readonly read: ReadRequest }
  | { readonly id: number; readonly place: PlaceRequest }
  | { readonly cancel: number; readonly reason: FailureData }
  | { readonly inflight: number }
  | 'close'

export interface RowFailureData {
  readonly row: number
  readonly failure: FailureData
}

/** The values of a field, a row each. Those that are bytes lie one behind the other in the answer's memory. */
export interface Column {
  readonly name: string
  /** undefined where it is bytes. */
  readonly values: readonly unknown[]
  /** Bytes of each; -1 where it is none. */
  readonly lengths: Float64Array
}

export interface FromThread {
  readonly id: number
  readonly failures: readonly RowFailureData[]
  /** What ended all of them, where anything did. */
  readonly reason?: FailureData
  readonly columns?: readonly Column[]
  readonly bytes?: ArrayBuffer
}
