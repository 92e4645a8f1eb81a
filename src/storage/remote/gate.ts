import { HeadraceError } from '../../errors.ts'

interface Waiter {
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  readonly signal: AbortSignal | undefined
  onAbort: (() => void) | undefined
  /** Left before its turn. */
  gone: boolean
}

/** Places of the queue that were used up, before they are given back. */
const COMPACTED_AT = 1024

/**
 * Lets a number of requests through at once, the others in the order in which they came. The number is halved where a
 * server says to slow down, and grows back by one for every round of requests that went well (AIMD, as TCP).
 */
export class Gate {
  readonly #most: number
  #limit: number
  #inside = 0
  #queue: Waiter[] = []
  #head = 0
  #round = 0
  #closed = false

  constructor(most: number) {
    this.#most = most
    this.#limit = most
  }

  /** How many may be inside now. */
  get limit(): number {
    return Math.floor(this.#limit)
  }

  /** Names what was begun since the last slowing down, for `slowDown`. */
  get round(): number {
    return this.#round
  }

  /** undefined: inside, without having waited. Every entry is followed by one `leave`. */
  enter(signal: AbortSignal | undefined): Promise<void> | undefined {
    if (this.#closed) return Promise.reject(closed())
    if (signal?.aborted) return Promise.reject(cancelled(signal))
    if (this.#inside < this.limit && this.#head === this.#queue.length) {
      this.#inside++
      return undefined
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject, signal, onAbort: undefined, gone: false }
      if (signal !== undefined) {
        waiter.onAbort = () => {
          waiter.gone = true
          reject(cancelled(signal))
        }
        signal.addEventListener('abort', waiter.onAbort, { once: true })
      }
      this.#queue.push(waiter)
    })
  }

  leave(): void {
    this.#inside--
    this.#admit()
  }

  /** A request of this round went well. */
  speedUp(round: number): void {
    if (this.#limit >= this.#most || round !== this.#round) return
    this.#limit = Math.min(this.#most, this.#limit + 1 / this.#limit)
    this.#admit()
  }

  /** Once for all requests of a round: those under way when a server first complained all hear the same complaint. */
  slowDown(round: number): void {
    if (round !== this.#round) return
    this.#round++
    this.#limit = Math.max(1, this.#limit / 2)
  }

  /** Those who wait are E_CANCELLED. */
  close(): void {
    this.#closed = true
    for (let waiter = this.#next(); waiter !== undefined; waiter = this.#next()) waiter.reject(closed())
  }

  #admit(): void {
    while (this.#inside < this.limit) {
      const waiter = this.#next()
      if (waiter === undefined) return
      this.#inside++
      waiter.resolve()
    }
  }

  #next(): Waiter | undefined {
    while (this.#head < this.#queue.length) {
      const waiter = this.#queue[this.#head++]
      if (this.#head === this.#queue.length) {
        this.#queue = []
        this.#head = 0
      } else if (this.#head === COMPACTED_AT) {
        this.#queue.splice(0, this.#head)
        this.#head = 0
      }
      if (waiter === undefined || waiter.gone) continue
      if (waiter.onAbort !== undefined) waiter.signal?.removeEventListener('abort', waiter.onAbort)
      return waiter
    }
    return undefined
  }
}

function cancelled(signal: AbortSignal): HeadraceError {
  return new HeadraceError('E_CANCELLED', 'the request was cancelled', { cause: signal.reason })
}

function closed(): HeadraceError {
  return new HeadraceError('E_CANCELLED', 'the store was closed')
}
