import { endpointName } from './endpoints.ts'
import type { Endpoint, EndpointReport, RemoteOptions } from './types.ts'

/** One endpoint of a pool, what is known of it and what was counted. */
export interface Seat {
  readonly endpoint: Endpoint
  readonly name: string
  requests: number
  failures: number
  bytesSent: number
  bytesReceived: number
  /** Requests under way. */
  active: number
  /** `performance.now()` before which nothing is sent there unless there is nothing better; undefined: healthy. */
  asideUntil: number | undefined
  /** Pauses in a row. */
  pauses: number
  /** Changes with every pause: what a request that began before says is old news. */
  epoch: number
  /** The one request that finds out whether it works again is under way. */
  probing: boolean
}

/** The first pause of an endpoint is so many times `baseDelay`, each further one twice as long, up to `maxDelay`. */
const PAUSE_FACTOR = 10

/**
 * Servers of the same content. One that cannot be reached is set aside for a growing pause; then a single request is
 * let through, and if that is answered the endpoint is one of them again.
 */
export class EndpointPool {
  readonly #seats: readonly Seat[]
  readonly #balance: RemoteOptions['balance']
  readonly #firstPause: number
  readonly #maxPause: number
  #cursor = 0
  #aside = 0

  constructor(endpoints: readonly Endpoint[], options: Pick<RemoteOptions, 'balance' | 'baseDelay' | 'maxDelay'>) {
    this.#seats = endpoints.map((endpoint) => ({
      endpoint,
      name: endpointName(endpoint),
      requests: 0,
      failures: 0,
      bytesSent: 0,
      bytesReceived: 0,
      active: 0,
      asideUntil: undefined,
      pauses: 0,
      epoch: 0,
      probing: false,
    }))
    this.#balance = options.balance
    this.#firstPause = Math.min(options.baseDelay * PAUSE_FACTOR, options.maxDelay)
    this.#maxPause = options.maxDelay
  }

  /**
   * Where the next request goes: never undefined, for the endpoint whose pause ends first is better than none.
   * `mayFail`: it could be sent elsewhere if the endpoint does not work, hence it may be the one that finds out.
   */
  choose(mayFail: boolean): Seat {
    const found = this.#working(undefined, mayFail) ?? this.#soonest()
    if (found === undefined) throw new RangeError('a pool without endpoints')
    return found
  }

  /** An endpoint that should work and is not among those; undefined where there is none. */
  another(tried: ReadonlySet<Seat>): Seat | undefined {
    return this.#working(tried, true)
  }

  /** To be called when a request is sent there; followed by one `answered`, `failed` or `left`. */
  enter(seat: Seat): number {
    seat.requests++
    seat.active++
    if (seat.asideUntil !== undefined) seat.probing = true
    return seat.epoch
  }

  /** It answered, whatever it said. */
  answered(seat: Seat, epoch: number): void {
    this.left(seat, epoch)
    if (epoch !== seat.epoch || seat.asideUntil === undefined) return
    seat.asideUntil = undefined
    seat.pauses = 0
    this.#aside--
  }

  /** It could not be reached, or went silent. */
  failed(seat: Seat, epoch: number): void {
    this.left(seat, epoch)
    if (epoch !== seat.epoch || this.#seats.length === 1) return
    if (seat.asideUntil === undefined) this.#aside++
    seat.asideUntil = performance.now() + Math.min(this.#maxPause, this.#firstPause * 2 ** seat.pauses)
    seat.pauses++
    seat.epoch++
  }

  /** The request ended in a way that says nothing about the endpoint. */
  left(seat: Seat, epoch: number): void {
    seat.active--
    if (epoch === seat.epoch) seat.probing = false
  }

  report(): readonly EndpointReport[] {
    return this.#seats.map(({ name, requests, failures, bytesSent, bytesReceived, active, asideUntil }) => ({
      endpoint: name,
      requests,
      failures,
      bytesSent,
      bytesReceived,
      active,
      healthy: asideUntil === undefined,
    }))
  }

  #working(tried: ReadonlySet<Seat> | undefined, mayFail: boolean): Seat | undefined {
    const count = this.#seats.length
    if (this.#aside > 0 && mayFail) {
      const now = performance.now()
      for (const seat of this.#seats)
        if (seat.asideUntil !== undefined && seat.asideUntil <= now && !seat.probing && !tried?.has(seat)) return seat
    }
    let best: Seat | undefined
    for (let step = 0; step < count; step++) {
      const at = (this.#cursor + step) % count
      const seat = this.#seats[at]
      if (seat === undefined || seat.asideUntil !== undefined || tried?.has(seat)) continue
      if (this.#balance === 'round-robin') {
        this.#cursor = (at + 1) % count
        return seat
      }
      if (best === undefined || seat.active < best.active) best = seat
    }
    // Among equally busy ones the turn goes round.
    if (best !== undefined) this.#cursor = (this.#seats.indexOf(best) + 1) % count
    return best
  }

  #soonest(): Seat | undefined {
    let best: Seat | undefined
    for (const seat of this.#seats)
      if (best === undefined || (seat.asideUntil ?? 0) < (best.asideUntil ?? 0)) best = seat
    return best
  }
}
