import type { DType } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import { parsePythonLiteral } from './python-literal.ts'

/**
 * NumPy's .npy files, format versions 1.0, 2.0 and 3.0, little-endian and in C order.
 * Source of the format: NumPy Enhancement Proposal 1 and numpy/lib/format.py.
 */

/** One column of a record array: its name and dtype string, such as ['data_ptr', '<u8']. */
export type NpyColumn = readonly [name: string, descr: string]
/** A dtype string such as '<i8', or the columns of a record array. */
export type NpyDescr = string | readonly NpyColumn[]

export interface NpyHeader {
  readonly descr: NpyDescr
  readonly shape: readonly number[]
  /** Bytes of one element (of one record). */
  readonly itemBytes: number
  /** Product of `shape`. */
  readonly count: number
  /** Where the elements start, in bytes from the start of the file. */
  readonly dataOffset: number
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const
/** Bytes of a file that are enough to parse its header; NumPy's own headers are a few hundred. */
export const NPY_HEADER_LIMIT = 64 * 1024
const ALIGNMENT = 64
/** NumPy leaves room for a first axis of up to this many digits, so that an array can grow in place. */
const GROWTH_DIGITS = 21

const DTYPES: Readonly<Record<string, DType>> = {
  u1: 'uint8',
  i1: 'int8',
  u2: 'uint16',
  i2: 'int16',
  u4: 'uint32',
  i4: 'int32',
  i8: 'int64',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  b1: 'bool',
}

/** Our name of a NumPy dtype string; undefined for those that are not plain little-endian numbers. */
export function dtypeOfDescr(descr: string): DType | undefined {
  const found = DTYPES[descr.slice(1)]
  if (found === undefined) return undefined
  const order = descr[0]
  if (order === '<' || order === '=') return found
  return order === '|' && descr.endsWith('1') ? found : undefined
}

/** NumPy's dtype string of ours, as NumPy writes it; undefined for bfloat16, which it has not got. */
export function descrOfDtype(dtype: DType): string | undefined {
  const found = Object.keys(DTYPES).find((kind) => DTYPES[kind] === dtype)
  return found === undefined ? undefined : `${found.endsWith('1') ? '|' : '<'}${found}`
}

function itemBytesOf(descr: string, file: string): number {
  const match = /^([<>=|])([a-zA-Z])(\d{0,6})$/.exec(descr)
  if (!match) throw new HeadraceError('E_CORRUPT', `${file}: unknown NumPy dtype ${JSON.stringify(descr)}`)
  const [, order, kind, digits] = match
  if (kind === 'O')
    throw new HeadraceError('E_UNSUPPORTED', `${file}: NumPy object arrays hold pickled code and are not read`)
  const bytes = Number(digits) * (kind === 'U' ? 4 : 1)
  const ordered = order === '|' || bytes === 1
  if (order === '>' && !ordered) throw new HeadraceError('E_UNSUPPORTED', `${file}: big-endian dtype ${descr}`)
  if (!/[biufcSUV]/.test(kind ?? '') || bytes === 0)
    throw new HeadraceError('E_UNSUPPORTED', `${file}: NumPy dtype ${JSON.stringify(descr)}`)
  return bytes
}

function checkedDescr(value: unknown, file: string): { descr: NpyDescr; itemBytes: number } {
  if (typeof value === 'string') return { descr: value, itemBytes: itemBytesOf(value, file) }
  if (!Array.isArray(value) || value.length === 0)
    throw new HeadraceError('E_CORRUPT', `${file}: NumPy header: descr is ${JSON.stringify(value)}`)
  let itemBytes = 0
  const columns = value.map((column: unknown): NpyColumn => {
    const [name, descr, ...more] = Array.isArray(column) ? (column as unknown[]) : []
    if (typeof name !== 'string' || typeof descr !== 'string' || more.length > 0)
      throw new HeadraceError('E_UNSUPPORTED', `${file}: NumPy record column ${JSON.stringify(column)}`)
    itemBytes += itemBytesOf(descr, file)
    return [name, descr]
  })
  return { descr: columns, itemBytes }
}

/**
 * Reads the header of an .npy file from its first bytes (NPY_HEADER_LIMIT of them, or the whole file).
 * `file` is what messages call it, `fileBytes` its whole size: the data must end exactly there.
 */
export function parseNpyHeader(start: Uint8Array, fileBytes: number, file: string): NpyHeader {
  const corrupt = (reason: string): HeadraceError =>
    new HeadraceError('E_CORRUPT', `${file}: ${reason}`, { path: file })
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength)
  if (start.length < 10 || MAGIC.some((byte, i) => start[i] !== byte)) throw corrupt('not an .npy file')
  const major = view.getUint8(6)
  const minor = view.getUint8(7)
  if (major < 1 || major > 3 || minor !== 0) throw corrupt(`.npy format version ${major}.${minor}`)
  const lengthBytes = major === 1 ? 2 : 4
  if (start.length < 8 + lengthBytes) throw corrupt('the .npy header is cut short')
  const textBytes = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  const dataOffset = 8 + lengthBytes + textBytes
  if (dataOffset > NPY_HEADER_LIMIT) throw corrupt(`an .npy header of ${textBytes} bytes (at most ${NPY_HEADER_LIMIT})`)
  if (dataOffset > start.length) throw corrupt('the .npy header is cut short')

