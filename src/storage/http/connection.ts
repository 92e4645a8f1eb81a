import type { Socket } from 'node:net'
import { HeadraceError } from '../../errors.ts'
import { AnswerReader } from './answer.ts'
import type { Carrier, Exchange } from './exchange.ts'
import { type AnswerHead, keepAliveTimeout } from './head.ts'
import { ThrownByCaller } from './landing.ts'
import { networkReason } from './network-error.ts'
import type { ClientParts } from './parts.ts'
import type { Route } from './route.ts'
import { RequestSender } from './sender.ts'
import type { Ticking } from './ticker.ts'
import type { HeaderFields, HttpResponse } from './types.ts'

export interface ConnectionOwner {
  /** It may carry the next exchange. */
  freed(connection: Connection): void
  /** It carries nothing any more; `stale` was sent on it, which was dead already, and may be sent again. */
  dropped(connection: Connection, stale?: Exchange): void
  /** Its socket is closed. */
  closed(connection: Connection): void
}

type Phase = 'connecting' | 'idle' | 'sending' | 'waiting' | 'receiving' | 'closed'

/** One socket, which carries one exchange at a time. */
export class Connection implements Carrier, Ticking {
  readonly peer: string
  readonly #parts: ClientParts
  readonly #owner: ConnectionOwner
  readonly #socket: Socket
  readonly #reader: AnswerReader
  readonly #sender: RequestSender
  #opened: ((error: unknown) => void) | undefined
  #phase: Phase = 'connecting'
  #exchange: Exchange | undefined
  /** Ticks since something moved. */
  #quiet = 0
  #idleTicks = 0
  #exchanges = 0
  /** Something came back for the present exchange. */
  #isHeard = false
  /** Its answer came before all of its body was sent. */
  #isCutShort = false
  #isReferenced = true
  #sentAt = 0
  #firstByteAt = 0

