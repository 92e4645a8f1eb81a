import { threadId } from 'node:worker_threads'
import { knownOptions, nonNegativeInteger, show } from '../../checks.ts'
import { HeadraceError, isHeadraceError } from '../../errors.ts'
import type { OpName, OpRecord, OpSink } from '../oplog/types.ts'
import type { CallOptions, DeleteResult, ObjectInfo, ObjectWriter, Store, Trace } from '../types.ts'
import { copiesFrom, layer } from './layer.ts'

export interface MeasureOptions {
  /** Number of the worker or thread that its records name; Node's thread id. */
  readonly worker?: number
  /** Name of the client process, for logs that are read together. */
  readonly client?: string
}

/**
 * The same store, giving every operation that ended to `sink`, failed ones too. First byte and endpoint are those that
 * the store inside saw. A listing and a delete of several keys are one record each, that of a listing with its entries
 * counted: its time is what was waited for, not what the caller did between two entries. What goes through a writer is
 * one PUT, from its first write to the end of its close. An operation waits for the sink where that is behind. There
 * is no `localPath`, for nobody sees what is read from a mapped file. `close` leaves the sink open.
 */
export function measured(store: Store, sink: OpSink, options: MeasureOptions = {}): Store {
  knownOptions('measured', options, ['worker', 'client'])
  const { worker = threadId, client } = options
  nonNegativeInteger('worker', worker)
  if (client !== undefined && (typeof client !== 'string' || client === ''))
    throw new HeadraceError('E_USAGE', `client must be a name, but got ${show(client)}`)
  const meter = new Meter(store.url, sink, worker, client)
  const { copy, createContainer, deleteContainer, listContainers } = store
  const { localPath: _, ...seen } = layer(store, store.spec, {
    head: (key, call) => meter.run({ op: 'HEAD', key }, call, (traced) => store.head(key, traced)),
    get: (key, call) => {
      const range = call?.range
      const about = range === undefined ? { op: 'GET', key } : { op: 'GET_RANGE', key, offset: range.offset }
      return meter.run(
        about,
        call,
        (traced) => store.get(key, traced),
        (body) => body?.data.length ?? 0,
      )
    },
    put: (key, body, call) =>
      meter.run(
        { op: 'PUT', key },
        call,
        (traced) => store.put(key, body, traced),
        () => body.length,
      ),
    writer: (key, call) => {
      const traced = withTrace(call)
      return new MeasuredWriter(store.writer(key, traced), meter, key, traced.trace, call?.trace)
    },
    list: (prefix, call) => meter.iterate({ op: 'LIST', key: prefix }, call, (traced) => store.list(prefix, traced)),
    delete: (keys, call) => meter.deletes(keys, call, (counted, traced) => store.delete(counted, traced)),
    copy:
      copy &&
      ((from, to, call) => meter.run({ op: 'COPY', key: to }, call, (traced) => copy.call(store, from, to, traced))),
    copyFrom: copiesFrom(
      store,
      (across) => (from, to, call) => meter.run({ op: 'COPY', key: to }, call, (traced) => across(from, to, traced)),
    ),
    createContainer:
      createContainer &&
      ((call) => meter.run({ op: 'CREATE_CONTAINER' }, call, (traced) => createContainer.call(store, traced))),
    deleteContainer:
      deleteContainer &&
      ((call) => meter.run({ op: 'DELETE_CONTAINER' }, call, (traced) => deleteContainer.call(store, traced))),
    listContainers:
      listContainers &&
      ((call) => meter.iterate({ op: 'LIST_CONTAINERS' }, call, (traced) => listContainers.call(store, traced))),
  })
  return seen
}

interface About {
  readonly op: OpName | (string & {})
  readonly key?: string
  readonly offset?: number
}

interface Ended {
  readonly objects: number
  readonly bytes: number
  readonly error?: unknown
  /** Milliseconds of `performance.now()`. */
  readonly start: number
  readonly end: number
  readonly trace: Trace
}

class Meter {
  readonly #url: string
  readonly #sink: OpSink
  readonly #worker: number
  readonly #client: string | undefined
  #behind: Promise<void> | undefined

  constructor(url: string, sink: OpSink, worker: number, client: string | undefined) {
    this.#url = url
    this.#sink = sink
    this.#worker = worker
    this.#client = client
  }

