import type { Chunks } from '../types.ts'

/** Which of neighbouring runs of samples a sample lies in; `starts`: the first id of each, and how many samples there are. */
export class Starts implements Chunks {
  readonly count: number
  readonly length: number
  readonly #starts: Float64Array

  constructor(starts: Float64Array) {
    this.#starts = starts
    this.count = starts.length - 1
    this.length = starts[this.count] ?? 0
  }

  start(chunk: number): number {
    return this.#starts[chunk] ?? this.length
  }

  /** The last run that begins at `id` or before and has samples. */
  of(id: number): number {
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#starts[middle] as number) <= id) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** From how many samples each run has. */
export function startsOf(counts: readonly number[]): Float64Array {
  const starts = new Float64Array(counts.length + 1)
  counts.forEach((count, i) => {
    starts[i + 1] = (starts[i] as number) + count
  })
  return starts
}
