import { setMaxListeners } from 'node:events'
import * as threads from 'node:worker_threads'
import { HeadraceError } from '../../errors.ts'
import type { CallOptions, DeleteResult, ListEntry, ObjectWriter, Store, Trace, Unlisted } from '../types.ts'
import { failureData, failureOf } from './failure.ts'
import type {
  Answer,
  Batch,
  Bytes,
  Cancel,
  Close,
  FromThread,
  Operation,
  Operations,
  Question,
  Warning,
} from './messages.ts'

/** Entries of a listing that travel together, and ms after which fewer do. */
const ENTRIES = 1000
const PATIENCE = 20
/**
 * To wake the other thread costs more than anything else about an answer. Where answers were sent less than so many ms
 * ago, the next ones wait for each other: for a share of what is under way, or so many ms.
 */
const GATHER = 1
const GATHERED_SHARE = 1 / 4
/** ms between reports of a store that is never idle. */
const REPORT_EVERY = 250

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

type Handlers = {
  readonly [N in Operation]: (
    store: Store,
    asks: Operations[N]['asks'],
    call: CallOptions,
  ) => Promise<Operations[N]['gives']>
}

interface OpenListing {
  readonly entries: AsyncIterator<ListEntry>
  readonly unlisted: Unlisted[]
}

interface OpenWriter {
  readonly writer: ObjectWriter
  readonly trace: Trace
}

/** Node marks memory of addons; before version 21 it copies it instead of refusing it, and has no such function. */
const staysHere: (buffer: ArrayBuffer) => boolean =
  'isMarkedAsUntransferable' in threads && typeof threads.isMarkedAsUntransferable === 'function'
    ? (threads.isMarkedAsUntransferable as (buffer: ArrayBuffer) => boolean)
    : () => false

/** Answers what other threads ask of a store. Answers that are ready at about the same time travel together. */
export class Desk {
  readonly #opening: Promise<Store>
  readonly #memory: Uint8Array
  /** ms to add to a time of this thread to get one of the other. */
  readonly #offset: number
  readonly #port: threads.MessagePort
  readonly #controllers = new Map<number, AbortController>()
  readonly #listings = new Map<number, OpenListing>()
  readonly #writers = new Map<number, OpenWriter>()
  readonly #underWay = new Set<Promise<void>>()
  #answers: Answer[] = []
  #moved: ArrayBuffer[] = []
  #warnings: Warning[] = []
  #scheduled = false
  #timer: NodeJS.Timeout | undefined
  #sent = 0
  #store: Store | undefined
  #reported = 0

  constructor(opening: Promise<Store>, memory: Uint8Array, offset: number, port: threads.MessagePort) {
    this.#opening = opening
    this.#memory = memory
    this.#offset = offset
    this.#port = port
    // Each call has the failure for an answer.
    opening.then(
      (store) => {
        this.#store = store
      },
      () => {},
    )
  }

