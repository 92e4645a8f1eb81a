import { show } from '../../checks.ts'
import { type DType, itemSize } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { corrupt } from '../../formats/layout.ts'
import { dtypeOfDescr, parseNpyHeader } from '../../formats/npy.ts'
import type { Field, FieldKind, Value } from '../types.ts'

/** What may be asked of an extension's bytes. */
export const FIELD_KINDS = ['image', 'bytes', 'string', 'number', 'tensor'] as const

/** As the library webdataset decodes them by default; pictures stay as they are stored. */
const KINDS: Readonly<Record<string, FieldKind>> = Object.fromEntries([
  ...['jpg', 'jpeg', 'png', 'webp', 'gif', 'bmp', 'tif', 'tiff', 'avif', 'img', 'image'].map((name) => [name, 'image']),
  ...['cls', 'cls2', 'class', 'count', 'index', 'inx', 'id'].map((name) => [name, 'number']),
  ...['txt', 'text', 'transcript', 'json', 'jsn'].map((name) => [name, 'string']),
  ['npy', 'tensor'],
])

/** What the bytes of an extension are taken for: by its last part, `seg.png` is a picture. */
export function kindOf(extension: string): FieldKind {
  const last = extension.slice(extension.lastIndexOf('.') + 1)
  return (Object.hasOwn(KINDS, last) ? KINDS[last] : undefined) ?? 'bytes'
}

/** Whole numbers in text, as Python's `int` reads them. */
const INTEGER = /^\s*[-+]?\d+(?:_\d+)*\s*$/

/** An array as an .npy file has it. */
export interface NpyArray {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** C order. */
  readonly bytes: Uint8Array
}

/** E_CORRUPT; E_UNSUPPORTED for what is no plain array of numbers in C order. */
export function readNpy(member: Uint8Array, name: string): NpyArray {
  const { descr, shape, dataOffset } = parseNpyHeader(member, member.length, name)
  const dtype = typeof descr === 'string' ? dtypeOfDescr(descr) : undefined
  if (dtype === undefined)
    throw new HeadraceError('E_UNSUPPORTED', `${name}: an array of ${show(descr)}`, {
      path: name,
      hint: "take its bytes: types: { npy: 'bytes' }",
    })
  const length = shape.reduce((product, axis) => product * axis, itemSize(dtype))
  return { dtype, shape, bytes: member.subarray(dataOffset, dataOffset + length) }
}

/** The value of a field. E_CORRUPT where the bytes are none. */
export function valueIn(field: Field, member: Uint8Array, name: string): Value {
  switch (field.kind) {
    case 'string':
      return Buffer.from(member.buffer, member.byteOffset, member.length).toString('utf8')
    case 'number':
      return integerOf(member, name)
    case 'tensor':
      return arrayOf(field, member, name)
    default:
      return member
  }
}

const INT64_MAX = 2n ** 63n - 1n

function integerOf(member: Uint8Array, name: string): bigint {
  const text = Buffer.from(member.buffer, member.byteOffset, Math.min(member.length, 64)).toString('latin1')
  if (member.length > 64 || !INTEGER.test(text)) throw corrupt(name, `${show(text.slice(0, 20))} is no integer`)
  const plain = text.trim().replace(/_/g, '').replace(/^\+/, '')
  const value = plain.startsWith('-') ? -BigInt(plain.slice(1)) : BigInt(plain)
  if (value > INT64_MAX || value < -INT64_MAX - 1n) throw corrupt(name, `${plain} is no int64`)
  return value
}

function arrayOf({ dtype, shape = [] }: Field, member: Uint8Array, name: string): Uint8Array {
  const array = readNpy(member, name)
  if (array.dtype === dtype && array.shape.length === shape.length && array.shape.every((axis, i) => axis === shape[i]))
    return array.bytes
  throw new HeadraceError(
    'E_CORRUPT',
    `${name}: an array of ${array.dtype}[${array.shape}], where the first one is ${dtype}[${shape}]`,
    { path: name, hint: "arrays that differ are taken as bytes: types: { npy: 'bytes' }" },
  )
}
