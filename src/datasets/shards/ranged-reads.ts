import { type Grouping, groupRanges, type RangeGroup, type WantedRange } from './read-groups.ts'
import type { Shards } from './shards.ts'

/** Reads parts of shards, in any order and side by side. */
export interface ShardReads {
  /** Fills `into` from `offset` of the shard's unpacked bytes on. */
  read(shard: number, offset: number, into: Uint8Array, signal?: AbortSignal): Promise<void>
  /** How often a compressed shard had to be begun anew because what was asked for lay too far back. */
  readonly restarts: number
  close(): void
}

interface Asked extends WantedRange {
  readonly signal: AbortSignal | undefined
  resolve(): void
  reject(error: unknown): void
}

/** A request costs as much as 64 KiB of its answer, and as copying of 512 KiB. */
const OF_STORES: Grouping = { gap: 64 * 1024, each: 512 * 1024, together: 4 * 2 ** 20 }
/** A read of what the page cache holds costs as much as copying of some 32 KiB. */
const OF_FILES: Grouping = { gap: 16 * 1024, each: 32 * 1024, together: 256 * 1024 }

/**
 * Reads by ranges. What is asked for in one go and lies close together is one request, whose bytes are copied to where
 * they go; what lies alone is read in place.
 */
export class RangedReads implements ShardReads {
  readonly #shards: Shards
  readonly restarts = 0
  readonly #grouping: Grouping
  #asked: Asked[] = []

  constructor(shards: Shards) {
    this.#shards = shards
    this.#grouping = shards.local ? OF_FILES : OF_STORES
  }

  read(shard: number, offset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#asked.length === 0) queueMicrotask(() => this.#start())
      this.#asked.push({ shard, offset, into, signal, resolve, reject })
    })
  }

  close(): void {}

  #start(): void {
    const asked = this.#asked
    this.#asked = []
    for (const signal of new Set(asked.map((each) => each.signal))) {
      const together = asked.length === 1 ? asked : asked.filter((each) => each.signal === signal)
      for (const group of groupRanges(together, this.#grouping))
        this.#read(group, signal).then(
          () => {
            for (const { resolve } of group.ranges) resolve()
          },
          (error) => {
            for (const { reject } of group.ranges) reject(error)
          },
        )
    }
  }

  async #read({ shard, offset, length, ranges }: RangeGroup<Asked>, signal: AbortSignal | undefined): Promise<void> {
    const [only] = ranges
    if (ranges.length === 1 && only !== undefined) return this.#shards.read(shard, offset, only.into, signal)
    const bytes = Buffer.allocUnsafeSlow(length)
    await this.#shards.read(shard, offset, bytes, signal)
    for (const { offset: at, into } of ranges) into.set(bytes.subarray(at - offset, at - offset + into.length))
  }
}
