import type { Exchange } from './exchange.ts'

/** The requests under way that one signal ends. */
class Watch {
  readonly exchanges = new Set<Exchange>()
  readonly #signal: AbortSignal

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#aborted)
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#aborted)
  }

  readonly #aborted = (): void => {
    for (const exchange of [...this.exchanges]) exchange.cancel(this.#signal.reason)
  }
}

/**
 * One listener for all requests that a signal ends, and none once they are over: listeners cost more than a request
 * does otherwise, and Node warns of the eleventh.
 */
export class Cancellations {
  readonly #watches = new Map<AbortSignal, Watch>()

  add(signal: AbortSignal, exchange: Exchange): void {
    let watch = this.#watches.get(signal)
    if (watch === undefined) {
      watch = new Watch(signal)
      this.#watches.set(signal, watch)
    }
    watch.exchanges.add(exchange)
  }

  delete(signal: AbortSignal, exchange: Exchange): void {
    const watch = this.#watches.get(signal)
    if (watch === undefined || !watch.exchanges.delete(exchange) || watch.exchanges.size > 0) return
    watch.end()
    this.#watches.delete(signal)
  }
}
