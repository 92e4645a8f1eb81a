/** Of a series of numbers, as the tables of a report have them. */
export interface ColumnStatistics {
  readonly mean: number
  /** Of the sample: divided by one less than there are. */
  readonly std: number
  readonly min: number
  readonly median: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export const STATISTICS = ['mean', 'std', 'min', 'median', 'p90', 'p99', 'max'] as const

/** Between the two values next to it, by how far it is from each; `sorted`: one or more. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const low = sorted[below] as number
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number
  return low + (high - low) * (place - below)
}

/** Undefined where there are less than two values: one says nothing about how they are spread. */
export function statisticsOf(values: ArrayLike<number>): ColumnStatistics | undefined {
  if (values.length < 2) return undefined
  const sorted = Float64Array.from(values).sort()
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return {
    mean,
    std: Math.sqrt(squares / (sorted.length - 1)),
    min: sorted[0] as number,
    median: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    max: sorted[sorted.length - 1] as number,
  }
}
