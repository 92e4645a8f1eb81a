/** Lets at most `count` tasks run whose costs together are at most `cost`; a larger one runs alone. First come, first served. */
export class Permits {
  readonly #count: number
  readonly #cost: number
  #running = 0
  #spent = 0
  readonly #waiting: { readonly cost: number; readonly start: () => void }[] = []

  constructor(count: number, cost: number) {
    this.#count = count
    this.#cost = cost
  }

  async run<T>(cost: number, task: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#admits(cost)) {
      await new Promise<void>((start) => this.#waiting.push({ cost, start }))
    } else {
      this.#admit(cost)
    }
    try {
      return await task()
    } finally {
      this.#running--
      this.#spent -= cost
      for (let next = this.#waiting[0]; next !== undefined && this.#admits(next.cost); next = this.#waiting[0]) {
        this.#waiting.shift()
        // admitted here, not when it wakes up: nothing may slip in between
        this.#admit(next.cost)
        next.start()
      }
    }
  }

  #admits(cost: number): boolean {
    return this.#running < this.#count && (this.#running === 0 || this.#spent + cost <= this.#cost)
  }

  #admit(cost: number): void {
    this.#running++
    this.#spent += cost
  }
}
