import { nonNegativeInteger } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'

/**
 * Zeroed memory that begins at a page. As `into` of a direct store's `get`, or as what is put, it is read and written by
 * the device itself; other memory costs a copy. E_LIMIT where there is no memory for `length` bytes.
 */
export function alignedBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = nonNegativeInteger('length', length)
  try {
    return new Uint8Array(native.alignedMemory(bytes))
  } catch (cause) {
    throw new HeadraceError('E_LIMIT', `there is no memory for ${bytes} bytes`, { cause })
  }
}
