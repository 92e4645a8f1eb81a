import { setMaxListeners } from 'node:events'
import { HeadraceError, isHeadraceError } from '../../errors.ts'
import type { HttpClient, HttpRequest, HttpResponse } from '../http/types.ts'
import { mayPass, pause, retryDelay } from './backoff.ts'
import { EndpointPool, type Seat } from './endpoint-pool.ts'
import { Gate } from './gate.ts'
import { RetryBudget } from './retry-budget.ts'
import { Again, type Endpoint, type Exchange, type RemoteOptions, type SendOptions, type Session } from './types.ts'

/** Each mends one wrong assumption (region, clock, token); there are no more of them. */
const MAX_AGAIN = 3
/** Tokens for each request that may be under way: a short outage under full load spends half of them. */
const BUDGET_PER_REQUEST = 8
const MIN_BUDGET = 64

export interface SessionParts {
  /** At least one. */
  readonly endpoints: readonly Endpoint[]
  /** Closed with the session. */
  readonly client: HttpClient
  readonly options: RemoteOptions
  /** From 0 to 1, for the lengths of waits; Math.random. */
  readonly random?: () => number
}

/** A request that did not succeed at once: what only then is kept. */
interface Trouble {
  /** Attempts that counted. */
  attempts: number
  /** Times that it was sent, or was to be. */
  sent: number
  again: number
  /** Endpoints that could not be reached, since the last wait. */
  tried: Set<Seat> | undefined
}

/** What the next attempt waits for: nothing (elsewhere, or built differently), or milliseconds. */
type Next = { readonly seat: Seat | undefined } | { readonly delay: number }

/**
 * What `build` threw, such as credentials that cannot be had: it says nothing about the endpoint, and nothing was sent;
 * or what the client threw, who knows requests but not what they are for.
 */
class Unanswered {
  readonly by: 'build' | 'client'
  readonly reason: unknown
  constructor(by: 'build' | 'client', reason: unknown) {
    this.by = by
    this.reason = reason
  }
}

class RemoteSession implements Session {
  readonly #client: HttpClient
  readonly #options: RemoteOptions
  readonly #random: () => number
  readonly #pool: EndpointPool
  readonly #gate: Gate
  readonly #budget: RetryBudget
  readonly #closing = new AbortController()
  #retries = 0

