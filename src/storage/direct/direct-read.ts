import { DIRECT_READ, native } from '../../native.ts'
import { bodyOf, changed } from '../file/buffered-read.ts'
import { allocate, isAbsent } from '../file/descriptor.ts'
import { infoOf } from '../file/walk.ts'
import { cutRange, roomFor } from '../range.ts'
import type { GetOptions, ObjectBody } from '../types.ts'
import type { DirectTransfers } from './transfers.ts'

/** What one array holds on every platform: 4 GiB. */
const LONGEST = 2 ** 32

/**
 * Reads a file around the page cache: opened, read and closed on a thread of the addon. Undefined where there is none; a
 * system error EINVAL where the file system refuses, or where it is no regular file.
 */
export async function readDirect(
  path: string,
  key: string,
  { range, into, ifMatch, signal }: GetOptions,
  transfers: DirectTransfers,
): Promise<ObjectBody | undefined> {
  const numbers = new Float64Array(Object.keys(DIRECT_READ).length)
  const job = {
    path,
    into,
    offset: range?.offset ?? 0,
    length: range?.length ?? Number.MAX_SAFE_INTEGER,
    limit: LONGEST,
    numbers,
  }
  let own: Uint8Array | undefined
  try {
    own = await transfers.run(signal, (method) => native.readDirect({ ...method, ...job }))
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
  const at = (column: keyof typeof DIRECT_READ) => numbers[DIRECT_READ[column]] ?? 0
  if (at('regular') === 0) return undefined
  const stats = { ino: at('inode'), size: at('size'), mtimeMs: at('modified') }
  if (ifMatch !== undefined && infoOf(key, stats).etag !== ifMatch) throw changed(key, ifMatch)
  const { offset, length } = cutRange(range, stats.size, key)
  const target = into === undefined ? (own ?? allocate(0, key)) : roomFor(into, length, key)
  // Says why there is no memory for so much.
  if (into === undefined && length > LONGEST) allocate(Number.MAX_SAFE_INTEGER, key)
  return bodyOf(key, stats, target, offset, length, at('read'))
}
