/** Retries that are paid for by one success: a fifth of the traffic may be retries for ever. */
const PER_SUCCESS = 0.2
/** So that a store that was of no use for a while is tried properly again, however little is asked of it. */
const PER_SECOND = 1

/**
 * Tokens for retries. A server that fails everything gets the requests that come and, once the tokens are gone, hardly
 * a retry on top of them: what makes an overloaded server worse is the retries.
 */
export class RetryBudget {
  readonly #most: number
  #tokens: number
  #at = performance.now()

  constructor(most: number) {
    this.#most = most
    this.#tokens = most
  }

  succeeded(): void {
    if (this.#tokens < this.#most) this.#tokens = Math.min(this.#most, this.#tokens + PER_SUCCESS)
  }

  /** Whether there is a token for a retry; it is taken. */
  take(): boolean {
    const now = performance.now()
    this.#tokens = Math.min(this.#most, this.#tokens + ((now - this.#at) / 1000) * PER_SECOND)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
