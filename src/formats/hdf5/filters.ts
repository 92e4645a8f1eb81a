import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { lzfDecompressed } from './lzf.ts'
import type { Filter } from './messages.ts'

/** Numbers of filters: HDF5's own, and that of h5py. */
export const FILTER = { deflate: 1, shuffle: 2, lzf: 32_000 } as const

const UNDONE: readonly number[] = Object.values(FILTER)

const inflated = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate)

/** Whether all filters can be undone here. */
export function canUndo(filters: readonly Filter[]): boolean {
  return filters.every(({ id }) => UNDONE.includes(id))
}

/** The `bytes` of a chunk as they were before the filters; `skipped` has a bit for each that was left out. */
export async function undoFilters(
  stored: Uint8Array,
  filters: readonly Filter[],
  skipped: number,
  bytes: number,
): Promise<Uint8Array> {
  let chunk = stored
  for (let i = filters.length - 1; i >= 0; i--) {
    const filter = filters[i] as Filter
    if ((skipped / 2 ** i) & 1) continue
    if (filter.id === FILTER.deflate) chunk = await inflated(chunk, { maxOutputLength: bytes })
    else if (filter.id === FILTER.lzf) chunk = lzfDecompressed(chunk, bytes)
    else chunk = unshuffled(chunk, filter.values[0] ?? 1)
  }
  return chunk
}

/** The first bytes of all elements, then the second ones, and so on: back in their elements. */
function unshuffled(bytes: Uint8Array, size: number): Uint8Array {
  const count = size > 0 ? Math.floor(bytes.length / size) : 0
  // A Buffer's own slice would be the same memory.
  const chunk = new Uint8Array(bytes)
  for (let byte = 0; byte < (count > 0 ? size : 0); byte++)
    for (let i = 0; i < count; i++) chunk[i * size + byte] = bytes[byte * count + i] as number
  return chunk
}
