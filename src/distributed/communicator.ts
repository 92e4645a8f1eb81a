import { setMaxListeners } from 'node:events'
import { finiteNumber, knownOptions, oneOf, show } from '../checks.ts'
import { HeadraceError, throwIfAborted } from '../errors.ts'
import { type Collective, MAX_PAYLOAD, NOTHING } from './frame.ts'
import { nameRanks } from './names.ts'
import { nameOf, type Payload } from './rounds.ts'
import type { CollectiveOptions, Communicator, ReduceOp } from './types.ts'

/** The way from a rank to the hub, which is in the process of rank 0. */
export interface Uplink {
  call(collective: Collective, sequence: number, part: Uint8Array): void
  /** Answered by `missing`. */
  who(sequence: number): void
  /** The job is over. `reason` says whose fault it is. */
  fail(reason: string): void
  /** No more calls. Resolves when nothing of the job is left in this process. */
  leave(): Promise<void>
  /** What has come and will come goes there. */
  deliver(receiver: Receiver): void
}

/** The way back. */
export interface Receiver {
  done(collective: Collective, sequence: number, payload: Payload): void
  missing(sequence: number, ranks: readonly number[]): void
  failed(rank: number, reason: string): void
}

export interface RankPlace {
  readonly rank: number
  readonly localRank: number
  readonly localSize: number
  readonly hosts: readonly string[]
}

/** Told once, when the job fails: whose fault it is, and whether that rank said so itself. */
export type FailureListener = (rank: number, reason: string, isOwn: boolean) => void

interface Call {
  readonly collective: Collective
  readonly resolve: (payload: Payload) => void
  readonly reject: (error: HeadraceError) => void
  timer?: NodeJS.Timeout
  removeListener?: () => void
}

/** A timed out call waits so long for the names of those that did not come: milliseconds. */
const WHO_WAIT = 1000
/** Of a reason: characters. */
const MAX_REASON = 4096
/** The longest that Node's timers take: milliseconds. */
const MAX_TIMEOUT = 2 ** 31 - 1

/**
 * Keeps the process alive while something is waited for, and then alone: links do not, so that a program that ends
 * without closing its communicator ends, and others learn that it has gone.
 */
class Hold {
  readonly #timer = setInterval(() => {}, MAX_TIMEOUT).unref()

  set(isHeld: boolean): void {
    if (isHeld) this.#timer.ref()
    else this.#timer.unref()
  }

  end(): void {
    clearInterval(this.#timer)
  }
}

const bytesOf = (numbers: Float64Array) => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)

/** One rank of several. Calls are counted; whichever way they end, the next call has the next number. */
export class RankCommunicator implements Communicator, Receiver {
  readonly rank: number
  readonly size: number
  readonly localRank: number
  readonly localSize: number
  readonly hosts: readonly string[]
  readonly #uplink: Uplink
  readonly #onFailure: FailureListener | undefined
  readonly #calls = new Map<number, Call>()
  readonly #hold = new Hold()
  #next = 0
  /** Numbers of barriers that all others have come to, before this rank does. */
  readonly #early = new Set<number>()
  #failure: HeadraceError | undefined
  readonly #broken = new AbortController()
  #leaving: Promise<void> | undefined

