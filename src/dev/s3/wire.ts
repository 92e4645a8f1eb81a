import type { Socket } from 'node:net'

/** Connections that end at their next request. */
const doomed = new WeakSet<Socket>()

/** The connection under one exchange: what HTTP gives no words for. */
export class Wire {
  /** What HTTP is spoken over; of https the encrypted side. */
  readonly socket: Socket
  /** Fires when the connection ends or the server does. */
  readonly signal: AbortSignal
  readonly #raw: Socket
  #cut = false

  constructor(socket: Socket, raw: Socket, signal: AbortSignal) {
    this.socket = socket
    this.#raw = raw
    this.signal = signal
  }

  /** TCP's RST: what was on its way may be lost. */
  reset(): void {
    this.#cut = true
    this.#raw.resetAndDestroy()
    this.socket.destroy()
  }

  /** TCP's FIN behind all that was written. */
  close(): void {
    this.#cut = true
    this.socket.destroySoon()
  }

  end(by: 'rst' | 'fin'): void {
    if (by === 'rst') this.reset()
    else this.close()
  }

  /** Whether it has ended, or is about to. */
  get ended(): boolean {
    return this.#cut || this.signal.aborted
  }

  doom(): void {
    doomed.add(this.socket)
  }

  get isDoomed(): boolean {
    return doomed.has(this.socket)
  }

  /** Waits; without a time until the connection ends. Resolves early when it does. */
  sleep(ms: number | undefined): Promise<void> {
    return this.until((done) => {
      const timer = ms === undefined ? undefined : setTimeout(done, ms)
      return () => clearTimeout(timer)
    })
  }

  /** Waits until `start` says done or the connection ends; what `start` returned is called then. */
  until(start: (done: () => void) => () => void): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) return resolve()
      let stop: (() => void) | undefined
      const done = () => {
        this.signal.removeEventListener('abort', done)
        stop?.()
        resolve()
      }
      this.signal.addEventListener('abort', done)
      stop = start(done)
    })
  }
}
