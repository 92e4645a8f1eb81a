import type { ErrorCode, ErrorDetails } from '../../errors.ts'
import type { Connection } from './connection.ts'
import type { Carrier, Exchange } from './exchange.ts'
import { networkHint, networkReason } from './network-error.ts'
import type { ClientParts } from './parts.ts'
import type { Route } from './route.ts'
import type { Ticking } from './ticker.ts'

/** Why there is no connection. */
export interface DialFailure {
  readonly code: ErrorCode
  readonly reason: string
  readonly details: ErrorDetails
}

export interface Dialler {
  /** Begins to connect to an address; `opened` is called once, with what went wrong or undefined. */
  connect(address: string, opened: (error: unknown) => void): Connection
  connected(dial: Dial, connection: Connection): void
  unconnected(dial: Dial, failure: DialFailure): void
}

/** One attempt to get a connection, from address to address until one takes it or the time is up. */
export class Dial implements Ticking, Carrier {
  readonly #parts: ClientParts
  readonly #route: Route
  readonly #dialler: Dialler
  readonly #ticks: number
  #addresses: readonly string[] = []
  #tried = 0
  #connection: Connection | undefined
  #waited = 0
  /** When the present address has had its share of the time. */
  #until = 0
  #failed: unknown
  #isOver = false
  /** What the connection is for, and for nothing before it. */
  exchange: Exchange | undefined

  constructor(parts: ClientParts, route: Route, dialler: Dialler, exchange: Exchange | undefined) {
    this.#parts = parts
    this.#route = route
    this.#dialler = dialler
    this.#ticks = parts.ticker.atLeast(parts.options.connectTimeout)
    this.exchange = exchange
    if (exchange !== undefined) exchange.carrier = this
  }

  start(): void {
    this.#parts.ticker.add(this)
    this.#route.addresses.resolve((error, addresses) => {
      if (this.#isOver) return
      this.#addresses = addresses
      this.#failed = error
      this.#next()
    })
  }

  /** Nothing comes of it any more. */
  cancel(): void {
    this.#end()
    this.#connection?.drop()
  }

  release(): void {
    this.exchange = undefined
  }

  tick(): void {
    this.#waited++
    if (this.#waited >= this.#ticks) {
      const at = this.#addresses[this.#tried - 1]
      const what =
        at === undefined ? `no address of ${this.#route.origin.host}` : `no connection to ${this.#peerAt(at)}`
      this.#giveUp('E_TIMEOUT', `${what} within ${this.#parts.options.connectTimeout} ms`)
    } else if (this.#waited >= this.#until && this.#tried > 0 && this.#tried < this.#addresses.length) {
      this.#connection?.drop()
      this.#next()
    }
  }

  #next(): void {
    const address = this.#addresses[this.#tried]
    if (address === undefined) {
      this.#giveUp('E_NETWORK', this.#failure())
      return
    }
    this.#tried++
    this.#until = this.#waited + (this.#ticks - this.#waited) / (this.#addresses.length - this.#tried + 1)
    const connection = this.#dialler.connect(address, (error) => {
      if (this.#isOver || this.#connection !== connection) return
      if (error !== undefined) {
        this.#failed = error
        this.#route.addresses.failed(address)
        this.#next()
        return
      }
      this.#end()
      this.#dialler.connected(this, connection)
    })
    this.#connection = connection
  }

  #failure(): string {
    const { host } = this.#route.origin
    const reason = networkReason(this.#failed)
    const last = this.#addresses.at(-1)
    if (last === undefined) return `cannot find ${host}: ${reason}`
    const count = this.#addresses.length
    return `cannot connect to ${count > 1 ? `any of the ${count} addresses of ${host}, at last ` : ''}${this.#peerAt(last)}: ${reason}`
  }

  #peerAt(address: string): string {
    return this.#route.peerAt(address)
  }

  #giveUp(code: ErrorCode, reason: string): void {
    this.#end()
    this.#connection?.drop()
    const hint = networkHint(this.#failed)
    const details = { ...(this.#failed !== undefined && { cause: this.#failed }), ...(hint !== undefined && { hint }) }
    this.#dialler.unconnected(this, { code, reason, details })
  }

  #end(): void {
    this.#isOver = true
    this.#parts.ticker.delete(this)
  }
}
