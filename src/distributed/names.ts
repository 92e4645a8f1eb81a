/** Of so many ranks each is named; of more the first ones, and how many there are yet. */
const NAMED = 16

/** "rank 3", "ranks 3, 5 and 7", "ranks 0, 1, ... and 40 more". */
export function nameRanks(ranks: readonly number[]): string {
  if (ranks.length === 1) return `rank ${ranks[0]}`
  const more = ranks.length - NAMED
  const named = more > 0 ? [...ranks.slice(0, NAMED), `${more} more`] : [...ranks]
  const last = named.pop()
  return `ranks ${named.join(', ')} and ${last}`
}
