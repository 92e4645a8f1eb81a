import type { DType } from '../../dtype.ts'

/** The least and the greatest value of some, ordered as their type is. */
export interface Extremes<T = number | bigint | Buffer> {
  readonly min: T
  readonly max: T
}

export function wider(a: Extremes | undefined, b: Extremes | undefined): Extremes | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return { min: less(b.min, a.min) ? b.min : a.min, max: less(a.max, b.max) ? b.max : a.max }
}

function less(a: number | bigint | Buffer, b: number | bigint | Buffer): boolean {
  if (Buffer.isBuffer(a) && Buffer.isBuffer(b)) return Buffer.compare(a, b) < 0
  return a < b || (Object.is(a, -0) && Object.is(b, 0))
}

type Numbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array

function viewOf(dtype: DType, block: Uint8Array): Numbers | undefined {
  const { buffer, byteOffset, byteLength } = block
  switch (dtype) {
    case 'uint8':
      return block
    case 'int8':
      return new Int8Array(buffer, byteOffset, byteLength)
    case 'uint16':
      return new Uint16Array(buffer, byteOffset, byteLength / 2)
    case 'int16':
      return new Int16Array(buffer, byteOffset, byteLength / 2)
    case 'uint32':
      return new Uint32Array(buffer, byteOffset, byteLength / 4)
    case 'int32':
      return new Int32Array(buffer, byteOffset, byteLength / 4)
    case 'float32':
      return new Float32Array(buffer, byteOffset, byteLength / 4)
    case 'float64':
      return new Float64Array(buffer, byteOffset, byteLength / 8)
    default:
      return undefined
  }
}

/** Of the values from `from` to `to` of a block; undefined where there are none but NaNs. */
export function extremesOf(dtype: DType, block: Uint8Array, from: number, to: number): Extremes | undefined {
  const values = viewOf(dtype, block)
  if (values !== undefined) return ofNumbers(values, from, to)
  if (dtype === 'bool') return ofBools(block, from, to)
  return dtype === 'float16' ? ofHalves(block, from, to) : ofLongs(dtype, block, from, to)
}

function ofNumbers(values: Numbers, from: number, to: number): Extremes | undefined {
  let min = Infinity
  let max = -Infinity
  // A NaN is neither less nor greater.
  for (let i = from; i < to; i++) {
    const value = values[i] as number
    if (value < min) min = value
    if (value > max) max = value
  }
  return min > max ? undefined : { min, max }
}

function ofBools(block: Uint8Array, from: number, to: number): Extremes {
  let all = 1
  let any = 0
  for (let i = from; i < to; i++) {
    all &= block[i] as number
    any |= (block[i] as number) & 1
  }
  return { min: all, max: any }
}

/** Of 16-bit floats by their bits, made such that greater floats are greater numbers. */
function ofHalves(block: Uint8Array, from: number, to: number): Extremes | undefined {
  const bits = new Uint16Array(block.buffer, block.byteOffset, block.byteLength / 2)
  let min = Infinity
  let max = -Infinity
  for (let i = from; i < to; i++) {
    const half = bits[i] as number
    if ((half & 0x7fff) > 0x7c00) continue
    const ordered = half & 0x8000 ? half ^ 0xffff : half | 0x8000
    if (ordered < min) min = ordered
    if (ordered > max) max = ordered
  }
  return min > max ? undefined : { min, max }
}

function ofLongs(dtype: DType, block: Uint8Array, from: number, to: number): Extremes | undefined {
  if (from >= to) return undefined
  const { buffer, byteOffset, byteLength } = block
  const lows = new Uint32Array(buffer, byteOffset, byteLength / 4)
  const highs = dtype === 'int64' ? new Int32Array(buffer, byteOffset, byteLength / 4) : lows
  let min = from
  let max = from
  for (let i = from + 1; i < to; i++) {
    const high = highs[2 * i + 1] as number
    const least = highs[2 * min + 1] as number
    const most = highs[2 * max + 1] as number
    if (high < least || (high === least && (lows[2 * i] as number) < (lows[2 * min] as number))) min = i
    if (high > most || (high === most && (lows[2 * i] as number) > (lows[2 * max] as number))) max = i
  }
  const at = (i: number): bigint => (BigInt(highs[2 * i + 1] as number) << 32n) | BigInt(lows[2 * i] as number)
  return { min: at(min), max: at(max) }
}

/** A least or greatest value as Parquet's statistics hold it. */
export function extremeBytes(dtype: DType | 'string' | 'binary', value: number | bigint | Buffer, end: 'min' | 'max') {
  if (Buffer.isBuffer(value)) return value
  if (typeof value === 'bigint') {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
    return bytes
  }
  // Whether a 0 has a sign is not told by comparing: the range holds both.
  const zero = end === 'min' ? -0 : 0
  switch (dtype) {
    case 'bool':
      return Buffer.from([value])
    case 'float16': {
      const bits = value & 0x8000 ? value & 0x7fff : value ^ 0xffff
      const bytes = Buffer.alloc(2)
      bytes.writeUInt16LE((bits & 0x7fff) === 0 ? (end === 'min' ? 0x8000 : 0) : bits)
      return bytes
    }
    case 'float32': {
      const bytes = Buffer.alloc(4)
      bytes.writeFloatLE(value === 0 ? zero : value)
      return bytes
    }
    case 'float64': {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(value === 0 ? zero : value)
      return bytes
    }
    default: {
      const bytes = Buffer.alloc(4)
      bytes.writeInt32LE(value | 0)
      return bytes
    }
  }
}
