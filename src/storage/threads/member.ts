import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import type { CallOptions, Trace } from '../types.ts'
import { failureData, failureOf } from './failure.ts'
import type { Cancel, Close, FromThread, Operation, Operations, Question, ThreadData } from './messages.ts'

/** ms that a thread has for closing its store. */
const GRACE = 5_000

/** Also from the sources, which tests run: threads run compiled code. */
function script(): string {
  const { resolve } = createRequire(import.meta.url)
  return join(dirname(resolve('headrace/package.json')), 'dist', 'storage', 'threads', 'thread.js')
}

interface Waiting {
  readonly resolve: (gives: never) => void
  readonly reject: (error: unknown) => void
  readonly signal: AbortSignal | undefined
  readonly trace: Trace | undefined
  readonly onAbort: (() => void) | undefined
}

export interface MemberReport {
  /** Calls that ended, and those of them that failed. */
  readonly calls: number
  readonly failed: number
  /** Now. */
  readonly active: number
  /** What the thread's own store reported last. */
  readonly store?: object
}

/** A worker thread with a store of its own. Calls that are made at about the same time travel together. */
export class ThreadMember {
  readonly #worker: Worker
  readonly #url: string
  readonly #waiting = new Map<number, Waiting>()
  readonly #onEnd: () => void
  #queue: (Question | Cancel | Close)[] = []
  #last = 0
  /** What is open, which counts as busy. */
  #open = 0
  #calls = 0
  #failed = 0
  #report: object | undefined
  #failure: Error | undefined
  #closing: Promise<void> | undefined
  #onClosed: (() => void) | undefined

  /** `onEnd`: the thread is gone, and no memory is touched by it any more. */
  constructor(url: string, data: ThreadData, onEnd: () => void) {
    this.#url = url
    this.#onEnd = onEnd
    this.#worker = new Worker(script(), { workerData: data })
    this.#worker.unref()
    this.#worker.on('message', (message: FromThread) => this.#take(message))
    this.#worker.on('messageerror', (error) => {
      this.#failure ??= error
      void this.#worker.terminate()
    })
    this.#worker.on('error', (error) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error))
    })
    this.#worker.on('exit', (code) => this.#ended(code))
  }

  /** How busy it is. */
  get load(): number {
    return this.#waiting.size + this.#open
  }

  /** Whether it takes no more calls. */
  get gone(): boolean {
    return this.#failure !== undefined || this.#closing !== undefined
  }

  report(): MemberReport {
    const report = { calls: this.#calls, failed: this.#failed, active: this.#waiting.size }
    return this.#report === undefined ? report : { ...report, store: this.#report }
  }

  /** A name for something that is opened with later calls. Followed by one `leave`. */
  enter(): number {
    this.#open++
    return ++this.#last
  }

  leave(): void {
    this.#open--
  }

  /** `opens`: what the signal is for, where that is more than this call; the caller passes on its end then. */
  call<N extends Operation>(
    does: N,
    asks: Operations[N]['asks'],
    { signal, trace }: CallOptions = {},
    opens?: number,
  ): Promise<Operations[N]['gives']> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal, does)
      if (this.gone) throw this.#gone()
      const id = ++this.#last
      let onAbort: (() => void) | undefined
      if (signal !== undefined && opens === undefined) {
        onAbort = () => this.cancel(id, signal)
        signal.addEventListener('abort', onAbort, { once: true })
      }
      if (this.#waiting.size === 0) this.#worker.ref()
      this.#waiting.set(id, { resolve, reject, signal, trace, onAbort })
      this.#post({
        id,
        does,
        asks,
        ...(trace && { trace: { ...trace } }),
        ...(signal && { scope: opens ?? id }),
      })
    })
  }

  cancel(scope: number, { reason }: AbortSignal): void {
    this.#post({ cancel: scope, reason: failureData(reason) })
  }

  /** Closes its store, which fails what is under way, and ends the thread. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    this.#worker.ref()
    const closed = new Promise<void>((resolve) => {
      this.#onClosed = resolve
    })
    const late = setTimeout(() => this.#onClosed?.(), GRACE)
    this.#post('close')
    await closed
    clearTimeout(late)
    await this.#worker.terminate()
  }

  #post(message: Question | Cancel | Close): void {
    // After all that the present turn makes callers ask for.
    if (this.#queue.push(message) === 1) process.nextTick(() => this.#send())
  }

  #send(): void {
    const queue = this.#queue
    this.#queue = []
    try {
      this.#worker.postMessage(queue)
    } catch {
      for (const message of queue) this.#sendAlone(message)
    }
  }

  #sendAlone(message: Question | Cancel | Close): void {
    try {
      this.#worker.postMessage([message])
    } catch (cause) {
      if (typeof message === 'string' || 'cancel' in message) return
      this.#settle(message.id)?.reject(
        new HeadraceError(
          'E_USAGE',
          `${message.does} was given what is no plain data and cannot go to another thread`,
          {
            cause,
          },
        ),
      )
    }
  }

  #take({ answers, warnings = [], report, closed }: FromThread): void {
    if (report !== undefined) this.#report = report
    for (const { message, type, code } of warnings) process.emitWarning(message, { type, ...(code && { code }) })
    for (const { id, gives, failure, trace } of answers) {
      const waiting = this.#settle(id)
      if (waiting === undefined) continue
      if (waiting.trace !== undefined) Object.assign(waiting.trace, trace)
      if (failure === undefined) waiting.resolve(gives as never)
      else {
        this.#failed++
        waiting.reject(errorOf(failure, waiting.signal))
      }
    }
    if (closed) this.#onClosed?.()
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return undefined
    this.#waiting.delete(id)
    this.#calls++
    if (waiting.onAbort !== undefined) waiting.signal?.removeEventListener('abort', waiting.onAbort)
    if (this.#waiting.size === 0 && this.#closing === undefined) this.#worker.unref()
    return waiting
  }

  #ended(code: number): void {
    this.#failure ??= new Error(`it ended with ${code}`)
    this.#onClosed?.()
    this.#onEnd()
    for (const id of [...this.#waiting.keys()]) {
      this.#failed++
      this.#settle(id)?.reject(this.#gone())
    }
  }

  #gone(): HeadraceError {
    const url = this.#url
    if (this.#closing !== undefined) return new HeadraceError('E_STATE', `${url} is closed`, { url })
    const cause = this.#failure
    return new HeadraceError('E_SERVER', `a worker thread of ${url} has died: ${cause?.message}`, { url, cause })
  }
}

/** A cancelled call has the caller's own reason. */
export function errorOf(failure: NonNullable<FromThread['answers'][number]['failure']>, signal?: AbortSignal): Error {
  const error = failureOf(failure)
  if (!(error instanceof HeadraceError) || error.code !== 'E_CANCELLED' || !signal?.aborted) return error
  return new HeadraceError('E_CANCELLED', error.message, { ...error.details, cause: signal.reason })
}
