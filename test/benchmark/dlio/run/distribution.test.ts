import { describe, expect, test } from 'vitest'
import { pythonDistribution } from '../../../../src/benchmark/dlio/run/blocks.ts'
import { isZero, meanOf, Times } from '../../../../src/benchmark/dlio/run/distribution.ts'
import type { Distribution } from '../../../../src/benchmark/dlio/types.ts'

const DRAWS = 20_000

function drawn(distribution: Distribution): number[] {
  const times = new Times(distribution, 123, 1, 5)
  return Array.from({ length: DRAWS }, (_, i) => times.at(i))
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const deviation = (values: readonly number[]) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)))

describe('times are drawn from', () => {
  test.each<[Distribution, number, number]>([
    [{ type: 'normal', mean: 5, stdev: 0.5 }, 5, 0.5],
    [{ type: 'uniform', min: 1, max: 3 }, 2, Math.sqrt(4 / 12)],
    [{ type: 'gamma', shape: 4, scale: 0.5 }, 2, 1],
    [{ type: 'gamma', shape: 0.5, scale: 2 }, 1, Math.sqrt(2)],
    [{ type: 'exponential', scale: 3 }, 3, 3],
    [{ type: 'poisson', lam: 4 }, 4, 2],
    [{ type: 'poisson', lam: 900 }, 900, 30],
  ])('%o', (distribution, expected, spread) => {
    const values = drawn(distribution)
    // Five standard errors.
    expect(Math.abs(mean(values) - expected)).toBeLessThan((5 * spread) / Math.sqrt(DRAWS))
    expect(deviation(values) / spread).toBeGreaterThan(0.95)
    expect(deviation(values) / spread).toBeLessThan(1.05)
    expect(meanOf(distribution)).toBeCloseTo(expected)
    expect(isZero(distribution)).toBe(false)
  })

  test('a constant, always', () => {
    expect(new Set(drawn({ type: 'constant', value: 0.25 }))).toEqual(new Set([0.25]))
  })

  test('a distribution whose draws may be negative, by their absolute values', () => {
    const values = drawn({ type: 'normal', mean: 0, stdev: 1 })
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
    expect(mean(values)).toBeCloseTo(Math.sqrt(2 / Math.PI), 1)
    expect(drawn({ type: 'constant', value: -2 })[0]).toBe(2)
  })
})

test('a draw depends on its number, the seed and the epoch, and on nothing else', () => {
  const distribution: Distribution = { type: 'gamma', shape: 2, scale: 1 }
  const times = new Times(distribution, 1, 1, 0)
  const again = new Times(distribution, 1, 1, 0)
  expect([times.at(7), times.at(3)]).toEqual([again.at(7), again.at(3)])
  expect(times.at(7)).not.toBe(new Times(distribution, 2, 1, 0).at(7))
  expect(times.at(7)).not.toBe(new Times(distribution, 1, 2, 0).at(7))
})

test.each<[Distribution, string]>([
  [{ type: 'constant', value: 0.01 }, "{'mean': 0.01}"],
  [{ type: 'normal', mean: 0.01, stdev: 0.003 }, "{'mean': 0.01, 'stdev': 0.003}"],
  [{ type: 'uniform', min: 0.5, max: 1.5 }, "{'type': 'uniform', 'min': 0.5, 'max': 1.5}"],
])('%o is shown as %s', (distribution, text) => {
  expect(pythonDistribution(distribution)).toBe(text)
})

test.each<Distribution>([
  { type: 'constant', value: 0 },
  { type: 'normal', mean: 0, stdev: 0 },
  { type: 'uniform', min: 0, max: 0 },
  { type: 'exponential', scale: 0 },
  { type: 'poisson', lam: 0 },
])('%o takes no time', (distribution) => {
  expect(isZero(distribution)).toBe(true)
  expect(new Times(distribution, 1, 1, 0).at(1)).toBe(0)
})
