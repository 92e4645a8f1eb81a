/** One epoch, or part of one, as every tool reports it. */
export interface Timed {
  readonly images: number
  readonly seconds: number
  /** User and system time of the whole process. */
  readonly cpuSeconds: number
}

export interface Rate {
  readonly imagesPerSecond: number
  /** Images per second of processor time: what the rate would be with nobody else on the core. */
  readonly imagesPerCpuSecond: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  if (upper === undefined) throw new Error('the median of nothing')
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}

/** The median epoch. */
export function rateOf(epochs: readonly Timed[]): Rate {
  return {
    imagesPerSecond: median(epochs.map(({ images, seconds }) => images / seconds)),
    imagesPerCpuSecond: median(epochs.map(({ images, cpuSeconds }) => images / cpuSeconds)),
  }
}

/** The median round. */
export function medianRate(rounds: readonly Rate[]): Rate {
  return {
    imagesPerSecond: median(rounds.map((rate) => rate.imagesPerSecond)),
    imagesPerCpuSecond: median(rounds.map((rate) => rate.imagesPerCpuSecond)),
  }
}
