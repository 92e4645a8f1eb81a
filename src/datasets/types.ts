import type { DType, TypedArray } from '../dtype.ts'
import type { MappedBytes } from '../mapped.ts'
import type { GetOptions } from '../storage/types.ts'
import type { DatasetSpec } from './spec.ts'

/**
 * image: encoded picture bytes. bytes: any bytes. string: text. number: one number of `dtype` a sample. tensor: an array
 * of `dtype` and `shape`, the same for every sample; read as its bytes, C order.
 */
export type FieldKind = 'image' | 'bytes' | 'string' | 'number' | 'tensor'

export interface Field<K extends FieldKind = FieldKind> {
  readonly kind: K
  /** Of a number or tensor field. */
  readonly dtype?: DType
  /** Of a tensor field: elements a dimension, of one sample. */
  readonly shape?: readonly number[]
}

export type Schema = Readonly<Record<string, Field>>

/** One value per field: Uint8Array for image and bytes, string, or number (bigint for int64 and uint64). */
export type Value = Uint8Array | string | number | bigint
export type Sample = Readonly<Record<string, Value>>

/** What is not about samples is for the store that they are read from: a dataset passes it on. */
export interface ReadOptions extends Pick<GetOptions, 'signal' | 'parts' | 'pageCache'> {
  readonly fields?: readonly string[]
}

/** Where the bytes of samples lie in one mapped file; arrays are filled by `locate`, one element a sample. */
export interface Locations {
  /** Bytes from the start of the file. */
  readonly offset: Float64Array
  readonly size: Float64Array
  /** Pixels; 0 where not known. */
  readonly height: Uint32Array
  readonly width: Uint32Array
}

/** Runs of neighbouring samples that cost little more to read together than one of them: a shard, a row group. */
export interface Chunks {
  readonly count: number
  /** The first id of a chunk, ascending from 0; of `count` the dataset's length. */
  start(chunk: number): number
}

/** A source of samples with ids 0 .. length-1. */
export interface Dataset<S extends Schema = Schema> {
  readonly length: number | undefined
  readonly schema: S
  /** Changes whenever the samples do; a resumed loader refuses another dataset. */
  readonly fingerprint: string
  /** What to call sample `id` in messages: its path or key. Never throws. */
  describe(id: number): string
  read(id: number, options?: ReadOptions): Promise<Sample>
  /** Copies a number field of many samples into `out` (of the field's dtype). */
  gather?(ids: Float64Array, field: string, out: TypedArray): void
  /** Fills `out` and returns the mapped file the samples of `field` lie in. */
  locate?(ids: Float64Array, field: string, out: Locations): MappedBytes
  /** The largest stored size of an image or bytes field, in bytes. */
  maxSize?(field: string): number
  /** Bytes of an image, bytes or tensor field of many samples, where they are known without reading. */
  sizes?(ids: Float64Array, field: string, out: Float64Array): void
  /**
   * Reads a field of one sample to where it is wanted: `into` has as many bytes as `sizes` said. E_CORRUPT or E_STATE
   * where the sample has another size now. Comes with `sizes`.
   */
  readInto?(id: number, field: string, into: Uint8Array, options?: ReadOptions): Promise<void>
  /** For an order that reads neighbours together. */
  readonly chunks?: Chunks
  /** False: samples come in order only, as from a compressed stream; what is shuffled is shuffled in a window. */
  readonly randomAccess?: boolean
  /** From which another thread or process opens the same dataset; absent where none can. */
  readonly spec?: DatasetSpec
  close(): Promise<void>
}
