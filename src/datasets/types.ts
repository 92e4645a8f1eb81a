import type { DType, TypedArray } from '../dtype.ts'
import type { MappedBytes } from '../mapped.ts'

/**
 * image: encoded picture bytes. bytes: any bytes. string: text. number: one number of `dtype` a sample.
 */
export type FieldKind = 'image' | 'bytes' | 'string' | 'number'

export interface Field<K extends FieldKind = FieldKind> {
  readonly kind: K
  /** Of a number field. */
  readonly dtype?: DType
}

export type Schema = Readonly<Record<string, Field>>

/** One value per field: Uint8Array for image and bytes, string, or number (bigint for int64 and uint64). */
export type Value = Uint8Array | string | number | bigint
export type Sample = Readonly<Record<string, Value>>

export interface ReadOptions {
  readonly fields?: readonly string[]
  readonly signal?: AbortSignal
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
  close(): Promise<void>
}
