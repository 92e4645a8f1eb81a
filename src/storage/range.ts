import { nonNegativeInteger } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { ByteRange } from './types.ts'

export function checkRange(range: ByteRange | undefined): void {
  if (range === undefined) return
  nonNegativeInteger('range.offset', range.offset)
  if (range.length !== undefined) nonNegativeInteger('range.length', range.length)
}

/** The part of an object of `size` bytes that a range means: cut at the end, E_USAGE where it starts past it. */
export function cutRange(range: ByteRange | undefined, size: number, key: string): { offset: number; length: number } {
  const offset = range?.offset ?? 0
  if (offset > size)
    throw new HeadraceError('E_USAGE', `range.offset must be at most ${size}, the size of ${key}, but got ${offset}`, {
      key,
      offset,
    })
  return { offset, length: Math.min(range?.length ?? size - offset, size - offset) }
}

/** The beginning of `into` that takes `length` bytes; E_LIMIT where it is too small. */
export function roomFor(into: Uint8Array, length: number, key: string): Uint8Array {
  if (into.length < length)
    throw new HeadraceError('E_LIMIT', `into must take ${length} bytes of ${key}, but it has ${into.length}`, { key })
  return into.subarray(0, length)
}
