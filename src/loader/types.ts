/// <reference lib="esnext.disposable" preserve="true" />
import type { Sample } from '../datasets/types.ts'
import type { DType, Tensor, TypedArray } from '../dtype.ts'
import type { ErrorCode } from '../errors.ts'
import type { SlotHandle } from '../native.ts'
import type { BatchMemory } from './batch-memory.ts'
import type { StepFetch } from './step-fetch.ts'

/** What `load` delivers for one step. Its memory is a leased slot: at the next step every tensor of it is detached. */
export interface BatchMeta {
  readonly epoch: number
  /** Counts from 0 in each epoch. */
  readonly step: number
  /** Samples in this batch. */
  readonly size: number
  /** How many of them only fill up the last batch (tail: 'pad'); they stand last. */
  readonly padding: number
  /** Sample ids, int64 [size]. */
  readonly index: Tensor<'int64'>
}

export interface BatchControl {
  readonly meta: BatchMeta
  /** The same batch in memory of its own, valid for ever. */
  copy(): this
  /** Gives the memory back; every tensor of the batch then has length 0. */
  release(): void
  [Symbol.dispose](): void
}

export type Batch<F extends object = Record<string, FieldBatch>> = F & BatchControl

/**
 * Stored bytes, one row a sample: `data` is uint8 [size, stride]; behind `sizes[i]` bytes a row is zeros. The memory
 * comes back with a later batch: what you write behind `sizes[i]` bytes of a row yourself may still be there then.
 */
export interface StoredBytes {
  readonly data: Uint8Array
  readonly shape: readonly [number, number]
  readonly dtype: 'uint8'
  readonly sizes: Uint32Array
  /** Pixels; 0 for bytes that are not images. */
  readonly heights: Uint32Array
  readonly widths: Uint32Array
}

/**
 * Images of their own sizes, one behind the other: image i is [heights[i], widths[i], 3] (NHWC) or
 * [3, heights[i], widths[i]] (NCHW) from element offsets[i] on.
 */
export interface RaggedImages<D extends DType = DType> {
  readonly data: TypedArray<D>
  readonly dtype: D
  readonly layout: 'NHWC' | 'NCHW'
  /** In elements. */
  readonly offsets: Uint32Array
  readonly heights: Uint32Array
  readonly widths: Uint32Array
}

export type FieldBatch =
  | Tensor
  | StoredBytes
  | RaggedImages
  | string[]
  | Readonly<Record<string, Tensor | RaggedImages>>

/** A row of a batch that has no data, and why. */
export interface SampleFault {
  readonly row: number
  readonly code: ErrorCode
  readonly reason: string
}

/** A row that could not be decoded. */
export interface DecodeFault extends SampleFault {
  /** Bad whatever is made of it; otherwise other draws of the sample may be sound. */
  readonly lasting: boolean
}

/** The rows of one step, before anything is read. */
export interface Rows {
  readonly epoch: number
  readonly ids: Float64Array
  /** How often each sample was drawn before in this epoch. */
  readonly repeats: Uint32Array
  /** Samples read for the decoders that ask for them; undefined where reading failed. */
  readonly samples: readonly (Sample | undefined)[]
}

/** What a decoder will do for one step, as plain data. */
export interface DecodePlan {
  /** Slot memory it needs. */
  readonly bytes: number
  /** Where that memory may be cut into several ArrayBuffers: where something of its own begins, ascending. */
  readonly cuts?: readonly number[]
  /** Rows that failed already, whatever would be made of them. */
  readonly faults: readonly SampleFault[]
}

export interface SlotSpan {
  readonly slot: SlotHandle
  /** Bytes from the slot's start, a multiple of 64. */
  readonly offset: number
  /** The memory of the whole batch, for those that are `inPlace`. */
  memory(): BatchMemory
  readonly fetch: StepFetch
}

/** Turns one field of a batch into what is delivered. Plan, then decode into the slot, then deliver views of it. */
export interface Decoder<P extends DecodePlan = DecodePlan, R = unknown> {
  /** Whether `plan` needs `rows.samples`. */
  readonly readsSamples: boolean
  /** Whether `decode` writes by JavaScript, or reads, into the slot. */
  readonly inPlace?: boolean
  /** Whether the field depends on what `record` gives: a plan without it says nothing about such a field. */
  readonly decides: boolean
  /** Pure where the sizes are known beforehand. `recorded`: what `record` made of an earlier plan, to be used again. */
  plan(rows: Rows, recorded?: R): P
  /**
   * Rows that do not need the memory they ask for, because what was said of them is not true. Asked where a batch is
   * larger than it may be, before it is refused.
   */
  doubt?(plan: P): Promise<readonly SampleFault[]>
  decode(plan: P, target: SlotSpan): Promise<readonly DecodeFault[]>
  /** The field's value over the memory of the batch, in which its own begins at `offset`. */
  deliver(plan: P, memory: BatchMemory, offset: number): FieldBatch
  /** What the plan decides, as JSON. */
  record(plan: P): R
}

/** Makes the decoder of a field; absent where the generic one serves. */
export type DecoderFactory = (field: string) => Decoder | undefined
