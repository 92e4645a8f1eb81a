import { pause } from '../remote/backoff.ts'

/** Seconds of the rate that may pass at once after a rest. */
const BURST = 0.1
/** ms. Timers are no finer; shorter waits add up until they are worth one. */
const SHORTEST_WAIT = 1

/**
 * Bytes a second, in the order in which they are asked for: each taker waits until what was taken before has had its
 * time. What turns out to be more or less than was taken is settled with those who come after.
 */
export class ByteRate {
  readonly #bytesPerMs: number
  /** `performance.now()` when all that was taken has had its time. */
  #free = 0

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000
  }

  async take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const now = performance.now()
    const begin = Math.max(this.#free, now - BURST * 1000)
    this.#free = begin + bytes / this.#bytesPerMs
    if (begin - now < SHORTEST_WAIT) return
    try {
      await pause(begin - now, signal)
    } catch (error) {
      this.settle(-bytes)
      throw error
    }
  }

  settle(bytes: number): void {
    this.#free += bytes / this.#bytesPerMs
  }
}
