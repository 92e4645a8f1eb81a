import { type ErrorCode, type ErrorDetails, HeadraceError } from '../../errors.ts'
import type { Cancellable, Cancellations } from './cancellation.ts'
import { urlOf } from './request-head.ts'
import type { HttpRequest, HttpResponse } from './types.ts'

/** Who moves an exchange along at the moment, and lets go of it when it is cancelled. */
export interface Carrier {
  release(exchange: Exchange): void
}

/** One request until its promise is settled. */
export class Exchange implements Cancellable {
  readonly request: HttpRequest
  /** The request up to its body. */
  readonly head: string
  /** Bytes of the request's body. */
  readonly size: number
  readonly #resolve: (response: HttpResponse) => void
  readonly #reject: (error: unknown) => void
  readonly #cancellations: Cancellations
  carrier: Carrier | undefined
  #isSettled = false

  constructor(
    request: HttpRequest,
    sized: { readonly head: string; readonly size: number },
    settle: { readonly resolve: (response: HttpResponse) => void; readonly reject: (error: unknown) => void },
    cancellations: Cancellations,
  ) {
    this.request = request
    this.head = sized.head
    this.size = sized.size
    this.#resolve = settle.resolve
    this.#reject = settle.reject
    this.#cancellations = cancellations
    if (request.signal !== undefined) cancellations.add(request.signal, this)
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  succeed(response: HttpResponse): void {
    if (this.#settle()) this.#resolve(response)
  }

  /** With an error that is passed on as it is. */
  reject(error: unknown): void {
    if (this.#settle()) this.#reject(error)
  }

  fail(code: ErrorCode, reason: string, details: ErrorDetails = {}): void {
    if (!this.#isSettled) this.reject(this.failure(code, reason, details))
  }

  /** The request's carrier lets go of it before its promise is rejected: nothing touches its memory afterwards. */
  cancel(reason: unknown): void {
    if (this.#isSettled) return
    this.carrier?.release(this)
    this.fail('E_CANCELLED', 'cancelled', { cause: reason })
  }

  failure(code: ErrorCode, reason: string, details: ErrorDetails = {}): HeadraceError {
    const url = urlOf(this.request)
    return new HeadraceError(code, `${this.request.method} ${url}: ${reason}`, { url, ...details })
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.carrier = undefined
    if (this.request.signal !== undefined) this.#cancellations.delete(this.request.signal, this)
    return true
  }
}
