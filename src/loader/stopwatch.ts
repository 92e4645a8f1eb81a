/** How long something was so, in milliseconds. */
export class Stopwatch {
  #ms = 0
  #since: number | undefined

  /** Whether it is so from now on. */
  set on(on: boolean) {
    if (on === (this.#since !== undefined)) return
    const now = performance.now()
    if (this.#since !== undefined) this.#ms += now - this.#since
    this.#since = on ? now : undefined
  }

  get ms(): number {
    return this.#ms + (this.#since === undefined ? 0 : performance.now() - this.#since)
  }
}