  /** `opened` is called once, with what went wrong or undefined. */
  constructor(
    parts: ClientParts,
    route: Route,
    address: string,
    owner: ConnectionOwner,
    opened: (error: unknown) => void,
  ) {
    this.#parts = parts
    this.#owner = owner
    this.#opened = opened
    this.peer = route.peerAt(address)
    this.#reader = new AnswerReader(parts.scratch)
    this.#sender = new RequestSender({
      sending: (bytes) => {
        parts.counters.bytesSent += bytes
      },
      progressed: () => {
        this.#quiet = 0
      },
      sent: () => {
        if (this.#phase !== 'sending') return
        this.#phase = 'waiting'
        this.#quiet = 0
      },
    })
    const onread = { buffer: () => this.#nextBuffer(), callback: (count: number) => this.#received(count) }
    parts.counters.openConnections++
    this.#socket = route.open(address, onread, () => this.#ready())
    this.#socket.on('error', (error) => this.#lost(error))
    this.#socket.on('end', () => this.#lost(undefined))
    this.#socket.on('close', () => {
      this.#lost(undefined)
      owner.closed(this)
    })
  }

  /** What it carries. */
  get exchange(): Exchange | undefined {
    return this.#exchange
  }

  start(exchange: Exchange): void {
    this.#exchange = exchange
    exchange.carrier = this
    this.#exchanges++
    this.#isHeard = false
    this.#isCutShort = false
    this.#phase = 'sending'
    this.#quiet = 0
    if (!this.#isReferenced) {
      this.#isReferenced = true
      this.#socket.ref()
    }
    this.#reader.begin(exchange.request)
    this.#sentAt = performance.now()
    this.#sender.start(this.#socket, exchange.head, exchange.size > 0 ? exchange.request.body : undefined)
  }

  /** Closes it, whatever it carries: that is settled by whoever calls. */
  drop(stale?: Exchange): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#opened = undefined
    this.#exchange = undefined
    this.#parts.counters.openConnections--
    this.#parts.ticker.delete(this)
    this.#sender.stop()
    this.#reader.clear()
    this.#socket.destroy()
    this.#owner.dropped(this, stale)
  }

  release(exchange: Exchange): void {
    if (this.#exchange === exchange) this.drop()
  }

  tick(): void {
    this.#quiet++
    const { options, ticker } = this.#parts
    switch (this.#phase) {
      case 'idle':
        if (this.#quiet >= this.#idleTicks) {
          this.drop()
        } else if (this.#isReferenced) {
          // A process may end over idle connections. Not at once, for most are in use again before this.
          this.#isReferenced = false
          this.#socket.unref()
        }
        return
      case 'waiting':
        if (this.#quiet >= ticker.atLeast(options.firstByteTimeout))
          this.#timedOut(`no byte of the answer came within ${options.firstByteTimeout} ms`)
        return
      case 'sending':
      case 'receiving':
        if (this.#quiet >= ticker.atLeast(options.stallTimeout))
          this.#timedOut(
            `the ${this.#phase === 'sending' ? 'server took' : 'answer brought'} no byte for ${options.stallTimeout} ms`,
          )
        return
      default:
        return
    }
  }

  #ready(): void {
    if (this.#phase !== 'connecting') return
    this.#phase = 'idle'
    this.#quiet = 0
    this.#idleTicks = this.#parts.ticker.atMost(this.#parts.options.idleTimeout)
    this.#parts.counters.connectionsOpened++
    this.#parts.ticker.add(this)
    const opened = this.#opened
    this.#opened = undefined
    opened?.(undefined)
  }

  #nextBuffer(): Uint8Array {
    try {
      return this.#reader.buffer()
    } catch (error) {
      this.#fail(error)
      return this.#parts.scratch
    }
  }

  #received(count: number): boolean {
    this.#quiet = 0
    this.#parts.counters.bytesReceived += count
    const exchange = this.#exchange
    if (exchange === undefined) {
      // Nobody asked: whatever it is, it must not be taken for the answer to the next request.
      this.drop()
      return true
    }
    const reader = this.#reader
    this.#isHeard = true
    if (reader.isWaiting) this.#firstByteAt = performance.now()
    try {
      reader.received(count)
    } catch (error) {
      this.#fail(error)
      return true
    }
    if (this.#exchange !== exchange) return true
    if (reader.head !== undefined) {
      if (exchange.size > 0 && this.#sender.isSending) {
        // The server has made up its mind: what it has not read yet it does not want.
        this.#sender.stop()
        this.#isCutShort = true
      }
      this.#phase = 'receiving'
      if (reader.isDone) this.#finish(exchange, reader.head)
    } else if (this.#phase !== 'sending') {
      this.#phase = reader.isWaiting ? 'waiting' : 'receiving'
    }
    return true
  }

  #finish(exchange: Exchange, { status, headers }: AnswerHead): void {
    const reader = this.#reader
    const timing = { sent: this.#sentAt, firstByte: this.#firstByteAt, end: performance.now() }
    const response: HttpResponse = { status, headers, body: reader.body, timing, peer: this.peer }
    const staysOpen = reader.staysOpen && !this.#isCutShort
    this.#exchange = undefined
    reader.clear()
    if (staysOpen) {
      this.#phase = 'idle'
      this.#quiet = 0
      this.#idleTicks = this.#ticksOfIdleness(headers)
      exchange.succeed(response)
      this.#owner.freed(this)
    } else {
      this.drop()
      exchange.succeed(response)
    }
  }

  /** Less than the server allows: a request must not cross with its closing. */
  #ticksOfIdleness(headers: HeaderFields): number {
    const { ticker, options } = this.#parts
    const allowed = keepAliveTimeout(headers)
    const ours = options.idleTimeout
    return ticker.atMost(allowed === undefined ? ours : Math.min(ours, Math.max(allowed - 1000, allowed / 2)))
  }

  /** The socket failed, or (without an error) the server closed it. */
  #lost(error: Error | undefined): void {
    if (this.#phase === 'closed') return
    const exchange = this.#exchange
    if (this.#phase === 'connecting') {
      const opened = this.#opened
      this.drop()
      opened?.(error ?? new Error('the connection was closed'))
    } else if (exchange === undefined) {
      this.drop()
    } else if (!this.#isHeard) {
      const isStale = this.#exchanges > 1 && exchange.request.idempotent
      this.drop(isStale ? exchange : undefined)
      if (!isStale) exchange.fail('E_NETWORK', `${lostReason(error)} before an answer came`, { cause: error })
    } else if (error !== undefined) {
      this.#fail(
        new HeadraceError('E_NETWORK', `${lostReason(error)} before the answer was complete`, { cause: error }),
      )
    } else {
      this.#ended(exchange)
    }
  }

  /** The server closed after some of its answer. */
  #ended(exchange: Exchange): void {
    const reader = this.#reader
    try {
      reader.ended()
    } catch (error) {
      this.#fail(error)
      return
    }
    if (reader.head !== undefined) this.#finish(exchange, reader.head)
  }

  #timedOut(reason: string): void {
    this.#fail(new HeadraceError('E_TIMEOUT', reason))
  }

  #fail(error: unknown): void {
    const exchange = this.#exchange
    this.drop()
    if (error instanceof ThrownByCaller) exchange?.reject(error.error)
    else if (error instanceof HeadraceError) exchange?.fail(error.code, error.message, error.details)
    else exchange?.reject(error)
  }
}

function lostReason(error: Error | undefined): string {
  return error === undefined ? 'the connection was closed' : networkReason(error)
}
