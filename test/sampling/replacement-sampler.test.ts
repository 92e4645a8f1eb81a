import { describe, expect, test } from 'vitest'
import { firstOf, randomSampler, replacementSampler } from '../../src/sampling/samplers.ts'
import { idsOf, sha256 } from './ids.ts'
import { countsOf, unevenness } from './statistics.ts'

describe('replacementSampler', () => {
  test('draws every sample as often as any other, from one position to the next and over epochs', () => {
    const sampler = replacementSampler(50, 3, 200_000)
    expect(unevenness(countsOf(idsOf(sampler), 50))).toBeLessThan(5)
    const first = new Float64Array(50_000).map((_, epoch) => idsOf(sampler, epoch, 0, 1)[0] as number)
    expect(unevenness(countsOf(first, 50))).toBeLessThan(5)
  })

  test('draws independently: pairs of neighbours are even, a sample after itself included', () => {
    const ids = idsOf(replacementSampler(20, 4, 400_001))
    const pairs = new Float64Array(400_000).map((_, i) => (ids[i] ?? 0) * 20 + (ids[i + 1] ?? 0))
    expect(unevenness(countsOf(pairs, 400))).toBeLessThan(5)
  })

  test('is as long as the dataset unless samples says otherwise, which moves no draw', () => {
    expect(replacementSampler(30, 1).length).toBe(30)
    expect([...idsOf(replacementSampler(30, 1, 100)).subarray(0, 30)]).toEqual([...idsOf(replacementSampler(30, 1))])
    expect(replacementSampler(30, 1)).toMatchObject({ unique: false, fingerprint: 'replacement' })
  })

  test('gives the same ids wherever it starts', () => {
    const sampler = replacementSampler(1000, 9, 5000)
    const whole = idsOf(sampler, 2)
    idsOf(sampler, 3)
    expect([...idsOf(sampler, 2, 4321, 100)]).toEqual([...whole.subarray(4321, 4421)])
  })

  // Frozen: those of the reference in test/python/test_order.py.
  test.each<[number, number, number, string]>([
    [1000, 42, 3, '674e5277df889403a816d80d8ab8cbf84adbd2ac55d52c129b9c42232c39b9c5'],
    [1_000_000_000, 2 ** 40 + 7, 89, '685fb6935b478efe13347b5e930098bdf57f6e5d4d4a161020745d76696aec6f'],
  ])('the draws of %d samples, seed %d, epoch %d are those of the first release', (length, seed, epoch, golden) => {
    expect(sha256(idsOf(replacementSampler(length, seed, 1000), epoch))).toBe(golden)
  })

  test('stays within the samples where doubles are rounded', () => {
    const length = Number.MAX_SAFE_INTEGER
    expect(idsOf(replacementSampler(length, 1, 1000)).every((id) => id >= 0 && id < length)).toBe(true)
  })

  test('refuses what cannot be drawn', () => {
    expect(() => replacementSampler(0, 1, 3)).toThrow(
      'samples must be 0 where there is nothing to draw from, but got 3',
    )
    expect(() => replacementSampler(5, -1)).toThrow('seed must be an integer of 0 or more, but got -1')
    expect(() => idsOf(replacementSampler(5, 1), 0, 3, 3)).toThrow('positions must be within 0 .. 4, but got 3 from 3')
  })
})

describe('firstOf', () => {
  test('is the beginning of every epoch of another sampler', () => {
    const whole = randomSampler(100, 7)
    const part = firstOf(whole, 30)
    expect(part).toMatchObject({ length: 30, unique: true, fingerprint: 'random' })
    expect([...idsOf(part, 5)]).toEqual([...idsOf(whole, 5, 0, 30)])
    expect(() => idsOf(part, 0, 29, 2)).toThrow('positions must be within 0 .. 29, but got 2 from 29')
    expect(() => firstOf(whole, 101)).toThrow('samples must be an integer from 0 to 100, but got 101')
  })
})
