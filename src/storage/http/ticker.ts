/** What is told at every tick, and counts how many it has waited. */
export interface Ticking {
  tick(): void
}

/** Milliseconds: the finest and the coarsest that time-outs are told apart. */
const FINEST = 4
const COARSEST = 250
/** A time-out comes this much of itself late at most. */
const FRACTION = 8

/**
 * One timer for all connections of a client. It counts ticks in place of looking at a clock: that costs nothing while
 * bytes move, and an event loop that was busy for long does not make every peer look dead. Keeps no process alive.
 */
export class Ticker {
  readonly #interval: number
  readonly #members = new Set<Ticking>()
  #timer: NodeJS.Timeout | undefined

  /** `shortest`: milliseconds of the shortest time-out that it will serve. */
  constructor(shortest: number) {
    this.#interval = Math.min(COARSEST, Math.max(FINEST, Math.floor(shortest / FRACTION)))
  }

  /** Ticks after which at least so many milliseconds have passed. */
  atLeast(milliseconds: number): number {
    return Math.ceil(milliseconds / this.#interval) + 1
  }

  /** Ticks that take at most so many milliseconds; one where a tick takes longer. */
  atMost(milliseconds: number): number {
    return Math.max(1, Math.floor(milliseconds / this.#interval))
  }

  add(member: Ticking): void {
    this.#members.add(member)
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => {
      for (const each of this.#members) each.tick()
    }, this.#interval)
    this.#timer.unref()
  }

  delete(member: Ticking): void {
    if (!this.#members.delete(member) || this.#members.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
