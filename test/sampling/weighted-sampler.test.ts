import { describe, expect, test } from 'vitest'
import { naturalLog } from '../../src/sampling/natural-log.ts'
import { Draws, viewKey } from '../../src/sampling/random.ts'
import { weightedSampler } from '../../src/sampling/weighted-sampler.ts'
import { idsOf, sha256, sorted, upTo } from './ids.ts'
import { countsOf, misfit } from './statistics.ts'

/** Every fifth is 0, the others 1/7 .. 100/7. */
const someWeights = (count: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => (i % 5 === 0 ? 0 : ((i * 37) % 101) / 7))

const total = (weights: Iterable<number>): number => [...weights].reduce((a, b) => a + b, 0)

describe('weightedSampler with replacement', () => {
  test.each<[string, number[]]>([
    ['few', [1, 2, 3, 4]],
    ['equal', Array(37).fill(0.3)],
    ['very different', [1e-3, 1, 1e3, 5, 70, 1e3, 0.2]],
    ['many', upTo(1000).map((i) => 1 + (i % 17))],
    ['so large that their sum is no number', Array(11).fill(Number.MAX_VALUE)],
    ['so small that they are subnormal', [1, 2, 4, 3].map((i) => i * 2 ** -1070)],
  ])('draws each sample as its weight says: %s', (_, weights) => {
    const draws = 400_000
    const sampler = weightedSampler(weights, { seed: 5, replacement: true, samples: draws })
    const largest = Math.max(...weights)
    const shares = weights.map((weight) => weight / largest)
    const expected = Float64Array.from(shares, (share) => (share * draws) / total(shares))
    // A table of chi-square wants 5 expected in each cell.
    const cells = [...expected.keys()].filter((i) => (expected[i] ?? 0) >= 5)
    const counts = countsOf(idsOf(sampler, 1), weights.length)
    const of = (values: Float64Array) => Float64Array.from(cells, (i) => values[i] ?? 0)
    expect(misfit(of(counts), of(expected))).toBeLessThan(5)
  })

  test('never draws a sample of weight 0, in a million', () => {
    const weights = someWeights(10_000)
    const ids = idsOf(weightedSampler(weights, { seed: 1, replacement: true, samples: 1_000_000 }))
    expect(ids.every((id) => (weights[id] ?? 0) > 0)).toBe(true)
  })

  test('draws independently: pairs of neighbours come as the product of their weights says', () => {
    const weights = [1, 2, 3, 4, 5]
    const ids = idsOf(weightedSampler(weights, { seed: 6, replacement: true, samples: 300_001 }))
    const pairs = new Float64Array(300_000).map((_, i) => (ids[i] ?? 0) * 5 + (ids[i + 1] ?? 0))
    const expected = Float64Array.from(upTo(25), (p) => (300_000 / 225) * (Math.floor(p / 5) + 1) * ((p % 5) + 1))
    expect(misfit(countsOf(pairs, 25), expected)).toBeLessThan(5)
  })

  test('is pure, and another order for another seed and epoch', () => {
    const of = (seed: number, epoch: number, start = 0, count = 300) =>
      [...idsOf(weightedSampler(someWeights(300), { seed, replacement: true }), epoch, start, count)].join()
    expect(of(1, 2, 100, 50)).toBe(of(1, 2).split(',').slice(100, 150).join())
    expect(new Set([of(1, 2), of(1, 3), of(2, 2), of(1 + 2 ** 32, 2)]).size).toBe(4)
  })
})

