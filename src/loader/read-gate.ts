import { Stopwatch } from './stopwatch.ts'

/** Lets at most `limit` reads run at once; they begin in the order in which they were asked for. */
export class ReadGate {
  #limit: number
  #active = 0
  #queue: (() => Promise<void>)[] = []
  /** Of `#queue`: what is before it has begun. */
  #head = 0
  readonly #queued = new Stopwatch()

  constructor(limit: number) {
    this.#limit = limit
  }

  get limit(): number {
    return this.#limit
  }

  /** More may begin at once; what runs is not stopped by a lower one. */
  set limit(limit: number) {
    this.#limit = limit
    this.#start()
  }

  get active(): number {
    return this.#active
  }

  /** Reads that have not begun. */
  get waiting(): number {
    return this.#queue.length - this.#head
  }

  /** Milliseconds in which reads waited for others to end. */
  get queuedMs(): number {
    return this.#queued.ms
  }

  /** `read` never rejects. */
  add(read: () => Promise<void>): void {
    this.#queue.push(read)
    this.#start()
  }

  #start(): void {
    while (this.#active < this.#limit) {
      const read = this.#queue[this.#head]
      if (read === undefined) break
      this.#head++
      this.#active++
      void read().then(() => {
        this.#active--
        this.#start()
      })
    }
    this.#queued.on = this.waiting > 0
    // Half of it has begun: moving the rest costs no more than it has cost to get here.
    if (this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
  }
}
