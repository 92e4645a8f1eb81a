/** Element types of tensors. float16 and bfloat16 live in a Uint16Array: Node 20 has no Float16Array. */
export type DType =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'int64'
  | 'uint64'
  | 'float16'
  | 'bfloat16'
  | 'float32'
  | 'float64'
  | 'bool'

interface ArrayOf {
  uint8: Uint8Array
  int8: Int8Array
  uint16: Uint16Array
  int16: Int16Array
  uint32: Uint32Array
  int32: Int32Array
  int64: BigInt64Array
  uint64: BigUint64Array
  float16: Uint16Array
  bfloat16: Uint16Array
  float32: Float32Array
  float64: Float64Array
  bool: Uint8Array
}

/** The JavaScript array that holds elements of dtype D. */
export type TypedArray<D extends DType = DType> = ArrayOf[D]

type ArrayConstructor<D extends DType> = {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray<D>
}

const ARRAYS: { readonly [D in DType]: ArrayConstructor<D> } = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  bool: Uint8Array,
}

/** Bytes of one element. */
export function itemSize(dtype: DType): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT
}

/** Whole numbers of a dtype: from the first to one below the second. */
const RANGES: { readonly [D in DType]?: readonly [number, number] } = {
  uint8: [0, 2 ** 8],
  int8: [-(2 ** 7), 2 ** 7],
  uint16: [0, 2 ** 16],
  int16: [-(2 ** 15), 2 ** 15],
  uint32: [0, 2 ** 32],
  int32: [-(2 ** 31), 2 ** 31],
  int64: [-(2 ** 63), 2 ** 63],
  uint64: [0, 2 ** 64],
  bool: [0, 2],
}

/** The whole numbers that an integer dtype holds, first and last; undefined for floats. */
export function integersOf(dtype: DType): readonly [bigint, bigint] | undefined {
  const range = RANGES[dtype]
  return range && [BigInt(range[0]), BigInt(range[1]) - 1n]
}

/** Whether an element of `dtype` can be this number without becoming another one; floats may be rounded. */
export function canHold(dtype: DType, value: number | bigint): boolean {
  const range = RANGES[dtype]
  if (range === undefined) return true
  return (typeof value === 'bigint' || Number.isInteger(value)) && value >= range[0] && value < range[1]
}

/** A view of `length` elements of `dtype` at `byteOffset` of `buffer`; the offset must be a multiple of the item size. */
export function viewOf<D extends DType>(
  dtype: D,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): TypedArray<D> {
  return new ARRAYS[dtype](buffer, byteOffset, length)
}

/** An n-dimensional array, row-major (C order), without padding. `data.length` is the product of `shape`. */
export interface Tensor<D extends DType = DType> {
  readonly data: TypedArray<D>
  readonly shape: readonly number[]
  readonly dtype: D
}