describe('weightedSampler without replacement', () => {
  test('draws every sample above 0 once', () => {
    const weights = someWeights(1000)
    const sampler = weightedSampler(weights, { seed: 3, replacement: false })
    expect(sampler).toMatchObject({ length: 792, unique: true })
    const positive = upTo(1000).filter((i) => (weights[i] ?? 0) > 0)
    expect(positive.length).toBe(792)
    expect(sorted(idsOf(sampler, 4))).toEqual(positive)
  })

  test('draws the first by weight, and the second by the weights that are left', () => {
    const weights = [1, 2, 3, 4]
    const runs = 100_000
    const counts = new Float64Array(16)
    const sampler = weightedSampler(weights, { seed: 8, replacement: false, samples: 2 })
    for (let epoch = 0; epoch < runs; epoch++) {
      const [first = 0, second = 0] = idsOf(sampler, epoch)
      counts[first * 4 + second] = (counts[first * 4 + second] ?? 0) + 1
    }
    const pairs = upTo(16).filter((p) => Math.floor(p / 4) !== p % 4)
    const expected = Float64Array.from(pairs, (p) => {
      const [first, second] = [weights[Math.floor(p / 4)] ?? 0, weights[p % 4] ?? 0]
      return (runs * (first / 10) * second) / (10 - first)
    })
    expect(counts.filter((_, p) => Math.floor(p / 4) === p % 4)).toEqual(new Float64Array(4))
    expect(
      misfit(
        Float64Array.from(pairs, (p) => counts[p] ?? 0),
        expected,
      ),
    ).toBeLessThan(5)
  })

  test('with equal weights, has each sample at each place as often as any other', () => {
    const counts = new Float64Array(36)
    const sampler = weightedSampler([7, 7, 7, 7, 7, 7], { seed: 2, replacement: false })
    for (let epoch = 0; epoch < 60_000; epoch++)
      idsOf(sampler, epoch).forEach((id, place) => {
        counts[6 * place + id] = (counts[6 * place + id] ?? 0) + 1
      })
    for (let place = 0; place < 6; place++)
      expect(misfit(counts.slice(6 * place, 6 * place + 6), new Float64Array(6).fill(10_000))).toBeLessThan(5)
  })

  test('is by -ln(u) / weight, ascending, of many samples too', () => {
    const weights = Float64Array.from({ length: 70_000 }, (_, i) => ((i % 101) + 1) / 101)
    const draws = new Draws(6, 2, viewKey('exponential\0'))
    const keys = weights.map((weight, id) => {
      draws.begin(id)
      return -naturalLog(1 - draws.at(0)) / weight
    })
    const expected = Float64Array.from(upTo(70_000).sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0)))
    expect(sha256(idsOf(weightedSampler(weights, { seed: 6, replacement: false }), 2))).toBe(sha256(expected))
  })

  test('has samples of next to no weight last', () => {
    const weights = [5e-324, 1, 1e-300, 2, 5e-324]
    const order = [...idsOf(weightedSampler(weights, { seed: 1, replacement: false }))]
    expect(order.slice(0, 2).sort()).toEqual([1, 3])
    expect(order[2]).toBe(2)
    expect(order.slice(3).sort()).toEqual([0, 4])
  })
})

test.each<[boolean, number[], number | undefined, string]>([
  [true, [1, -1], undefined, 'weights[1] must be a finite number of 0 or more, but got -1'],
  [true, [1, 2, Number.NaN], undefined, 'weights[2] must be a finite number of 0 or more, but got NaN'],
  [false, [Number.POSITIVE_INFINITY], undefined, 'weights[0] must be a finite number of 0 or more, but got Infinity'],
  [false, ['x' as never], undefined, 'weights[0] must be a finite number of 0 or more, but got "x"'],
  [true, [1, null as never], undefined, 'weights[1] must be a finite number of 0 or more, but got null'],
  [true, ['1' as never], undefined, 'weights[0] must be a finite number of 0 or more, but got "1"'],
  [true, [1n as never], undefined, 'weights[0] must be a finite number of 0 or more, but got 1n'],
  [true, [0, 0, -0], undefined, 'weights must not all be 0'],
  [false, [1, 0, 2], 3, 'samples must be at most the 2 weights above 0 without replacement, but got 3'],
  [true, [], 1, 'samples must be 0 where there is nothing to draw from, but got 1'],
])('replacement %s, weights %s, samples %s: refused', (replacement, weights, samples, message) => {
  expect(() => weightedSampler(weights, { seed: 0, replacement, samples })).toThrow(message)
})

test('a fingerprint tells weights apart, and the same weights of another kind of array not', () => {
  const of = (weights: ArrayLike<number>, replacement: boolean) =>
    weightedSampler(weights, { seed: 0, replacement }).fingerprint
  expect(of([1, 2], true)).toBe(of(Float32Array.of(1, 2), true))
  expect(of([0, 2], true)).toBe(of([-0, 2], true))
  expect(new Set([of([1, 2], true), of([1, 2], false), of([2, 1], true), of([2, 4], true)]).size).toBe(4)
})

// Frozen: those of the reference in test/python/test_order.py.
test.each<[boolean, string]>([
  [true, 'ec585bc615c48a02cf58973e350bc9155e4084b68918208c37086ecb6469f34c'],
  [false, '0bb92a2d90e26f727875b9c4001b553f8cc0a5372d6d6e8d706e578b5d26cf34'],
])('replacement %s: the order of 1000 weights is the one of the first release', (replacement, golden) => {
  expect(sha256(idsOf(weightedSampler(someWeights(1000), { seed: 42, replacement }), 3))).toBe(golden)
})

test('the logarithm is within two units in the last place of the engine’s', () => {
  const ulp = (x: number) => 2 ** (Math.floor(Math.log2(Math.abs(x))) - 52)
  let x = 2 ** -53
  for (let i = 0; i < 100_000; i++) {
    x = (x * 1.618 + i * 1e-9) % 1 || 0.5
    const expected = Math.log(x)
    expect(Math.abs(naturalLog(x) - expected) <= 2 * ulp(expected)).toBe(true)
  }
  expect(naturalLog(1)).toBe(0)
  expect(naturalLog(2 ** -53)).toBe(-53 * Math.LN2)
})
