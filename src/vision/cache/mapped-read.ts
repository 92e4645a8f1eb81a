import { HeadraceError } from '../../errors.ts'
import type { MappedBytes } from '../../mapped.ts'
import { native } from '../../native.ts'
import { allocate } from '../../storage/file/descriptor.ts'

/** How the addon says that a page of a mapped file cannot be had. */
function unreadable(error: unknown): error is Error {
  return (error as NodeJS.ErrnoException).code === 'EIO'
}

/**
 * A copy of bytes [offset, offset + size) of a mapped file, `name` in messages. E_CORRUPT where the file was cut off or
 * its device fails, E_LIMIT where there is no memory for them.
 */
export function readMapped(map: MappedBytes, offset: number, size: number, name: string): Uint8Array {
  const bytes = allocate(size, name)
  try {
    native.readMapped(map, offset, bytes)
    return bytes
  } catch (error) {
    if (unreadable(error)) throw new HeadraceError('E_CORRUPT', `${name}: ${error.message}`, { cause: error })
    throw error
  }
}

/** CRC-32C of every range; undefined for those that cannot be read. */
export async function checksumsOf(
  map: MappedBytes,
  offsets: Float64Array,
  sizes: Float64Array,
  threads: number,
): Promise<readonly (number | undefined)[]> {
  try {
    return [...(await native.crc32cMapped(map, offsets, sizes, threads))]
  } catch (error) {
    if (!unreadable(error)) throw error
    if (offsets.length === 1) return [undefined]
  }
  // one of them; which one shows where each is read alone
  const alone: (number | undefined)[] = []
  for (let i = 0; i < offsets.length; i++)
    alone.push(...(await checksumsOf(map, offsets.slice(i, i + 1), sizes.slice(i, i + 1), threads)))
  return alone
}
