import { type DType, itemSize } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { corrupt, recordElements } from '../layout.ts'
import { descrOfDtype, dtypeOfDescr, NPY_HEADER_LIMIT, npyHeader, parseNpyHeader } from '../npy.ts'
import type { FileLayout, FormatName } from '../types.ts'
import type { ArrayBytes } from './sample-last.ts'

/** The array that DLIO's NumPy files hold: the axes of a record, and one more that counts the samples. */
export interface RecordArray {
  readonly samples: number
  /** Of one record. */
  readonly shape: readonly number[]
  readonly dtype: DType
  /** What stands before its elements. */
  readonly header: Uint8Array
}

/** So many bytes say how long the header is. */
const BEGIN_BYTES = 12

/** NumPy's header of the array that a layout asks for. E_CONFIG for what NumPy cannot hold. */
export function arrayHeader(format: FormatName, { shape, dtype, samples }: FileLayout): Uint8Array {
  const descr = descrOfDtype(dtype)
  if (descr === undefined)
    throw new HeadraceError('E_CONFIG', `${format} files cannot hold ${dtype}: NumPy has not got it`)
  return npyHeader(descr, [...shape, samples])
}

/** Bytes of that array without its header. */
export function arrayBytes(layout: FileLayout): number {
  return recordElements(layout) * itemSize(layout.dtype) * layout.samples
}

/** Reads the header of an .npy file, or of a member that is one; `size` is that of the whole, `name` what messages call it. */
export async function readArray(bytes: ArrayBytes, size: number, name: string): Promise<RecordArray> {
  // In order, since going back in packed bytes costs a new start.
  const begin = new Uint8Array(Math.min(size, BEGIN_BYTES))
  await bytes.read(0, begin)
  const start = new Uint8Array(Math.min(size, Math.max(begin.length, Math.min(headerEnd(begin), NPY_HEADER_LIMIT))))
  start.set(begin)
  await bytes.read(begin.length, start.subarray(begin.length))
  const { descr, shape, dataOffset } = parseNpyHeader(start, size, name)
  const dtype = typeof descr === 'string' ? dtypeOfDescr(descr) : undefined
  if (dtype === undefined)
    throw new HeadraceError('E_UNSUPPORTED', `${name}: records of ${JSON.stringify(descr)} are not read`, {
      path: name,
    })
  const samples = shape.at(-1)
  if (samples === undefined) throw corrupt(name, 'an array without axes holds no records')
  return { samples, shape: shape.slice(0, -1), dtype, header: start.subarray(0, dataOffset) }
}

/** Where the header ends that begins like this. */
function headerEnd(start: Uint8Array): number {
  if (start.length < BEGIN_BYTES) return start.length
  const view = new DataView(start.buffer, start.byteOffset, start.length)
  return view.getUint8(6) === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true)
}