  take(message: Question | Cancel | Close): void {
    if (message === 'close') void this.#close()
    else if ('cancel' in message) this.#controllers.get(message.cancel)?.abort(failureOf(message.reason))
    else {
      const done = this.#answer(message)
      this.#underWay.add(done)
      void done.then(() => this.#underWay.delete(done))
    }
  }

  warn({ message, name, ...rest }: Error): void {
    const { code } = rest as NodeJS.ErrnoException
    this.#warnings.push({ message, type: name, ...(code !== undefined && { code }) })
    this.#schedule()
  }

  async #answer<N extends Operation>({ id, does, asks, trace, scope }: Question<N>): Promise<void> {
    const call: Mutable<CallOptions> = {}
    if (scope !== undefined) call.signal = this.#signalOf(scope)
    if (trace !== undefined) call.trace = trace
    let answer: Mutable<Answer>
    try {
      const gives = await (this.#handlers[does] as Handlers[N])(this.#store ?? (await this.#opening), asks, call)
      answer = { id, gives }
    } catch (error) {
      answer = { id, failure: failureData(error) }
    }
    if (trace !== undefined) answer.trace = this.#timed(trace)
    // What was to be opened is not there to be ended later.
    if (scope !== undefined && (scope === id || answer.failure !== undefined)) this.#controllers.delete(scope)
    this.#answers.push(answer)
    this.#schedule()
  }

  readonly #handlers: Handlers = {
    head: (store, { key }, call) => store.head(key, call),
    get: async (store, { key, into, ...rest }, call) => {
      const options = { ...call, ...rest }
      const body = await store.get(key, into === undefined ? options : { ...options, into: this.#bytes(into) })
      if (body === undefined) return undefined
      return { info: body.info, bytes: into === undefined ? this.#handOver(body.data) : body.data.length }
    },
    put: (store, { key, body, options }, call) => store.put(key, this.#bytes(body), { ...options, ...call }),
    copy: (store, { from, to, options }, call) => {
      if (store.copy === undefined) throw new HeadraceError('E_UNSUPPORTED', `${store.url} cannot copy`)
      return store.copy(from, to, { ...options, ...call })
    },
    delete: async (store, { keys }, call) => {
      const items: Mutable<Operations['delete']['gives']['items'][number]>[] = []
      const told = ({ key, error }: DeleteResult) =>
        items.push(error === undefined ? { key } : { key, error: failureData(error) })
      try {
        for await (const result of store.delete(keys, call)) told(result)
        return { items, unlisted: [], done: true }
      } catch (error) {
        return { items, unlisted: [], done: true, failure: failureData(error) }
      }
    },
    list: (store, { of, prefix, options, tellUnlisted }, call) => {
      const unlisted: Unlisted[] = []
      const onUnlisted = (found: Unlisted) => void unlisted.push(found)
      const listing = store.list(prefix, { ...options, ...call, ...(tellUnlisted && { onUnlisted }) })
      this.#listings.set(of, { entries: listing[Symbol.asyncIterator](), unlisted })
      return this.#batch(of)
    },
    next: (_, { of }) => this.#batch(of),
    leave: async (_, { of }) => {
      const listing = this.#listings.get(of)
      this.#end(of)
      await listing?.entries.return?.()
      return undefined
    },
    writer: async (store, { of, key, options }, { signal }) => {
      const trace: Trace = {}
      this.#writers.set(of, { trace, writer: store.writer(key, { ...options, trace, ...(signal && { signal }) }) })
      return undefined
    },
    write: async (_, { of, chunk }) => {
      await this.#writer(of).writer.write(this.#bytes(chunk))
      return undefined
    },
    close: async (_, { of }) => {
      const { writer, trace } = this.#writer(of)
      try {
        return { info: await writer.close(), trace: this.#timed(trace) }
      } finally {
        this.#end(of)
      }
    },
    abort: async (_, { of }) => {
      const open = this.#writers.get(of)
      this.#end(of)
      await open?.writer.abort()
      return undefined
    },
  }

  #bytes(bytes: Bytes): Uint8Array {
    return ArrayBuffer.isView(bytes) ? bytes : this.#memory.subarray(bytes.at, bytes.at + bytes.length)
  }

  #writer(of: number): OpenWriter {
    const open = this.#writers.get(of)
    if (open === undefined) throw new HeadraceError('E_STATE', 'the writer is closed, aborted, or failed')
    return open
  }

  /** Memory goes over whole, or what is needed of it is copied. */
  #handOver(data: Uint8Array): Uint8Array {
    const whole =
      data.buffer instanceof ArrayBuffer && data.length === data.buffer.byteLength && !staysHere(data.buffer)
    const own = whole ? data : new Uint8Array(data)
    this.#moved.push(own.buffer as ArrayBuffer)
    return new Uint8Array(own.buffer)
  }

  async #batch(of: number): Promise<Batch<ListEntry>> {
    const listing = this.#listings.get(of)
    const items: ListEntry[] = []
    if (listing === undefined) return { items, unlisted: [], done: true }
    const { entries, unlisted } = listing
    const start = performance.now()
    let done = false
    let failed: Pick<Batch<ListEntry>, 'failure'> = {}
    try {
      while (!done && items.length < ENTRIES && (items.length === 0 || performance.now() - start < PATIENCE)) {
        const next = await entries.next()
        if (next.done === true) done = true
        else items.push(next.value)
      }
    } catch (error) {
      failed = { failure: failureData(error) }
      done = true
    }
    if (done) this.#end(of)
    return { items, unlisted: unlisted.splice(0), done, ...failed }
  }

  #signalOf(scope: number): AbortSignal {
    let controller = this.#controllers.get(scope)
    if (controller === undefined) {
      controller = new AbortController()
      // Parts that are under way listen too.
      setMaxListeners(0, controller.signal)
      this.#controllers.set(scope, controller)
    }
    return controller.signal
  }

  #end(of: number): void {
    this.#listings.delete(of)
    this.#writers.delete(of)
    this.#controllers.delete(of)
  }

  #timed(trace: Trace): Trace {
    return trace.firstByte === undefined ? trace : { ...trace, firstByte: trace.firstByte + this.#offset }
  }

  /** Behind everything that this turn of the event loop finds to read. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.#answers.length + this.#warnings.length === 0) return
      const enough = this.#answers.length >= GATHERED_SHARE * this.#underWay.size
      if (enough || performance.now() - this.#sent > GATHER) this.#send()
      else this.#timer ??= setTimeout(() => this.#send(), GATHER)
    })
  }

  #send(closed?: true): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#sent = performance.now()
    const [answers, moved, warnings] = [this.#answers, this.#moved, this.#warnings]
    this.#answers = []
    this.#moved = []
    this.#warnings = []
    const rest = {
      ...(warnings.length > 0 && { warnings }),
      ...this.#report(),
      ...(closed && { closed }),
    }
    try {
      this.#port.postMessage({ answers, ...rest } satisfies FromThread, moved)
    } catch (error) {
      // Something in it is no plain data: a store that is not ours.
      const failure = failureData(new HeadraceError('E_STATE', `the answer cannot leave its thread: ${error}`))
      this.#port.postMessage({ answers: answers.map(({ id }) => ({ id, failure })), ...rest } satisfies FromThread)
    }
  }

  #report(): Pick<FromThread, 'report'> {
    const now = performance.now()
    if (this.#store?.report === undefined) return {}
    if (this.#underWay.size > 0 && now - this.#reported < REPORT_EVERY) return {}
    this.#reported = now
    return { report: this.#store.report() }
  }

  /** What is under way fails as the store says. */
  async #close(): Promise<void> {
    try {
      await (await this.#opening).close()
    } catch {
      // Each call that it failed for knows.
    }
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    this.#send(true)
  }
}
