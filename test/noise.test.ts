import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { fillNoise, NoiseBody, NoiseStream } from '../src/noise.ts'

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe('noise', () => {
  it('is the same for the same seed, also beyond 32 bits, and other for another', () => {
    const of = (seed: number, length = 3_000_000) => {
      const bytes = new Uint8Array(length)
      fillNoise(bytes, seed)
      return hash(bytes)
    }
    expect(of(7)).toBe(of(7))
    expect(new Set([of(0), of(1), of(2 ** 32), of(2 ** 53 - 1)]).size).toBe(4)
    const first = new Uint8Array(16)
    fillNoise(first, 7)
    const longer = new Uint8Array(100)
    fillNoise(longer, 7)
    expect(longer.subarray(0, 16)).toEqual(first)
  })

  it('is a stream that begins anywhere', () => {
    const key = Uint8Array.from({ length: 16 }, (_, i) => i)
    const whole = new NoiseStream(key, 0, 4096).next(4096)
    // NIST's counter mode over zeros: the first block is AES-128 of a block of zeros under this key.
    expect(Buffer.from(whole.subarray(0, 16)).toString('hex')).toBe('c6a13b37878f5b826f4f8162a1c8d879')
    for (const offset of [1, 15, 16, 17, 1000, 4095]) {
      const stream = new NoiseStream(key, offset, 7)
      const pieces: Uint8Array[] = []
      for (let left = 4096 - offset; left > 0; left -= pieces.at(-1)?.length ?? left) pieces.push(stream.next(left))
      expect(Buffer.concat(pieces).equals(whole.subarray(offset))).toBe(true)
    }
    // Beyond 2^32 blocks the counter has more than 32 bits.
    expect(hash(new NoiseStream(key, 2 ** 40).next(64))).not.toBe(hash(new NoiseStream(key, 2 ** 41).next(64)))
  })

  it('makes bodies that depend on seed, number and size alone', () => {
    const one = new NoiseBody(100_000, 3)
    const expected = hash(one.body(42, 100_000))
    for (let number = 0; number < 50; number++) one.body(number, number * 2000)
    expect(hash(one.body(42, 100_000))).toBe(expected)
    expect(hash(new NoiseBody(100_000, 3).body(42, 100_000))).toBe(expected)
    expect(hash(new NoiseBody(100_000, 4).body(42, 100_000))).not.toBe(expected)
    expect(one.body(42, 0)).toHaveLength(0)
    expect(one.body(42, 5)).toHaveLength(5)
  })

  it('gives no compressor and no page that is like another anything to do', () => {
    const bodies = new NoiseBody(65_536, 0)
    const pages = new Set<string>()
    const whole: Buffer[] = []
    for (let number = 0; number < 64; number++) {
      const body = Buffer.from(bodies.body(number + 2 ** 33, 65_536))
      whole.push(body)
      for (let at = 0; at < body.length; at += 4096) pages.add(hash(body.subarray(at, at + 4096)))
    }
    expect(pages.size).toBe(64 * 16)
    expect(deflateSync(whole[0] as Buffer).length).toBeGreaterThan(65_536)
    expect(new Set(Array.from({ length: 300 }, (_, number) => hash(bodies.body(number, 100)))).size).toBe(300)
  })
})
