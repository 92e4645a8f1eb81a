/** What became of files of a cache. */
export interface CacheTotals {
  /** Files that were not whole: they were removed, and read anew. */
  readonly damaged: number
  /** Files that were removed for others. */
  readonly evicted: number
  /** Files that could not be written, such as on a full disk; nothing else came of it. */
  readonly unwritten: number
}

/** What a cache did. */
export interface CacheReport extends CacheTotals {
  /** Blocks that came from the directory, and blocks that did not. */
  readonly hits: number
  readonly misses: number
  readonly bytesFromCache: number
  /** From the store inside, also beyond what was asked for. */
  readonly bytesFetched: number
}
