/** What a signal can end. */
export interface Cancellable {
  cancel(reason: unknown): void
}

/** The requests under way that one signal ends. */
class Watch {
  readonly members = new Set<Cancellable>()
  readonly #signal: AbortSignal

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#aborted)
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#aborted)
  }

  readonly #aborted = (): void => {
    for (const member of [...this.members]) member.cancel(this.#signal.reason)
  }
}

/**
 * One listener for all requests that a signal ends, and none once they are over: listeners cost more than a request
 * does otherwise, and Node warns of the eleventh.
 */
export class Cancellations {
  readonly #watches = new Map<AbortSignal, Watch>()

  add(signal: AbortSignal, member: Cancellable): void {
    let watch = this.#watches.get(signal)
    if (watch === undefined) {
      watch = new Watch(signal)
      this.#watches.set(signal, watch)
    }
    watch.members.add(member)
  }

  delete(signal: AbortSignal, member: Cancellable): void {
    const watch = this.#watches.get(signal)
    if (watch === undefined || !watch.members.delete(member) || watch.members.size > 0) return
    watch.end()
    this.#watches.delete(signal)
  }
}
