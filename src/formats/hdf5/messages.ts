import type { DType } from '../../dtype.ts'
import { dtypeOfMessage } from './datatype.ts'
import { FieldReader, UNDEFINED_ADDRESS } from './fields.ts'

/** The messages of an object header that say what a data set is, and where; in the versions that HDF5 1.10 writes. */

export interface Filter {
  readonly id: number
  readonly values: readonly number[]
}

/** How the bytes of a data set lie. */
export type Storage =
  | { readonly kind: 'contiguous'; readonly address: number; readonly bytes: number }
  | {
      readonly kind: 'single'
      readonly address: number
      readonly bytes: number
      readonly skipped: number
      readonly chunk: readonly number[]
    }
  | { readonly kind: 'fixed-array'; readonly address: number; readonly chunk: readonly number[] }

/** Thrown where the file may be right and is not of the kind that is read here. */
export class Foreign extends Error {}

const MAX_RANK = 32

/** Many links are kept in a heap of their own. */
export function checkLinkInfo(message: FieldReader): void {
  if (message.uint(1) !== 0) throw new Foreign()
  if (message.uint(1) & 1) message.skip(8)
  if (message.uint(8) !== UNDEFINED_ADDRESS) throw new Foreign()
}

export function readLink(message: FieldReader): { name: string; header: number } {
  if (message.uint(1) !== 1) throw new Foreign()
  const flags = message.uint(1)
  if (flags & 8 && message.uint(1) !== 0) throw new Foreign()
  if (flags & 4) message.skip(8)
  if (flags & 16) message.skip(1)
  const name = message.utf8(message.uint(2 ** (flags & 3)))
  return { name, header: message.uint(8) }
}

export function readDataspace(message: FieldReader): { shape: number[]; maxShape: number[] } {
  const version = message.uint(1)
  const rank = message.uint(1)
  const flags = message.uint(1)
  if (version !== 2 || message.uint(1) !== 1 || rank < 1 || rank > MAX_RANK) throw new Foreign()
  const axes = (): number[] => Array.from({ length: rank }, () => message.uint(8))
  const shape = axes()
  return { shape, maxShape: flags & 1 ? axes() : shape }
}

export function readDatatype(message: FieldReader): { dtype: DType; itemBytes: number } {
  const itemBytes = new FieldReader(message.bytes, () => new Foreign(), message.at + 4, message.end).uint(4)
  const dtype = dtypeOfMessage(message)
  if (dtype === undefined) throw new Foreign()
  return { dtype, itemBytes }
}

/** Chunks that are not there are zeros, unless the file says otherwise. */
export function checkFillValue(message: FieldReader): void {
  const version = message.uint(1)
  const flags = message.uint(1)
  if (version !== 3) throw new Foreign()
  if ((flags & 0x20) === 0) return
  const value = message.part(message.uint(4))
  while (value.left > 0) if (value.uint(1) !== 0) throw new Foreign()
}

export function readLayout(message: FieldReader): Storage {
  const version = message.uint(1)
  const kind = message.uint(1)
  if (kind === 1 && (version === 3 || version === 4))
    return { kind: 'contiguous', address: message.uint(8), bytes: message.uint(8) }
  if (kind !== 2 || version !== 4) throw new Foreign()
  const flags = message.uint(1)
  const rank = message.uint(1) - 1
  const dimBytes = message.uint(1)
  // Chunks at the edge that are left out of filtering.
  if (flags & 1 || rank < 1 || rank > MAX_RANK || dimBytes < 1 || dimBytes > 8) throw new Foreign()
  const chunk = Array.from({ length: rank }, () => message.uint(dimBytes))
  message.skip(dimBytes)
  const index = message.uint(1)
  if (index === 3) {
    message.skip(1)
    return { kind: 'fixed-array', address: message.uint(8), chunk }
  }
  if (index !== 1) throw new Foreign()
  const [bytes, skipped] = flags & 2 ? [message.uint(8), message.uint(4)] : [-1, 0]
  return { kind: 'single', address: message.uint(8), bytes, skipped, chunk }
}

export function readFilters(message: FieldReader): Filter[] {
  if (message.uint(1) !== 2) throw new Foreign()
  return Array.from({ length: message.uint(1) }, () => {
    const id = message.uint(2)
    // Filters that are not HDF5's own are named.
    const nameBytes = id >= 256 ? message.uint(2) : 0
    message.skip(2)
    const count = message.uint(2)
    message.skip(nameBytes)
    return { id, values: Array.from({ length: Math.min(count, message.left) }, () => message.uint(4)) }
  })
}
