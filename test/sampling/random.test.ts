import { describe, expect, test } from 'vitest'
import { Draws, threefry, viewKey } from '../../src/sampling/random.ts'
import { unevenness } from './statistics.ts'

function block(key0: number, key1: number, counter0: number, counter1: number): string {
  const out = new Int32Array(2)
  threefry(key0, key1, counter0, counter1, out)
  return Array.from(out, (word) => (word >>> 0).toString(16).padStart(8, '0')).join(' ')
}

describe('threefry', () => {
  // Random123, tests/kat_vectors: threefry2x32 20.
  test('agrees with the known answers of Random123', () => {
    expect(block(0, 0, 0, 0)).toBe('6b200159 99ba4efe')
    expect(block(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff)).toBe('1cb996fc bb002be7')
    expect(block(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3)).toBe('c4923a9c 483df7a0')
  })
})

describe('viewKey', () => {
  // http://www.isthe.com/chongo/src/fnv/test_fnv.c, FNV-1a 32.
  test('is FNV-1a of the UTF-8 bytes', () => {
    expect(viewKey('')).toBe(0x811c9dc5)
    expect(viewKey('a')).toBe(0xe40c292c)
    expect(viewKey('foobar')).toBe(0xbf9cf968)
  })
})

describe('Draws', () => {
  test('a draw is T(T(T(seed; epoch, view); sample); index, repeat), its high 53 bits', () => {
    const key = new Int32Array(2)
    threefry(0x89abcdef | 0, 0x1234, 5, 6, key)
    threefry(key[0] ?? 0, key[1] ?? 0, 0x00000007, 0x00000003, key)
    threefry(key[0] ?? 0, key[1] ?? 0, 2, 4, key)
    const bits = (BigInt((key[0] ?? 0) >>> 0) << 32n) | BigInt((key[1] ?? 0) >>> 0)
    const words = ((bits >> 37n) << 26n) | ((bits & 0xffffffffn) >> 6n)

    const draws = new Draws(0x1234_89abcdef, 5, 6)
    draws.begin(3 * 2 ** 32 + 7, 4)
    expect(draws.at(2)).toBe(Number(words) / 2 ** 53)
  })

  test('keeps the values of the first release', () => {
    const draws = new Draws(7, 1, viewKey('image'))
    draws.begin(42)
    expect([draws.at(0), draws.at(1), draws.at(2)]).toEqual([
      0.7322061119987402, 0.7357417941586921, 0.7935388214528233,
    ])
  })

  test('does not depend on what was drawn before', () => {
    const draws = new Draws(1, 2, 3)
    draws.begin(10)
    const first = [draws.at(0), draws.at(1)]
    draws.begin(11, 5)
    draws.at(9)
    draws.begin(10)
    expect([draws.at(1), draws.at(0)]).toEqual(first.reverse())
  })

  test('differs in every coordinate', () => {
    const draw = (seed: number, epoch: number, view: number, sample: number, repeat: number, index: number) => {
      const draws = new Draws(seed, epoch, view)
      draws.begin(sample, repeat)
      return draws.at(index)
    }
    const values = [
      draw(0, 0, 0, 0, 0, 0),
      draw(1, 0, 0, 0, 0, 0),
      draw(2 ** 32, 0, 0, 0, 0, 0),
      draw(0, 1, 0, 0, 0, 0),
      draw(0, 0, 1, 0, 0, 0),
      draw(0, 0, 0, 1, 0, 0),
      draw(0, 0, 0, 2 ** 32, 0, 0),
      draw(0, 0, 0, 0, 1, 0),
      draw(0, 0, 0, 0, 0, 1),
    ]
    expect(new Set(values).size).toBe(values.length)
  })

  test('is uniform over [0, 1), along indices and along samples', () => {
    const draws = new Draws(3, 0)
    const alongIndices = new Float64Array(1000)
    const alongSamples = new Float64Array(1000)
    let smallest = 1
    let largest = 0
    for (let i = 0; i < 1_000_000; i++) {
      draws.begin(5)
      const u = draws.at(i)
      draws.begin(i)
      const v = draws.at(0)
      alongIndices[Math.floor(u * 1000)] = (alongIndices[Math.floor(u * 1000)] ?? 0) + 1
      alongSamples[Math.floor(v * 1000)] = (alongSamples[Math.floor(v * 1000)] ?? 0) + 1
      smallest = Math.min(smallest, u, v)
      largest = Math.max(largest, u, v)
    }
    expect(Math.abs(unevenness(alongIndices))).toBeLessThan(4)
    expect(Math.abs(unevenness(alongSamples))).toBeLessThan(4)
    expect(smallest).toBeGreaterThanOrEqual(0)
    expect(largest).toBeLessThan(1)
  })

  test.each<[number, number, number, string]>([
    [-1, 0, 0, 'seed must be an integer of 0 or more, but got -1'],
    [0.5, 0, 0, 'seed must be an integer of 0 or more, but got 0.5'],
    [0, 2 ** 32, 0, 'epoch must be an integer from 0 to 4294967295, but got 4294967296'],
    [0, 0, -1, 'view must be an integer from 0 to 4294967295, but got -1'],
  ])('refuses seed %d, epoch %d, view %d', (seed, epoch, view, message) => {
    expect(() => new Draws(seed, epoch, view)).toThrow(message)
  })
})
