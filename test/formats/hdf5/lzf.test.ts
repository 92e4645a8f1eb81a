import { describe, expect, it } from 'vitest'
import { lzfCompressed, lzfDecompressed } from '../../../src/formats/hdf5/lzf.ts'

const text = (words: string) => new Uint8Array(Buffer.from(words, 'latin1'))
const noise = (length: number) => {
  let state = 0x1234567
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  })
}

describe('LZF', () => {
  it('is runs of literals, and references to what came before', () => {
    // A run of one; then 9 bytes from 1 before.
    expect(lzfCompressed(text('aaaaaaaaaa'))).toEqual(Uint8Array.of(0, 0x61, 0xe0, 0, 0))
    // A run of four; then 4 bytes from 4 before.
    expect(lzfCompressed(text('abcdabcd'))).toEqual(Uint8Array.of(3, 0x61, 0x62, 0x63, 0x64, 0x40, 3))
    expect(lzfDecompressed(Uint8Array.of(0, 0x61, 0xe0, 0, 0), 10)).toEqual(text('aaaaaaaaaa'))
  })

  it.each([
    ['zeros', new Uint8Array(100_000)],
    [
      'a pattern of 5000 bytes, again and again',
      Uint8Array.from({ length: 64_000 }, (_, i) => noise(5000)[i % 5000] ?? 0),
    ],
    ['runs of all lengths', text(Array.from({ length: 300 }, (_, i) => `${i}${'x'.repeat(i)}`).join(''))],
    ['few different bytes', noise(70_000).map((byte) => byte & 1)],
  ])('makes %s smaller, and back', (_, bytes) => {
    const packed = lzfCompressed(bytes) ?? new Uint8Array(0)
    expect(packed.length).toBeGreaterThan(0)
    expect(packed.length).toBeLessThan(bytes.length)
    expect(Buffer.compare(lzfDecompressed(packed, bytes.length), bytes)).toBe(0)
  })

  it('leaves alone what does not get smaller', () => {
    expect(lzfCompressed(noise(70_000))).toBeUndefined()
    for (const length of [0, 1, 2, 3]) expect(lzfCompressed(new Uint8Array(length))).toBeUndefined()
  })

  it.each([
    [[5, 1, 2], 6, 'too far'],
    [[0, 1, 0x20, 5], 4, 'too far'],
    [[0, 1], 2, 'instead of 2'],
    [[1, 1, 2], 1, 'too far'],
    [[0, 1, 0xe0], 9, 'too far'],
    [[0, 1, 0xe0, 0], 10, 'too far'],
  ])('that is damaged is told: %j', (bytes, length, words) => {
    expect(() => lzfDecompressed(Uint8Array.from(bytes), length)).toThrow(words)
  })
})