  async run<T, C extends CallOptions>(
    about: About,
    call: C | undefined,
    run: (traced: C) => Promise<T>,
    bytesOf: (result: T) => number = () => 0,
  ): Promise<T> {
    if (this.#behind !== undefined) await this.#behind
    const traced = withTrace(call)
    const { trace } = traced
    const start = performance.now()
    let result: T
    try {
      result = await run(traced)
    } catch (error) {
      this.record(about, { objects: 1, bytes: 0, error, start, end: performance.now(), trace })
      throw error
    } finally {
      if (call?.trace !== undefined) Object.assign(call.trace, trace)
    }
    this.record(about, { objects: 1, bytes: bytesOf(result), start, end: performance.now(), trace })
    return result
  }

  async *iterate<T, C extends CallOptions>(
    about: About,
    call: C | undefined,
    open: (traced: C) => AsyncIterable<T>,
    failureOf: (entry: T) => unknown = () => undefined,
    objectsOf: (entries: number) => { readonly op: About['op']; readonly key: string } | undefined = () => undefined,
  ): AsyncGenerator<T> {
    if (this.#behind !== undefined) await this.#behind
    const traced = withTrace(call)
    const { trace } = traced
    const start = performance.now()
    let waited = 0
    let objects = 0
    let firstByte: number | undefined
    let error: unknown
    const entries = open(traced)[Symbol.asyncIterator]()
    const timed = async () => {
      const before = performance.now()
      try {
        return await entries.next()
      } finally {
        waited += performance.now() - before
        firstByte ??= trace.firstByte
      }
    }
    try {
      for (let next = await timed(); next.done !== true; next = await timed()) {
        objects++
        error ??= failureOf(next.value)
        yield next.value
      }
    } catch (failure) {
      error = failure
      throw failure
    } finally {
      await entries.return?.()
      if (call?.trace !== undefined) Object.assign(call.trace, trace)
      const first = firstByte === undefined ? {} : { firstByte }
      const { firstByte: _, ...rest } = trace
      const told = { ...about, ...objectsOf(objects) }
      this.record(told, { objects, bytes: 0, error, start, end: start + waited, trace: { ...rest, ...first } })
    }
  }

  deletes(
    keys: Iterable<string>,
    call: CallOptions | undefined,
    open: (counted: Iterable<string>, traced: CallOptions) => AsyncIterable<DeleteResult>,
  ): AsyncGenerator<DeleteResult> {
    let first = ''
    let count = 0
    function* counted(): Generator<string> {
      for (const key of keys) {
        if (count++ === 0) first = key
        yield key
      }
    }
    return this.iterate(
      { op: 'DELETE_BATCH' },
      call,
      (traced) => open(counted(), traced),
      ({ error }) => error,
      () => ({ op: count === 1 ? 'DELETE' : 'DELETE_BATCH', key: first }),
    )
  }

  record({ op, key = '', offset }: About, { objects, bytes, error, start, end, trace }: Ended): void {
    const origin = performance.timeOrigin
    const record: OpRecord = {
      worker: this.#worker,
      op,
      objects,
      bytes,
      endpoint: trace.endpoint ?? '',
      url: key === '' ? this.#url : `${this.#url.replace(/\/$/, '')}/${key}`,
      ...(offset !== undefined && { offset }),
      ...(this.#client !== undefined && { client: this.#client }),
      ...(error !== undefined && { error: reasonOf(error) }),
      start: origin + start,
      ...(trace.firstByte !== undefined && { firstByte: origin + trace.firstByte }),
      end: origin + end,
    }
    try {
      const behind = this.#sink.record(record)
      if (behind !== undefined) this.#wait(behind)
    } catch (failure) {
      this.#wait(Promise.reject(failure))
    }
  }

  /** The operation that is over is not undone by a log that fails: the next one is not begun. */
  #wait(behind: Promise<void>): void {
    this.#behind = behind.then(() => {
      this.#behind = undefined
    })
    this.#behind.catch(() => {})
  }
}

/** With a trace of our own: in one that the caller uses again there may be old news. */
function withTrace<C extends CallOptions>(call: C | undefined): C & { readonly trace: Trace } {
  return { ...call, trace: {} } as C & { readonly trace: Trace }
}

/** One line. */
function reasonOf(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, ' ')
  return isHeadraceError(error) ? `${error.code}: ${message}` : message
}

class MeasuredWriter implements ObjectWriter {
  readonly #writer: ObjectWriter
  readonly #meter: Meter
  readonly #key: string
  readonly #trace: Trace
  readonly #callersTrace: Trace | undefined
  #start: number | undefined
  #bytes = 0
  #over = false

  constructor(writer: ObjectWriter, meter: Meter, key: string, trace: Trace, callersTrace: Trace | undefined) {
    this.#callersTrace = callersTrace
    this.#writer = writer
    this.#meter = meter
    this.#key = key
    this.#trace = trace
  }

  write(chunk: Uint8Array): Promise<void> {
    this.#bytes += chunk.length
    return this.#watched(this.#writer.write(chunk))
  }

  async close(): Promise<ObjectInfo> {
    const info = await this.#watched(this.#writer.close())
    this.#end(this.#bytes, undefined)
    return info
  }

  async abort(): Promise<void> {
    await this.#writer.abort()
    if (this.#start !== undefined) this.#end(0, 'aborted')
  }

  async #watched<T>(step: Promise<T>): Promise<T> {
    this.#start ??= performance.now()
    try {
      return await step
    } catch (error) {
      this.#end(0, error)
      throw error
    }
  }

  #end(bytes: number, error: unknown): void {
    if (this.#over) return
    this.#over = true
    const end = performance.now()
    if (this.#callersTrace !== undefined) Object.assign(this.#callersTrace, this.#trace)
    const ended = { objects: 1, bytes, error, start: this.#start ?? end, end, trace: this.#trace }
    this.#meter.record({ op: 'PUT', key: this.#key }, ended)
  }
}
