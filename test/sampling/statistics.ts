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