  constructor(place: RankPlace, uplink: Uplink, onFailure?: FailureListener) {
    this.rank = place.rank
    this.size = place.hosts.length
    this.localRank = place.localRank
    this.localSize = place.localSize
    this.hosts = place.hosts
    this.#uplink = uplink
    this.#onFailure = onFailure
    // Everything that is under way may listen.
    setMaxListeners(0, this.#broken.signal)
    uplink.deliver(this)
  }

  get broken(): AbortSignal {
    return this.#broken.signal
  }

  async barrier(options: CollectiveOptions = {}): Promise<void> {
    await this.#call('barrier', NOTHING, options)
  }

  async allReduce(values: Float64Array, op: ReduceOp, options: CollectiveOptions = {}): Promise<Float64Array> {
    if (!(values instanceof Float64Array))
      throw new HeadraceError('E_USAGE', `values must be a Float64Array, but got ${show(values)}`)
    oneOf('op', op, ['sum', 'min', 'max'])
    const result = (await this.#call(op, bytesOf(values), options)) as Uint8Array
    // Every rank's own, for the hub gives one memory to all that are in its process.
    return new Float64Array(result.buffer, result.byteOffset, result.byteLength / 8).slice()
  }

  async gather(bytes: Uint8Array, options: CollectiveOptions = {}): Promise<readonly Uint8Array[] | undefined> {
    const parts = await this.#call('gather', bytes, options)
    return this.rank === 0 ? (parts as readonly Uint8Array[]) : undefined
  }

  async broadcast(bytes: Uint8Array | undefined, options: CollectiveOptions = {}): Promise<Uint8Array> {
    if (this.rank === 0 && !(bytes instanceof Uint8Array))
      throw new HeadraceError('E_USAGE', `rank 0 must give bytes to broadcast, but got ${show(bytes)}`)
    const given = this.rank === 0 ? (bytes ?? NOTHING) : NOTHING
    return (await this.#call('broadcast', given, options)) as Uint8Array
  }

  abort(reason: string): void {
    if (this.#failure !== undefined || this.#leaving !== undefined) return
    const text = `rank ${this.rank} ended the job: ${reason}`.slice(0, MAX_REASON)
    this.#end(this.rank, text, true)
    this.#uplink.fail(text)
  }

  close(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async #leave(): Promise<void> {
    this.#hold.set(true)
    await this.#uplink.leave()
    const message = `the communicator of rank ${this.rank} was closed`
    for (const [sequence, call] of this.#calls)
      this.#settle(sequence, call).reject(new HeadraceError('E_STATE', message))
    this.#hold.end()
  }

  done(collective: Collective, sequence: number, payload: Payload): void {
    const call = this.#calls.get(sequence)
    // Of another kind: this rank was let go from a barrier that it never called, and the hub is about to say so.
    if (call?.collective === collective) this.#settle(sequence, call).resolve(payload)
    // Behind `#next` in the circle of numbers: a call that has ended otherwise.
    else if (call === undefined && (sequence - this.#next) >>> 0 < 2 ** 31) this.#early.add(sequence)
  }

  missing(sequence: number, ranks: readonly number[]): void {
    const call = this.#calls.get(sequence)
    // Nobody: it is over, and the answer is on its way.
    if (call === undefined || ranks.length === 0) return
    this.#settle(sequence, call).reject(
      new HeadraceError('E_TIMEOUT', `${nameOf(call.collective)}: ${nameRanks(ranks)} did not come in time`, { ranks }),
    )
  }

  failed(rank: number, reason: string): void {
    this.#end(rank, reason, false)
  }

  #end(rank: number, reason: string, isOwn: boolean): void {
    if (this.#failure !== undefined) return
    this.#failure = new HeadraceError('E_PEER', reason, { ranks: [rank] })
    for (const [sequence, call] of this.#calls) this.#settle(sequence, call).reject(this.#failure)
    this.#onFailure?.(rank, reason, isOwn)
    this.#broken.abort(this.#failure)
  }

  #settle(sequence: number, call: Call): Call {
    this.#calls.delete(sequence)
    clearTimeout(call.timer)
    call.removeListener?.()
    if (this.#calls.size === 0 && this.#leaving === undefined) this.#hold.set(false)
    return call
  }

  async #call(collective: Collective, part: Uint8Array, options: CollectiveOptions): Promise<Payload> {
    const name = nameOf(collective)
    const { signal, timeout } = options
    knownOptions(name, options, ['signal', 'timeout'])
    if (timeout !== undefined) finiteNumber('timeout', timeout, Number.MIN_VALUE, MAX_TIMEOUT)
    throwIfAborted(signal, name)
    if (part.length > MAX_PAYLOAD)
      throw new HeadraceError('E_LIMIT', `${name} takes at most ${MAX_PAYLOAD} bytes of a rank, but got ${part.length}`)
    if (this.#failure !== undefined) throw this.#failure
    if (this.#leaving !== undefined)
      throw new HeadraceError('E_STATE', `cannot call ${name}: the communicator of rank ${this.rank} is closed`)
    const sequence = this.#next
    this.#next = (sequence + 1) >>> 0
    if (this.#early.size > 0 && this.#early.delete(sequence) && collective === 'barrier') {
      this.#uplink.call(collective, sequence, part)
      return NOTHING
    }
    return new Promise<Payload>((resolve, reject) => {
      const call: Call = { collective, resolve, reject }
      if (this.#calls.size === 0) this.#hold.set(true)
      this.#calls.set(sequence, call)
      if (timeout !== undefined) call.timer = setTimeout(() => this.#ask(sequence, call), timeout)
      if (signal !== undefined) this.#listen(signal, sequence, call)
      // Behind everything else: where rank 0 comes last, it is answered at once.
      this.#uplink.call(collective, sequence, part)
    })
  }

  #listen(signal: AbortSignal, sequence: number, call: Call): void {
    const onAbort = () => {
      const message = `${nameOf(call.collective)} was cancelled`
      this.#settle(sequence, call).reject(new HeadraceError('E_CANCELLED', message, { cause: signal.reason }))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    call.removeListener = () => signal.removeEventListener('abort', onAbort)
  }

  #ask(sequence: number, call: Call): void {
    call.timer = setTimeout(() => {
      const message = `${nameOf(call.collective)}: rank 0, which brings the ranks together, does not answer`
      this.#settle(sequence, call).reject(new HeadraceError('E_TIMEOUT', message, { ranks: [0] }))
    }, WHO_WAIT)
    this.#uplink.who(sequence)
  }
}
