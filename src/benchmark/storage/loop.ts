import { setMaxListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { HeadraceError } from '../../errors.ts'
import { Histogram, type HistogramData } from '../../histogram.ts'
import { NoiseBody } from '../../noise.ts'
import { Permutation } from '../../sampling/permutation.ts'
import type { OpSink } from '../../storage/oplog/types.ts'
import type { CallOptions, GetOptions, Store, Trace } from '../../storage/types.ts'
import { Grace } from './grace.ts'
import { keyOf } from './object-names.ts'
import type { LoopPlan } from './types.ts'

/** ms. Stores in memory never let a timer or a signal through unless every slot makes room now and then. */
const TURN = 20
/** ms that a slot waits after a failure: a server that refuses everything is not stormed. */
const AFTER_FAILURE = 10
/** Ids of a shuffle that are drawn together. */
const DRAWN = 1024

type Kind = 'get' | 'put' | 'list' | 'delete' | 'head'

const LOGGED: Readonly<Record<Kind, string>> = { get: 'GET', put: 'PUT', list: 'LIST', delete: 'DELETE', head: 'HEAD' }

/** 45 % gets, 15 % puts, 10 % deletes, 30 % heads. Deletes take what puts have made. */
const MIX: readonly Kind[] =
  'put get head get delete get head get put head get head get put get head delete get head get'.split(' ') as Kind[]

/** Of one thread, as plain data. */
export interface LoopResult {
  readonly ops: number
  readonly bytes: number
  /** Milliseconds. */
  readonly latency: HistogramData
  readonly firstByte: HistogramData
  readonly errors: Readonly<Record<string, number>>
  /** Seconds. */
  readonly seconds: number
}

/** Of one operation at a time: what it needs is made once. */
interface Slot {
  /** Of all slots of all threads. */
  readonly number: number
  readonly call: CallOptions & { readonly trace: Trace }
  readonly put: CallOptions
  readonly get: GetOptions
  readonly body: NoiseBody | undefined
  turned: number
  /** Of a mix: operations, and objects that were put and deleted. */
  done: number
  puts: number
  deleted: number
}

/** Does the same operation over and over, a few at a time. What is measured must cost more than measuring it. */
export class Loop {
  readonly #store: Store
  readonly #plan: LoopPlan
  readonly #sink: OpSink | undefined
  readonly #slots: readonly Slot[]
  /** Turns that were taken, by the kinds that count objects. */
  #reads = 0
  #writes = 0
  #order: Permutation | undefined
  readonly #drawn: Float64Array
  readonly #abort = new AbortController()
  readonly #grace = new Grace(this.#abort.signal)

  constructor(store: Store, plan: LoopPlan, sink: OpSink | undefined) {
    this.#store = store
    this.#plan = plan
    this.#sink = sink
    // A listener an operation, gone with it.
    setMaxListeners(0, this.#abort.signal, this.#grace.signal)
    const { op, size, concurrency, workers, worker, seed } = plan
    const reads = op === 'get' || op === 'mixed'
    const writes = op === 'put' || op === 'mixed'
    this.#drawn = new Float64Array(Math.min(DRAWN, plan.objects))
    this.#slots = Array.from({ length: concurrency }, (_, i) => {
      const call = { trace: { firstByte: 0, endpoint: '' }, signal: this.#abort.signal }
      return {
        number: worker + workers * i,
        call,
        put: { ...call, signal: this.#grace.signal },
        get: reads ? { ...call, into: new Uint8Array(size) } : call,
        body: writes ? new NoiseBody(size, seed) : undefined,
        turned: 0,
        done: 0,
        puts: 0,
        deleted: 0,
      }
    })
  }

  /** Ends a run at once: what is under way is cancelled, but for puts, which may end. There are no runs after it. */
  stop(): void {
    this.#abort.abort()
  }

  /** `logged`: whether the sink gets records of it. Failures are counted; only what the sink cannot take is thrown. */
  async run(seconds: number, logged: boolean): Promise<LoopResult> {
    const sink = logged ? this.#sink : undefined
    const tally = {
      ops: 0,
      bytes: 0,
      latency: new Histogram(),
      firstByte: new Histogram(),
      errors: new Map<string, number>(),
    }
    const start = performance.now()
    const deadline = start + seconds * 1000
    // All of them are waited for, also if one throws: nothing goes on behind the back of who cleans up.
    const ends = await Promise.allSettled(this.#slots.map((slot) => this.#drive(slot, deadline, tally, sink)))
    if (this.#abort.signal.aborted) this.#grace.end()
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    return {
      ops: tally.ops,
      bytes: tally.bytes,
      latency: tally.latency.data(),
      firstByte: tally.firstByte.data(),
      errors: Object.fromEntries(tally.errors),
      seconds: (performance.now() - start) / 1000,
    }
  }

  async #drive(slot: Slot, deadline: number, tally: Tally, sink: OpSink | undefined): Promise<void> {
    const { trace } = slot.call
    for (let last = performance.now(); last < deadline && !this.#abort.signal.aborted; ) {
      const kind = this.#kindOf(slot)
      const number = this.#numberOf(kind, slot)
      if (number === undefined) return
      const key = kind === 'list' ? this.#plan.folder : keyOf(this.#plan.folder, number)
      const body = kind === 'put' ? slot.body?.body(this.#bodyNumber(slot), this.#plan.size) : undefined
      slot.done++
      trace.firstByte = 0
      trace.endpoint = ''
      const start = performance.now()
      let objects = 0
      let error: unknown
      try {
        objects = await this.#perform(kind, key, number, slot, body)
      } catch (thrown) {
        error = thrown ?? new Error('unknown')
      }
      const end = performance.now()
      last = end
      const { firstByte = 0, endpoint = '' } = trace
      const moved = error === undefined && (kind === 'get' || kind === 'put') ? this.#plan.size : 0
      if (error === undefined) {
        tally.ops++
        tally.bytes += moved
        tally.latency.record(end - start)
        if (firstByte > 0) tally.firstByte.record(firstByte - start)
      } else {
        const code = codeOf(error)
        tally.errors.set(code, (tally.errors.get(code) ?? 0) + 1)
      }
      if (sink !== undefined) {
        const behind = sink.record({
          worker: this.#plan.worker,
          op: kind === 'delete' && this.#plan.batch > 1 ? 'DELETE_BATCH' : LOGGED[kind],
          objects,
          bytes: moved,
          endpoint,
          url: `${this.#store.url}/${key}`,
          start: performance.timeOrigin + start,
          ...(firstByte > 0 ? { firstByte: performance.timeOrigin + firstByte } : {}),
          end: performance.timeOrigin + end,
          ...(error === undefined ? {} : { error: `${codeOf(error)}: ${messageOf(error)}` }),
        })
        if (behind !== undefined) await behind
      }
      if (error !== undefined) await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE))
      else if (end - slot.turned > TURN) {
        await turn()
        slot.turned = performance.now()
      }
    }
  }

  #kindOf(slot: Slot): Kind {
    const { op } = this.#plan
    if (op !== 'mixed') return op
    const kind = MIX[(slot.done + slot.number * 7) % MIX.length] as Kind
    return kind === 'delete' && slot.deleted >= slot.puts ? 'put' : kind
  }

  /** Which object; undefined where there is none left. */
  #numberOf(kind: Kind, slot: Slot): number | undefined {
    const { op, objects, workers, worker, concurrency, batch } = this.#plan
    if (kind === 'list') return 0
    if (kind === 'get' || kind === 'head') return this.#nextRead()
    if (op === 'mixed') {
      const turns = kind === 'put' ? slot.puts++ : slot.deleted++
      // Behind what is read, each slot on its own track.
      return objects + slot.number + turns * workers * concurrency
    }
    const turns = this.#writes++
    const number = (worker + workers * turns) * (op === 'delete' ? batch : 1)
    if (op === 'delete') return number < objects ? number : undefined
    return number % objects
  }

  #bodyNumber(slot: Slot): number {
    return slot.number + slot.done * 2 ** 20
  }

  /** Every object once, shuffled, then again in another order; every thread for itself. */
  #nextRead(): number {
    const { objects, seed, worker } = this.#plan
    const at = this.#reads % objects
    const epoch = Math.floor(this.#reads / objects)
    if (at === 0) this.#order = new Permutation(objects, seed, epoch, worker)
    const within = at % this.#drawn.length
    if (within === 0) this.#order?.fill(at, this.#drawn.subarray(0, Math.min(this.#drawn.length, objects - at)))
    this.#reads++
    return this.#drawn[within] as number
  }

  /** Gives how many objects it was about. */
  async #perform(kind: Kind, key: string, number: number, slot: Slot, body: Uint8Array | undefined): Promise<number> {
    const store = this.#store
    const { size, objects, batch, folder } = this.#plan
    switch (kind) {
      case 'get': {
        const read = await store.get(key, slot.get)
        if (read === undefined) throw absent(key)
        if (read.data.length !== size)
          throw new HeadraceError('E_CORRUPT', `${key} has ${read.data.length} bytes, not ${size}`, { key })
        return 1
      }
      case 'put':
        if (body !== undefined) await store.put(key, body, slot.put)
        return 1
      case 'head':
        if ((await store.head(key, slot.call)) === undefined) throw absent(key)
        return 1
      case 'list': {
        let count = 0
        for await (const _ of store.list(key, slot.call)) count++
        return count
      }
      case 'delete': {
        const count = this.#plan.op === 'mixed' ? 1 : Math.min(batch, objects - number)
        const keys = count === 1 ? [key] : Array.from({ length: count }, (_, i) => keyOf(folder, number + i))
        for await (const { error } of store.delete(keys, slot.call)) if (error !== undefined) throw error
        return count
      }
    }
  }
}

interface Tally {
  ops: number
  bytes: number
  readonly latency: Histogram
  readonly firstByte: Histogram
  readonly errors: Map<string, number>
}

function absent(key: string): HeadraceError {
  return new HeadraceError('E_NOT_FOUND', `${key} is not there`, { key })
}

function codeOf(error: unknown): string {
  return error instanceof HeadraceError ? error.code : 'E_SERVER'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
