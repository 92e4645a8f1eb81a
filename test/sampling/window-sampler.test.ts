import { describe, expect, test } from 'vitest'
import { windowSampler } from '../../src/sampling/samplers.ts'
import { idsOf, sha256, sorted, upTo } from './ids.ts'
import { countsOf, misfit } from './statistics.ts'

describe('windowSampler', () => {
  test.each([1, 2, 3, 7, 10, 50, 99, 100, 101, 5000])('window %d: every sample once, none a window away', (window) => {
    const sampler = windowSampler(100, window, 5)
    for (let epoch = 0; epoch < 30; epoch++) {
      const ids = idsOf(sampler, epoch)
      expect(sorted(ids)).toEqual(upTo(100))
      expect(Math.max(...ids.map((id, position) => Math.abs(id - position)))).toBeLessThan(window)
    }
  })

  test('window 1 is the order of the source', () => {
    expect([...idsOf(windowSampler(20, 1, 7), 3)]).toEqual(upTo(20))
  })

  test('holds no more than a window of samples that were passed and not given yet', () => {
    for (const window of [1, 8, 33]) {
      const ids = idsOf(windowSampler(1000, window, 2), 9)
      let read = 0
      ids.forEach((id, position) => {
        read = Math.max(read, id + 1)
        expect(read - position).toBeLessThanOrEqual(window)
      })
    }
  })

  test('gives the same ids wherever it starts, backwards too', () => {
    const sampler = windowSampler(1009, 64, 5)
    const whole = idsOf(sampler, 6)
    for (const start of [1000, 640, 333, 63, 0])
      expect([...idsOf(sampler, 6, start, Math.min(200, 1009 - start))]).toEqual([...whole.slice(start, start + 200)])
  })

  test('has bounds elsewhere each epoch, so that every pair of neighbours changes places sometimes', () => {
    const swapped = new Float64Array(99)
    const sampler = windowSampler(100, 10, 3)
    for (let epoch = 0; epoch < 2000; epoch++) {
      const places = new Float64Array(100)
      idsOf(sampler, epoch).forEach((id, position) => {
        places[id] = position
      })
      for (let i = 0; i < 99; i++) if ((places[i + 1] ?? 0) < (places[i] ?? 0)) swapped[i] = (swapped[i] ?? 0) + 1
    }
    // In one window with probability 0.9, and then half of the time.
    expect(Math.min(...swapped)).toBeGreaterThan(750)
    expect(Math.max(...swapped)).toBeLessThan(1050)
  })

  test('a window as long as the epoch, cut in two at an even offset: each half is shuffled fairly', () => {
    const first = new Float64Array(40_000)
    const sampler = windowSampler(12, 12, 1)
    for (let epoch = 0; epoch < first.length; epoch++) first[epoch] = idsOf(sampler, epoch)[0] ?? 0
    // The first is any of the first k, for k = 1 .. 12 equally likely: 1/12 of the sum of 1/k for k above the id.
    const shares = upTo(12).map((id) => upTo(12).reduce((sum, k) => sum + (k >= id ? 1 / (k + 1) / 12 : 0), 0))
    expect(
      misfit(
        countsOf(first, 12),
        Float64Array.from(shares, (share) => share * first.length),
      ),
    ).toBeLessThan(5)
  })

  // Frozen: those of the reference in test/python/test_order.py.
  test.each<[number, number, number, number, string]>([
    [1000, 64, 42, 3, 'b060a857bb552c843132a912f540ff326ff7c0aeebfb3815650649ff79852fec'],
    [5000, 1024, 0, 0, '47ecb5be1732495c116e7c5822338e68a5f3c2db6de7028672e7970944b1e9bd'],
  ])('the order of %d samples in windows of %d, seed %d, epoch %d is the one of the first release', (...args) => {
    const [length, window, seed, epoch, golden] = args
    expect(sha256(idsOf(windowSampler(length, window, seed), epoch))).toBe(golden)
  })

  test('starts anywhere in a source of 2^50 samples', () => {
    const ids = idsOf(windowSampler(2 ** 50, 2 ** 20, 1), 0, 2 ** 49, 1000)
    expect(new Set(ids).size).toBe(1000)
    expect(ids.every((id, i) => Math.abs(id - 2 ** 49 - i) < 2 ** 20)).toBe(true)
  })

  test('refuses windows that are none, and positions that are not there', () => {
    expect(() => windowSampler(10, 0, 0)).toThrow('window must be a positive integer, but got 0')
    expect(() => idsOf(windowSampler(10, 3, 0), 0, 8, 3)).toThrow('positions must be within 0 .. 9, but got 3 from 8')
    expect([...idsOf(windowSampler(0, 3, 0))]).toEqual([])
  })
})
