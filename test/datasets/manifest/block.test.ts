import { describe, expect, it } from 'vitest'
import { BLOCK_ENTRIES, Block, packBlock } from '../../../src/datasets/manifest/block.ts'
import type { ManifestEntry } from '../../../src/datasets/manifest/types.ts'
import { madeUpEntries } from './entries.ts'

function there(entries: readonly ManifestEntry[]): ManifestEntry[] {
  const block = new Block(packBlock(entries), entries.length)
  return entries.map((_, i) => block.entry(i))
}

describe('a block of a manifest', () => {
  it('gives back keys, sizes and etags of every kind', () => {
    const entries = madeUpEntries(BLOCK_ENTRIES)
    expect(there(entries)).toEqual(entries)
  })

  it('keeps keys of any letters and length, and sizes up to what a number holds', () => {
    const entries = [
      { key: ' ', size: 0, etag: '"quoted"' },
      { key: 'a'.repeat(5000), size: Number.MAX_SAFE_INTEGER, etag: 'D41D8CD98F00B204E9800998ECF8427E' },
      { key: `a${'a'.repeat(5000)}`, size: 128, etag: 'd41d8cd98f00b204e9800998ecf8427e-0' },
      { key: 'é/日本', size: 2 ** 32, etag: 'd41d8cd98f00b204e9800998ecf8427e-99999' },
      { key: 'é/日本語', size: 127, etag: 'é' },
      { key: '😀', size: 2 ** 31, etag: '' },
    ]
    expect(there(entries)).toEqual(entries)
  })

  it('takes some twenty-five bytes an object with MD5s as etags', () => {
    const entries = madeUpEntries(4 * BLOCK_ENTRIES).filter((_, i) => i % 4 === 0)
    const { deflated, digests } = packBlock(entries)
    expect(digests.length).toBe(16 * BLOCK_ENTRIES)
    expect(deflated.length / BLOCK_ENTRIES).toBeLessThan(9)
  })

  it('refuses what is damaged', () => {
    const entries = madeUpEntries(10)
    const packed = packBlock(entries)
    const refused: (readonly [typeof packed, number])[] = [
      [packed, 9],
      [packed, 11],
      [{ ...packed, textBytes: packed.textBytes - 1 }, 10],
      [{ ...packed, textBytes: packed.textBytes + 1 }, 10],
      [{ ...packed, deflated: packed.deflated.subarray(1) }, 10],
      [{ ...packed, digests: packed.digests.subarray(1) }, 10],
      [{ ...packed, digests: Buffer.concat([packed.digests, Buffer.alloc(16)]) }, 10],
    ]
    for (const [block, count] of refused)
      expect(() => new Block(block, count)).toThrow(expect.objectContaining({ code: 'E_CORRUPT' }))
  })

  it('refuses a key that is too long for any store', () => {
    expect(() => packBlock([{ key: 'k'.repeat(70_000), size: 1, etag: '' }])).toThrow(
      expect.objectContaining({ code: 'E_LIMIT' }),
    )
  })
})