  constructor({ endpoints, client, options, random = Math.random }: SessionParts) {
    this.#client = client
    this.#options = options
    this.#random = random
    this.#pool = new EndpointPool(endpoints, options)
    this.#gate = new Gate(options.concurrency)
    // Every request that waits for another attempt listens.
    setMaxListeners(0, this.#closing.signal)
    this.#budget = new RetryBudget(Math.max(MIN_BUDGET, BUDGET_PER_REQUEST * options.concurrency))
  }

  async send<T>(exchange: Exchange<T>, options: SendOptions = {}): Promise<T> {
    let trouble: Trouble | undefined
    let seat: Seat | undefined
    for (;;) {
      const turn = this.#gate.enter(options.signal)
      if (turn !== undefined) await named(exchange, turn)
      const { round } = this.#gate
      let next: Next
      try {
        seat ??= this.#pool.choose(exchange.idempotent)
        const answer = await this.#attempt(exchange, seat, options, trouble)
        this.#budget.succeeded()
        this.#gate.speedUp(round)
        return answer
      } catch (error) {
        trouble ??= { attempts: 0, sent: 0, again: 0, tried: undefined }
        trouble.sent++
        if (isHeadraceError(error, 'E_THROTTLED')) this.#gate.slowDown(round)
        next = this.#next(exchange, error, seat, trouble)
      } finally {
        this.#gate.leave()
      }
      this.#retries++
      if ('delay' in next) {
        seat = undefined
        await named(exchange, pause(next.delay, options.signal, this.#closing.signal))
      } else seat = next.seat
    }
  }

  report() {
    return { endpoints: this.#pool.report(), retries: this.#retries, concurrency: this.#gate.limit }
  }

  async close(): Promise<void> {
    this.#closing.abort(new HeadraceError('E_CANCELLED', 'the store was closed'))
    this.#gate.close()
    await this.#client.close()
  }

  async #attempt<T>(
    exchange: Exchange<T>,
    seat: Seat,
    { signal, trace }: SendOptions,
    trouble: Trouble | undefined,
  ): Promise<T> {
    if (trace !== undefined) {
      trace.endpoint = seat.name
      trace.retries = trouble?.sent ?? 0
      delete trace.firstByte
    }
    let request: HttpRequest
    try {
      const building = exchange.build(seat.endpoint)
      request = building instanceof Promise ? await building : building
    } catch (error) {
      throw new Unanswered('build', error)
    }
    if (signal !== undefined && request.signal === undefined) request = { ...request, signal }
    if (request.body !== undefined) for (const piece of request.body) seat.bytesSent += piece.length
    const epoch = this.#pool.enter(seat)
    let response: HttpResponse
    try {
      response = await this.#client.request(request)
    } catch (error) {
      if (isUnreachable(error)) this.#pool.failed(seat, epoch)
      else this.#pool.left(seat, epoch)
      if (mayPass(error)) seat.failures++
      throw new Unanswered('client', error)
    }
    this.#pool.answered(seat, epoch)
    seat.bytesReceived += response.body.length
    if (trace !== undefined) trace.firstByte = response.timing.firstByte
    try {
      return exchange.read(response)
    } catch (error) {
      if (mayPass(error)) seat.failures++
      throw error
    }
  }

  /** What comes after a failed attempt; throws where nothing does. */
  #next(exchange: Exchange<unknown>, failure: unknown, seat: Seat | undefined, trouble: Trouble): Next {
    const by = failure instanceof Unanswered ? failure.by : 'answer'
    const error = failure instanceof Unanswered ? failure.reason : failure
    if (error instanceof Again) {
      if (++trouble.again <= MAX_AGAIN) return { seat }
      const message = `cannot ${exchange.doing}: ${error.because}, again and again`
      throw new HeadraceError('E_SERVER', message, { ...about(exchange), cause: error })
    }
    if (!isHeadraceError(error)) throw error
    const safe = exchange.idempotent || by === 'build' || (by === 'client' && nothingSent(error))
    if (safe && by === 'client' && seat !== undefined && isUnreachable(error)) {
      trouble.tried ??= new Set()
      trouble.tried.add(seat)
      const elsewhere = this.#pool.another(trouble.tried)
      if (elsewhere !== undefined) return { seat: elsewhere }
    }
    trouble.tried = undefined
    trouble.attempts++
    if (!safe || !mayPass(error)) throw told(exchange, error, trouble, '')
    if (trouble.attempts >= this.#options.attempts) throw told(exchange, error, trouble, '')
    const delay = retryDelay(this.#options, trouble.attempts - 1, error.details.retryAfter, this.#random)
    if (delay === undefined)
      throw told(exchange, error, trouble, `the server asks for a wait of ${error.details.retryAfter} ms`)
    if (!this.#budget.take()) throw told(exchange, error, trouble, 'too much fails for more')
    return { delay }
  }
}

/** Gives the error of a wait the name of what was waited for. */
async function named(exchange: Exchange<unknown>, wait: Promise<void>): Promise<void> {
  try {
    await wait
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new HeadraceError('E_CANCELLED', `cannot ${exchange.doing}: ${reason}`, { ...about(exchange), cause })
  }
}

function about({ url, key }: Exchange<unknown>) {
  return key === undefined ? { url } : { url, key }
}

/** The client's name for a request, where the caller knows what it is about. */
const REQUEST_NAME = /^[A-Z]+ https?:\/\/\S+: /

/** The last error, saying what was being done and how often it was tried. */
function told(exchange: Exchange<unknown>, error: HeadraceError, { sent }: Trouble, more: string): HeadraceError {
  // What the protocol read from an answer says that already; what the client says is about connections.
  const ours = error.details.url === exchange.url
  const tries = [sent > 1 ? `${sent} attempts` : '', more].filter((each) => each !== '').join(', ')
  if (ours && tries === '') return error
  const what = ours ? error.message : `cannot ${exchange.doing}: ${error.message.replace(REQUEST_NAME, '')}`
  const message = tries === '' ? what : `${what} (${tries})`
  return new HeadraceError(error.code, message, { ...error.details, ...about(exchange), cause: error })
}

function isUnreachable(error: unknown): boolean {
  return isHeadraceError(error) && (error.code === 'E_NETWORK' || error.code === 'E_TIMEOUT')
}

/** Whether no byte of a request can have reached the server: it may be sent again whatever it does. */
function nothingSent(error: HeadraceError): boolean {
  const { cause } = error.details
  const { syscall } = (cause ?? {}) as NodeJS.ErrnoException
  return syscall === 'connect' || syscall === 'getaddrinfo'
}

/** Sends the exchanges of one store to its endpoints. E_USAGE without an endpoint. */
export function openSession(parts: SessionParts): Session {
  if (parts.endpoints.length === 0) throw new HeadraceError('E_USAGE', 'a session needs at least one endpoint')
  return new RemoteSession(parts)
}
