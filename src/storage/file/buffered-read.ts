import type fs from 'node:fs'
import { show } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { native } from '../../native.ts'
import { cutRange, roomFor } from '../range.ts'
import type { GetOptions, GetParts, ObjectBody } from '../types.ts'
import {
  allocate,
  dropDescriptor,
  isAbsent,
  openDescriptor,
  READ_FLAGS,
  readInto,
  statDescriptor,
} from './descriptor.ts'
import type { PageCachePolicy } from './policies.ts'
import { infoOf } from './walk.ts'

/** 8 MiB: up to here memory is taken for the whole range before it is known that the object is that long. */
const MAX_EARLY_READ = 8 * 2 ** 20

/** Reads a file through the page cache, on libuv's threads. Undefined where there is no regular file. */
export async function readBuffered(
  path: string,
  key: string,
  options: GetOptions,
  pageCache: PageCachePolicy,
): Promise<ObjectBody | undefined> {
  let fd: number
  try {
    fd = await openDescriptor(path, READ_FLAGS)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
  try {
    if (pageCache === 'sequential' || pageCache === 'random') native.advise(fd, pageCache)
    const body = await read(fd, key, options)
    if (pageCache === 'dontNeed' && body !== undefined)
      await native.dropFilePages(fd, options.range?.offset ?? 0, options.range?.length ?? 0)
    throwIfAborted(options.signal, 'get')
    return body
  } finally {
    dropDescriptor(fd)
  }
}

async function read(fd: number, key: string, options: GetOptions): Promise<ObjectBody | undefined> {
  const { range, into, ifMatch, signal, parts } = options
  const early = range?.length
  // Where the range says how much to read, the size is asked for at the same time: one trip through libuv less.
  if (
    range !== undefined &&
    early !== undefined &&
    ifMatch === undefined &&
    early <= (into?.length ?? MAX_EARLY_READ)
  ) {
    const target = into?.subarray(0, early) ?? allocate(early, key)
    // Both are waited for even if one fails: the descriptor must not be closed under the other.
    const [found, reading] = await Promise.allSettled([
      statDescriptor(fd),
      readParts(fd, target, range.offset, parts, signal),
    ])
    if (found.status === 'rejected') throw found.reason
    if (!found.value.isFile()) return undefined
    const { offset, length } = cutRange(range, found.value.size, key)
    if (reading.status === 'rejected') throw reading.reason
    return bodyOf(key, found.value, target, offset, length, reading.value)
  }
  const stats = await statDescriptor(fd)
  if (!stats.isFile()) return undefined
  if (ifMatch !== undefined && infoOf(key, stats).etag !== ifMatch) throw changed(key, ifMatch)
  const { offset, length } = cutRange(range, stats.size, key)
  const target = into === undefined ? allocate(length, key) : roomFor(into, length, key)
  return bodyOf(key, stats, target, offset, length, await readParts(fd, target, offset, parts, signal))
}

/** As `readInto`, in parts side by side where that is asked for. */
async function readParts(
  fd: number,
  into: Uint8Array,
  position: number,
  parts: GetParts | undefined,
  signal: AbortSignal | undefined,
): Promise<number> {
  if (parts === undefined || parts.size >= into.length) return readInto(fd, into, position, signal)
  let next = 0
  let done = 0
  const lane = async () => {
    while (next < into.length) {
      const at = next
      next += parts.size
      const count = await readInto(fd, into.subarray(at, at + parts.size), position + at, signal)
      done += count
    }
  }
  const lanes = Array.from({ length: Math.min(parts.inflight, Math.ceil(into.length / parts.size)) }, lane)
  // All come to their end even if one fails: the descriptor must not be closed under the others.
  for (const lane of await Promise.allSettled(lanes)) if (lane.status === 'rejected') throw lane.reason
  return done
}

export function changed(key: string, ifMatch: string): HeadraceError {
  return new HeadraceError('E_STATE', `${key} has changed: its etag is not ${show(ifMatch)} any more`, { key })
}

/** E_CORRUPT where `count` bytes came and not `length`. */
export function bodyOf(
  key: string,
  stats: Pick<fs.Stats, 'ino' | 'size' | 'mtimeMs'>,
  target: Uint8Array,
  offset: number,
  length: number,
  count: number,
): ObjectBody {
  if (count < length)
    throw new HeadraceError(
      'E_CORRUPT',
      `${key} has ${stats.size} bytes, but only ${count} of ${length} came from ${offset}`,
      {
        key,
        offset: offset + count,
      },
    )
  return { info: infoOf(key, stats), data: length === target.length ? target : target.subarray(0, length) }
}
