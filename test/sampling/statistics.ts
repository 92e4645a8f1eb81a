/**
 * How far counts are from equal, as a z-score: chi-square against its mean and spread. Beyond 5 in 3 million fair runs
 * once; seeds are fixed, so a test either passes always or never.
 */
export function unevenness(counts: Float64Array): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  const expected = total / counts.length
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  const freedom = counts.length - 1
  return (chiSquare - freedom) / Math.sqrt(2 * freedom)
}

/** The same for counts that are expected to differ: how far they are from `expected`, of which none is 0. */
export function misfit(counts: Float64Array, expected: Float64Array): number {
  const chiSquare = counts.reduce((sum, count, i) => sum + (count - (expected[i] ?? 0)) ** 2 / (expected[i] ?? 0), 0)
  const freedom = counts.length - 1
  return (chiSquare - freedom) / Math.sqrt(2 * freedom)
}

/** How often each of 0 .. count-1 comes. */
export function countsOf(ids: Float64Array, count: number): Float64Array {
  const counts = new Float64Array(count)
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1
  return counts
}
