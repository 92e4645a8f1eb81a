/** Whether something that is measured again and again stays as it is. */

export interface Bounds {
  /** What the second half of the samples may rise by from its beginning to its end, by its trend. */
  readonly rise: number
  /** What no sample of the second half may be above. */
  readonly ceiling: number
}

/** Of the samples that count: the first half is what a program needs to get under way. */
export function secondHalf(samples: readonly number[]): readonly number[] {
  return samples.slice(Math.floor(samples.length / 2))
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}

/**
 * What samples rise by from the first to the last, by the median of the slopes between any two of them (Theil and Sen):
 * single samples that stick out change nothing.
 */
export function trend(samples: readonly number[]): number {
  const slopes = samples.flatMap((a, i) => samples.slice(i + 1).map((b, j) => (b - a) / (j + 1)))
  return slopes.length === 0 ? 0 : median(slopes) * (samples.length - 1)
}

/** Fewer tell nothing. */
export const LEAST_SAMPLES = 8

/** What is wrong; undefined where it is flat. */
export function unevenness(samples: readonly number[], { rise, ceiling }: Bounds): string | undefined {
  if (samples.length < LEAST_SAMPLES) return `there are only ${samples.length} samples`
  const counted = secondHalf(samples)
  const most = Math.max(...counted)
  const risen = trend(counted)
  if (risen > rise) return `rises by ${risen.toFixed(1)} in ${counted.length} samples, more than ${rise}`
  return most > ceiling ? `comes to ${most.toFixed(1)}, more than ${ceiling}` : undefined
}
