import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bunzip2Pieces } from '../../src/formats/csv/bunzip2.ts'
import { bzip2Pieces } from '../../src/formats/csv/bzip2.ts'

const packed = (pieces: readonly Uint8Array[], level?: number) => Buffer.concat([...bzip2Pieces(pieces, level)])

async function unpacked(...pieces: readonly Uint8Array[]): Promise<Buffer> {
  const found: Uint8Array[] = []
  for await (const piece of bunzip2Pieces(
    pieces.map(async (piece) => piece),
    'file',
  ))
    found.push(piece)
  return Buffer.concat(found)
}

/** Python has bzip2 wherever it is. */
function python(code: string, input: Uint8Array): Buffer {
  return execFileSync('python3', ['-c', `import sys, bz2; sys.stdout.buffer.write(${code})`], {
    input,
    maxBuffer: 2 ** 28,
  })
}

const text = Buffer.from(Array.from({ length: 60_000 }, (_, i) => (i * 7919) % 256).join(','))

describe('bzip2', () => {
  it('unpacks what it packed: runs, repetitions, every byte, nothing', async () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc
        .array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 1200 })), { maxLength: 20 })
        .map((runs) => Buffer.concat(runs.map(([byte, count]) => Buffer.alloc(count, byte)))),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(800))
        .map(([unit, times]) => Buffer.concat(Array<Uint8Array>(times).fill(unit))),
    )
    await fc.assert(
      fc.asyncProperty(any, async (bytes) => {
        expect((await unpacked(packed([bytes]))).equals(bytes)).toBe(true)
      }),
    )
  })

  it('cuts long texts into blocks, however they come', async () => {
    const whole = packed([text])
    expect(whole.equals(packed([text.subarray(0, 77_777), text.subarray(77_777)]))).toBe(true)
    expect((await unpacked(whole.subarray(0, 1000), whole.subarray(1000))).equals(text)).toBe(true)
    expect((await unpacked(Buffer.concat([whole, whole]))).equals(Buffer.concat([text, text]))).toBe(true)
  })

  it("is Python's, both ways", async () => {
    for (const bytes of [text, Buffer.alloc(1_000_000), Buffer.from('a'), Buffer.alloc(0)]) {
      for (const level of [1, 9])
        expect(python('bz2.decompress(sys.stdin.buffer.read())', packed([bytes], level)).equals(bytes)).toBe(true)
      expect((await unpacked(python('bz2.compress(sys.stdin.buffer.read())', bytes))).equals(bytes)).toBe(true)
    }
  })

  it('refuses what was changed or ends early', async () => {
    const whole = packed([text.subarray(0, 3000)])
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const damaged = Buffer.from(whole)
        damaged[at] = (damaged[at] ?? 0) ^ mask
        // The level only bounds blocks, and the last bits are padding.
        const found = await unpacked(damaged).catch((error: { code?: string }) => error.code)
        if (found !== 'E_CORRUPT') expect(text.subarray(0, 3000).equals(found as Buffer)).toBe(true)
        await expect(unpacked(whole.subarray(0, at))).rejects.toMatchObject({ code: 'E_CORRUPT' })
      }),
    )
  })
})
