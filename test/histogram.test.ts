import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Histogram, percentilesOf } from '../src/histogram.ts'

const latency = fc.oneof(
  fc.double({ min: 0, max: 1e-3, noNaN: true }),
  fc.double({ min: 0, max: 1e5, noNaN: true }),
  fc.double({ min: 1e-6, max: 1e12, noNaN: true }),
)
const latencies = fc.array(latency, { minLength: 1, maxLength: 300 })

function recorded(values: Iterable<number>, keep?: number): Histogram {
  const histogram = new Histogram(keep)
  for (const value of values) histogram.record(value)
  return histogram
}

/** The smallest value that `share` of all are not above, the slow way. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted.find((_, i) => (i + 1) / sorted.length >= share - 1e-12) as number
}

const within = (value: number, expected: number) =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(0.004 * expected + 1e-6)

describe('a histogram', () => {
  it('gives the very values while it keeps them', () => {
    const histogram = recorded([5, 1, 4, 2, 3])
    expect([0, 0.2, 0.21, 0.5, 0.8, 1].map((share) => histogram.quantile(share))).toEqual([1, 1, 2, 3, 4, 5])
    expect([histogram.count, histogram.max, histogram.mean]).toEqual([5, 5, 3])
  })

  it('of nothing is 0, and has no percentiles', () => {
    const histogram = new Histogram()
    expect([histogram.quantile(0.5), histogram.max, histogram.mean, histogram.count]).toEqual([0, 0, 0, 0])
    expect(percentilesOf(histogram)).toBeUndefined()
  })

  it('refuses a share that is none', () => {
    expect(() => new Histogram().quantile(50)).toThrow('share must be a number from 0 to 1, but got 50')
  })

  it('counts what a clock that went back gives as 0', () => {
    expect(recorded([-3, 2]).quantile(0.5)).toBe(0)
  })

  it('is exact up to its bound and within 0.4 % past it, for any values and any share', () => {
    fc.assert(
      fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
        expect(recorded(values).quantile(share)).toBe(quantile(values, share))
        within(recorded(values, 0).quantile(share), quantile(values, share))
        within(recorded(values, values.length >> 1).quantile(share), quantile(values, share))
        expect(recorded(values, 0).max).toBe(Math.max(...values))
      }),
    )
  })

  it('adds another, exact or not, as if it had seen the values itself', () => {
    fc.assert(
      fc.property(latencies, latencies, fc.boolean(), fc.boolean(), (first, second, a, b) => {
        const whole = recorded([...first, ...second], a && b ? undefined : 0)
        const sum = recorded(first, a ? undefined : 0)
        sum.add(recorded(second, b ? undefined : 0))
        expect(sum.count).toBe(whole.count)
        for (const share of [0, 0.5, 0.9, 0.99, 1]) expect(sum.quantile(share)).toBe(whole.quantile(share))
        expect(sum.mean / (whole.mean || 1)).toBeCloseTo(whole.mean === 0 ? 0 : 1, 9)
      }),
    )
  })

  it('crosses threads as plain data', () => {
    for (const keep of [0, 10, undefined]) {
      const histogram = recorded([3, 1, 2, 1000], keep)
      const copy = Histogram.from(structuredClone(histogram.data()))
      expect(copy.data()).toEqual(histogram.data())
      copy.record(7)
      expect(copy.count).toBe(5)
    }
  })

  it('takes no more memory for ten million values than for a hundred thousand', () => {
    const histogram = new Histogram()
    for (let i = 0; i < 1e7; i++) histogram.record(i / 1000)
    expect(histogram.data().exact).toBeUndefined()
    expect(histogram.data().counts.byteLength).toBeLessThan(70_000)
    for (const share of [0.01, 0.5, 0.99, 0.999]) within(histogram.quantile(share), share * 1e4)
  })

  it('is binned by any edges, each value once', () => {
    const values = [0.5, 1, 1.5, 2, 3, 100]
    for (const keep of [0, undefined]) {
      expect(recorded(values, keep).binned([1, 2, 4])).toEqual([3, 3])
      expect(recorded(values, keep).binned([1])).toEqual([])
    }
  })

  it('says percentiles by name', () => {
    expect(percentilesOf(recorded(Array.from({ length: 1000 }, (_, i) => i + 1)))).toEqual({
      p50: 500,
      p90: 900,
      p99: 990,
      p999: 999,
      max: 1000,
    })
  })
})
