/** ms that a write may go on: one that is cut off may be done by the server all the same, and later. */
const WRITES_END_WITHIN = 5000

/** A signal for writes: it fires a while after the one that stops a run, so that who cleans up afterwards finds them. */
export class Grace {
  readonly #stop: AbortSignal | undefined
  readonly #late = new AbortController()
  #timer: NodeJS.Timeout | undefined
  readonly #onStop = () => {
    this.#timer = setTimeout(() => this.#late.abort(this.#stop?.reason), WRITES_END_WITHIN)
  }

  constructor(stop: AbortSignal | undefined) {
    this.#stop = stop
    if (stop?.aborted) this.#late.abort(stop.reason)
    else stop?.addEventListener('abort', this.#onStop, { once: true })
  }

  get signal(): AbortSignal {
    return this.#late.signal
  }

  /** No write is under way any more. */
  end(): void {
    clearTimeout(this.#timer)
    this.#stop?.removeEventListener('abort', this.#onStop)
  }
}
