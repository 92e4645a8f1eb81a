import { HeadraceError } from '../../errors.ts'
import type { HeaderFields, HttpHead } from '../http/types.ts'
import type { ObjectInfo } from '../types.ts'
import type { RangeHead, RangeRequest } from './ranged-get.ts'

/** Ranges in HTTP's words. */

export function rangeText(offset: number, length: number): string {
  return `bytes=${offset}-${offset + length - 1}`
}

const CONTENT_RANGE = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/

/** What a 206, or a 200 that has everything, says of its part and its object. E_CORRUPT where that makes no sense. */
export function rangeHeadOf(
  key: string,
  { status, headers }: HttpHead,
  infoOf: (key: string, headers: HeaderFields, size?: number) => ObjectInfo,
): RangeHead {
  if (status === 200) {
    const info = infoOf(key, headers)
    return { info, offset: 0, length: info.size }
  }
  const text = headers['content-range'] ?? ''
  const [found, first, last, size] = CONTENT_RANGE.exec(text) ?? []
  const [offset, end, total] = [Number(first), Number(last) + 1, Number(size)]
  // Some servers answer a range at the end with an empty one.
  if (found === undefined || end < offset || end > total)
    throw new HeadraceError('E_CORRUPT', `${key}: the answer's Content-Range is ${JSON.stringify(text)}`, { key })
  return { info: infoOf(key, headers, total), offset, length: end - offset }
}

/** Where the body of an answer goes: the bytes of a range to their place, errors and empty ranges to none. */
export function placing(
  place: RangeRequest['place'],
  read: (head: HttpHead) => RangeHead,
): (head: HttpHead) => Uint8Array | undefined {
  return (head) => {
    if (head.status !== 200 && head.status !== 206) return undefined
    const found = read(head)
    return head.status === 206 && found.length === 0 ? undefined : place(found)
  }
}
