import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { canUndo, FILTER, undoFilters } from '../../../src/formats/hdf5/filters.ts'
import { lzfCompressed } from '../../../src/formats/hdf5/lzf.ts'

/** The first bytes of all elements, then the second ones: what is left over stays at the end. */
function shuffled(bytes: Uint8Array, size: number): Uint8Array {
  const count = Math.floor(bytes.length / size)
  const out = new Uint8Array(bytes)
  for (let i = 0; i < count; i++)
    for (let byte = 0; byte < size; byte++) out[byte * count + i] = bytes[i * size + byte] ?? 0
  return out
}

const chunk = Uint8Array.from({ length: 4 * 501 + 3 }, (_, i) => (i % 4 === 0 ? (i * 7) & 0xff : i % 4))
const shuffle = { id: FILTER.shuffle, values: [4] }

describe('the filters of a chunk', () => {
  it.each([
    ['gzip', { id: FILTER.deflate, values: [4] }, deflateSync],
    ['LZF', { id: FILTER.lzf, values: [4, 261, chunk.length] }, (bytes: Uint8Array) => lzfCompressed(bytes) ?? bytes],
  ])('are undone from the last one on: %s after shuffling', async (_, filter, pack) => {
    const stored = pack(shuffled(chunk, 4))
    expect(new Uint8Array(await undoFilters(stored, [shuffle, filter], 0, chunk.length))).toEqual(chunk)
    // Left out of this chunk, because it made it no smaller.
    expect(await undoFilters(shuffled(chunk, 4), [shuffle, filter], 2, chunk.length)).toEqual(chunk)
  })

  it('of others are not', () => {
    expect(canUndo([shuffle, { id: FILTER.lzf, values: [] }])).toBe(true)
    expect(canUndo([{ id: 3, values: [] }])).toBe(false)
  })
})
