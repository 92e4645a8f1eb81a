import { Connection, type ConnectionOwner } from './connection.ts'
import { Dial, type DialFailure, type Dialler } from './dial.ts'
import type { Carrier, Exchange } from './exchange.ts'
import type { ClientParts } from './parts.ts'
import type { Route } from './route.ts'

/**
 * The connections to one origin, and what waits for one. The connection that was used last is used first, so that those
 * that are too many grow idle and close.
 */
export class Pool implements ConnectionOwner, Dialler, Carrier {
  readonly route: Route
  readonly #parts: ClientParts
  readonly #connections = new Set<Connection>()
  readonly #idle: Connection[] = []
  readonly #waiting = new Set<Exchange>()
  readonly #dials = new Set<Dial>()
  /** Every socket until it is closed, those that connect among them. */
  readonly #sockets = new Set<Connection>()
  #isClosed = false
  #emptied: (() => void) | undefined

  constructor(parts: ClientParts, route: Route) {
    this.#parts = parts
    this.route = route
  }

  submit(exchange: Exchange): void {
    const connection = this.#idle.pop()
    if (connection !== undefined) {
      connection.start(exchange)
      return
    }
    exchange.carrier = this
    this.#waiting.add(exchange)
    this.#dialAsNeeded()
  }

  /** Ends everything; resolves once every socket is closed. */
  close(): Promise<void> {
    this.#isClosed = true
    const ended: Exchange[] = [...this.#waiting]
    this.#waiting.clear()
    for (const dial of [...this.#dials]) {
      if (dial.exchange !== undefined) ended.push(dial.exchange)
      this.#dials.delete(dial)
      dial.cancel()
    }
    for (const connection of [...this.#connections]) {
      if (connection.exchange !== undefined) ended.push(connection.exchange)
      connection.drop()
    }
    for (const exchange of ended) exchange.fail('E_CANCELLED', 'the client was closed')
    return new Promise((resolve) => {
      this.#emptied = resolve
      if (this.#sockets.size === 0) resolve()
    })
  }

  /** A cancelled exchange waits no longer. */
  release(exchange: Exchange): void {
    this.#waiting.delete(exchange)
  }

  freed(connection: Connection): void {
    const next = this.#firstWaiting()
    if (next === undefined) this.#idle.push(connection)
    else connection.start(next)
  }

  dropped(connection: Connection, stale?: Exchange): void {
    const idle = this.#idle.lastIndexOf(connection)
    if (idle >= 0) this.#idle.splice(idle, 1)
    if (!this.#connections.delete(connection)) return
    if (stale !== undefined) {
      this.#parts.counters.staleConnections++
      // On a connection of its own: those that are idle may be as dead as this one.
      this.#dial(stale)
    }
    this.#dialAsNeeded()
  }

  closed(connection: Connection): void {
    this.#sockets.delete(connection)
    if (this.#sockets.size === 0) this.#emptied?.()
  }

  connect(address: string, opened: (error: unknown) => void): Connection {
    const connection = new Connection(this.#parts, this.route, address, this, opened)
    this.#sockets.add(connection)
    return connection
  }

  connected(dial: Dial, connection: Connection): void {
    this.#dials.delete(dial)
    this.#connections.add(connection)
    if (dial.exchange === undefined) this.freed(connection)
    else connection.start(dial.exchange)
  }

  unconnected(dial: Dial, { code, reason, details }: DialFailure): void {
    this.#dials.delete(dial)
    if (dial.exchange !== undefined) {
      dial.exchange.fail(code, reason, details)
    } else if (this.#connections.size === 0 && this.#dials.size === 0) {
      // Nobody gets through: what waits would learn the same, one after the other.
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const exchange of waiting) exchange.fail(code, reason, details)
    } else {
      this.#firstWaiting()?.fail(code, reason, details)
    }
    this.#dialAsNeeded()
  }

  #firstWaiting(): Exchange | undefined {
    if (this.#waiting.size === 0) return undefined
    for (const exchange of this.#waiting) {
      this.#waiting.delete(exchange)
      return exchange
    }
    return undefined
  }

  #dialAsNeeded(): void {
    const { connections } = this.#parts.options
    while (
      !this.#isClosed &&
      this.#dials.size < this.#waiting.size &&
      this.#connections.size + this.#dials.size < connections
    )
      this.#dial(undefined)
  }

  #dial(exchange: Exchange | undefined): void {
    const dial = new Dial(this.#parts, this.route, this, exchange)
    this.#dials.add(dial)
    dial.start()
  }
}
