/** A range of a shard that somebody wants, and where its bytes go. */
export interface WantedRange {
  readonly shard: number
  readonly offset: number
  readonly into: Uint8Array
}

/** Ranges that are read together: from the first's offset to the last end. */
export interface RangeGroup<R extends WantedRange = WantedRange> {
  readonly shard: number
  readonly offset: number
  readonly length: number
  readonly ranges: readonly R[]
}

/** What is read together, in bytes. */
export interface Grouping {
  /** Rather read for nothing than asked around. */
  readonly gap: number
  /** Of one range: to copy a larger one costs more than a read of its own. */
  readonly each: number
  /** Of a group with several ranges. */
  readonly together: number
}

/** Puts ranges that lie next to each other into groups. */
export function groupRanges<R extends WantedRange>(ranges: readonly R[], grouping: Grouping): readonly RangeGroup<R>[] {
  const sorted = [...ranges].sort((a, b) => a.shard - b.shard || a.offset - b.offset)
  const groups: { shard: number; offset: number; length: number; ranges: R[] }[] = []
  let open: (typeof groups)[number] | undefined
  for (const range of sorted) {
    const { shard, offset, into } = range
    const small = into.length <= grouping.each
    if (small && open !== undefined && open.shard === shard && offset <= open.offset + open.length + grouping.gap) {
      const length = Math.max(open.length, offset + into.length - open.offset)
      if (length <= grouping.together) {
        open.length = length
        open.ranges.push(range)
        continue
      }
    }
    const group = { shard, offset, length: into.length, ranges: [range] }
    groups.push(group)
    if (small) open = group
  }
  return groups
}
