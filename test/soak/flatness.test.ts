import { describe, expect, test } from 'vitest'
import { trend, unevenness } from './flatness.ts'

/** Up and down, around 100. */
const NOISE = [0, 3, -2, 1, -3, 2, -1, 3, 0, -2, 2, -3, 1, -1, 3, -3, 2, 0, -2, 1]
const noisy = (risePerSample: number) => NOISE.map((noise, i) => 100 + noise + i * risePerSample)
const BOUNDS = { rise: 5, ceiling: 200 }

describe('what is measured again and again', () => {
  test('is flat where it goes up and down', () => {
    expect(unevenness(noisy(0), BOUNDS)).toBeUndefined()
    expect(unevenness(noisy(-2), BOUNDS)).toBeUndefined()
  })

  test('rises where it does so under the noise', () => {
    expect(unevenness(noisy(1), BOUNDS)).toMatch(/^rises by \d+\.\d in 10 samples, more than 5$/)
  })

  test('may have risen while it got under way', () => {
    expect(unevenness([10, 40, 60, 90, 99, 100, 100, 101, 100, 99], BOUNDS)).toBeUndefined()
  })

  test('may stick out once, but not above the ceiling', () => {
    const samples = noisy(0)
    samples[15] = 190
    expect(unevenness(samples, BOUNDS)).toBeUndefined()
    samples[15] = 201
    expect(unevenness(samples, BOUNDS)).toBe('comes to 201.0, more than 200')
    samples[15] = 100
    samples[2] = 1000
    expect(unevenness(samples, BOUNDS)).toBeUndefined()
  })

  test('is told by enough samples only', () => {
    expect(unevenness([1, 1, 1, 1, 1, 1, 1], BOUNDS)).toBe('there are only 7 samples')
  })
})

test('a trend is the rise from the first sample to the last', () => {
  expect(trend([1, 2, 3, 4, 5])).toBe(4)
  expect(trend([5, 5, 5, 50, 5, 5])).toBe(0)
  expect(trend([8, 6, 4])).toBe(-4)
  expect(trend([7])).toBe(0)
})