  const text = new TextDecoder(major === 3 ? 'utf-8' : 'latin1').decode(start.subarray(8 + lengthBytes, dataOffset))
  const header = parsePythonLiteral(text, file)
  if (!(header instanceof Map)) throw corrupt('the .npy header is not a dict')
  const extra = [...header.keys()].filter((key) => key !== 'descr' && key !== 'fortran_order' && key !== 'shape')
  if (extra.length > 0) throw corrupt(`the .npy header has an unknown key ${JSON.stringify(extra[0])}`)
  const { descr, itemBytes } = checkedDescr(header.get('descr'), file)
  const order = header.get('fortran_order')
  if (typeof order !== 'boolean') throw corrupt('the .npy header has no fortran_order')
  const axes = header.get('shape')
  if (!Array.isArray(axes) || axes.length > 32) throw corrupt('the .npy header has no shape')
  const shape = axes.map((axis) => {
    if (typeof axis !== 'number' || !Number.isSafeInteger(axis) || axis < 0)
      throw corrupt(`the .npy header has an axis of ${JSON.stringify(axis)}`)
    return axis
  })
  if (order && shape.length > 1) throw new HeadraceError('E_UNSUPPORTED', `${file}: an array in Fortran order`)

  const count = shape.reduce((product, axis) => product * axis, 1)
  const bytes = count * itemBytes
  if (!Number.isSafeInteger(bytes) || dataOffset + bytes !== fileBytes)
    throw corrupt(
      `${JSON.stringify(shape)} elements of ${itemBytes} bytes after a header of ${dataOffset} do not make a file of ${fileBytes} bytes`,
    )
  return { descr, shape, itemBytes, count, dataOffset }
}

const quoted = (text: string): string => {
  if (!/^[\x20-\x7e]*$/.test(text) || /['\\]/.test(text))
    throw new HeadraceError('E_USAGE', `an .npy name must be plain ASCII, but got ${JSON.stringify(text)}`)
  return `'${text}'`
}

/**
 * The header of a version 1.0 file, byte for byte as NumPy writes it. Its length depends on `descr` and on the
 * number of axes only, not on the first axis: write one for 0 elements first and the final one over it later.
 */
export function npyHeader(descr: NpyDescr, shape: readonly number[]): Uint8Array {
  const type =
    typeof descr === 'string'
      ? quoted(descr)
      : `[${descr.map(([name, column]) => `(${quoted(name)}, ${quoted(column)})`).join(', ')}]`
  const axes = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const growth = shape.length === 0 ? 0 : Math.max(0, GROWTH_DIGITS - String(shape[0]).length)
  const text = `{'descr': ${type}, 'fortran_order': False, 'shape': ${axes}, }${' '.repeat(growth)}`
  // NumPy adds a whole block of padding where the header would be aligned without any
  const padding = ALIGNMENT - ((10 + text.length + 1) % ALIGNMENT)
  const textBytes = text.length + padding + 1
  if (textBytes > 0xffff) throw new HeadraceError('E_LIMIT', `an .npy header of ${textBytes} bytes`)
  const header = Buffer.alloc(10 + textBytes, 0x20)
  header.set([...MAGIC, 1, 0, textBytes & 0xff, textBytes >>> 8])
  header.write(text, 10, 'latin1')
  header[header.length - 1] = 0x0a
  return header
}
