import { type DType, itemSize } from '../../dtype.ts'
import { type FieldReader, FieldWriter } from './fields.ts'

/** HDF5's datatype messages for the element types there are here, little-endian. */

const FIXED_POINT = 0
const FLOATING_POINT = 1
const ENUMERATION = 8

interface Float {
  /** Bits of the exponent, and of the fraction below it. */
  readonly exponent: number
  readonly fraction: number
}

const FLOATS: Readonly<Partial<Record<DType, Float>>> = {
  float16: { exponent: 5, fraction: 10 },
  float32: { exponent: 8, fraction: 23 },
  float64: { exponent: 11, fraction: 52 },
}

function integer(size: number, signed: boolean): FieldWriter {
  return new FieldWriter()
    .uint((1 << 4) | FIXED_POINT, 1)
    .uint(signed ? 8 : 0, 3)
    .uint(size, 4)
    .uint(0, 2)
    .uint(size * 8, 2)
}

function float(size: number, { exponent, fraction }: Float): FieldWriter {
  const sign = size * 8 - 1
  return new FieldWriter()
    .uint((1 << 4) | FLOATING_POINT, 1)
    .bytes([0x20, sign, 0]) // the fraction's first bit is implied
    .uint(size, 4)
    .uint(0, 2)
    .uint(size * 8, 2)
    .bytes([fraction, exponent, 0, fraction])
    .uint(2 ** (exponent - 1) - 1, 4)
}

/** h5py's bool: an enumeration of a byte. */
function bool(): FieldWriter {
  return new FieldWriter()
    .uint((3 << 4) | ENUMERATION, 1)
    .uint(2, 3)
    .uint(1, 4)
    .bytes(integer(1, true).take())
    .ascii('FALSE\0TRUE\0')
    .bytes([0, 1])
}

const messages = new Map<DType, Uint8Array | undefined>()

/** The message's bytes; undefined where HDF5 has no such type. */
export function datatypeMessage(dtype: DType): Uint8Array | undefined {
  if (!messages.has(dtype)) messages.set(dtype, makeMessage(dtype))
  return messages.get(dtype)
}

function makeMessage(dtype: DType): Uint8Array | undefined {
  if (dtype === 'bool') return bool().take()
  const kind = FLOATS[dtype]
  if (kind !== undefined) return float(itemSize(dtype), kind).take()
  return dtype === 'bfloat16' ? undefined : integer(itemSize(dtype), dtype.startsWith('int')).take()
}

const dtypesOf = (signed: boolean): Readonly<Record<number, DType>> =>
  signed ? { 1: 'int8', 2: 'int16', 4: 'int32', 8: 'int64' } : { 1: 'uint8', 2: 'uint16', 4: 'uint32', 8: 'uint64' }

/** What a message says; undefined for what is no element type of ours, big-endian numbers among it. */
export function dtypeOfMessage(message: FieldReader): DType | undefined {
  const version = message.uint(1)
  const flags = message.uint(3)
  const size = message.uint(4)
  switch (version & 0xf) {
    case FIXED_POINT: {
      const whole = message.uint(2) === 0 && message.uint(2) === size * 8
      return whole && (flags & ~8) === 0 ? dtypesOf(flags === 8)[size] : undefined
    }
    case FLOATING_POINT: {
      const ours = Object.entries(FLOATS).find(([dtype]) => itemSize(dtype as DType) === size)
      if (ours === undefined) return undefined
      const [dtype] = ours as [DType, Float]
      const wanted = datatypeMessage(dtype) as Uint8Array
      // All of it but the version: the way bits are padded and placed is the same in each.
      const rest = message.bytes.subarray(message.at, message.at + wanted.length - 8)
      return flags === 0x20 + (size * 8 - 1) * 256 && Buffer.compare(rest, wanted.subarray(8)) === 0 ? dtype : undefined
    }
    case ENUMERATION:
      return size === 1 && dtypeOfMessage(message.part(12)) === 'int8' && namesOf(message) === 'FALSE TRUE'
        ? 'bool'
        : undefined
    default:
      return undefined
  }
}

/** The first two names of an enumeration, whichever way they are padded. */
function namesOf(message: FieldReader): string {
  return message
    .ascii(Math.min(message.left, 16))
    .split('\0')
    .filter((name) => name.length > 1)
    .join(' ')
}
