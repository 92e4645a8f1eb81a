import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { finiteNumber, knownOptions, nonNegativeInteger, positiveInteger, progressOption } from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { Histogram, type Percentiles, percentilesOf } from '../../histogram.ts'
import { NoiseBody } from '../../noise.ts'
import type { Store, Trace } from '../types.ts'
import { planReplay, type ReplayPlan, type ReplayPlanOptions, type ReplayStep, replaySteps } from './plan.ts'
import { OpLogReader } from './reader.ts'
import { type OpLogSummary, OpLogTotals } from './summary.ts'
import type { OpRecord, OpSink } from './types.ts'

/** 64 MiB: larger objects are written piece by piece. */
const WHOLE = 64 * 2 ** 20
/** 8 MiB. */
const PIECE = 8 * 2 ** 20
/** 1 GiB: operations wait for each other rather than to have more bytes in memory. */
const MAX_BYTES = 2 ** 30
/** ms; more than 2^31 would be none at all. */
const MAX_TIMER = 1e9
/** 256 MiB of bodies are kept to be used again. */
const KEPT_BYTES = 256 * 2 ** 20

export interface ReplayOptions extends ReplayPlanOptions {
  /** How many times as fast as the log; 'max' as fast as it goes. 1. */
  readonly speed?: number | 'max'
  /** Operations under way at once; 64. */
  readonly concurrency?: number
  /** Of what bodies are made of; 0. */
  readonly seed?: number
  /** Also gets a record of every operation. */
  readonly sink?: OpSink
  readonly onProgress?: (progress: ReplayProgress) => void
}

export interface ReplayProgress {
  readonly doing: 'preparing' | 'replaying'
  readonly done: number
  readonly total: number
}

export interface ReplayReport {
  readonly plan: Omit<ReplayPlan, 'prepared'>
  /** Objects that were made before. */
  readonly prepared: number
  readonly speed: number | 'max'
  readonly concurrency: number
  readonly seconds: number
  /** Seconds from first to last start as they should have been; null for 'max'. */
  readonly plannedSeconds: number | null
  /** Milliseconds that operations began after their time; null for 'max'. */
  readonly latenessMs: Percentiles | null
  readonly summary: OpLogSummary
}

const OPTIONS = ['ops', 'strip', 'prepare', 'speed', 'concurrency', 'seed', 'sink', 'signal', 'onProgress'] as const

const now = () => performance.timeOrigin + performance.now()

/** Bodies that no other operation has at the moment. */
class Bodies {
  readonly #seed: number
  #free: NoiseBody[] = []
  #kept = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  take(size: number): NoiseBody {
    const at = this.#free.findIndex((body) => body.size >= size)
    if (at < 0) return new NoiseBody(2 ** Math.ceil(Math.log2(Math.max(size, 4096))), this.#seed)
    const [body] = this.#free.splice(at, 1)
    this.#kept -= (body as NoiseBody).size
    return body as NoiseBody
  }

  give(body: NoiseBody): void {
    if (this.#kept + body.size > KEPT_BYTES) return
    this.#kept += body.size
    this.#free.push(body)
  }
}

async function put(
  store: Store,
  key: string,
  size: number,
  number: number,
  bodies: Bodies,
  options: { signal?: AbortSignal; trace?: Trace },
) {
  const body = bodies.take(Math.min(size, size > WHOLE ? PIECE : size))
  try {
    if (size <= WHOLE) {
      await store.put(key, body.body(number, size), options)
      return
    }
    const writer = store.writer(key, { ...options, size })
    try {
      for (let at = 0; at < size; at += PIECE)
        // Pieces of one object differ, too.
        await writer.write(body.body(number * 65_536 + at / PIECE, Math.min(PIECE, size - at)))
      await writer.close()
    } catch (error) {
      await writer.abort()
      throw error
    }
  } finally {
    bodies.give(body)
  }
}

function absent(key: string): HeadraceError {
  return new HeadraceError('E_NOT_FOUND', `${key} is not there`, { key })
}

/** Keys of a delete of several: a log names the first; the others have its name with a number, and are not there. */
function* deletedKeys(key: string, count: number): Generator<string> {
  yield key
  for (let i = 1; i < count; i++) yield `${key}~${i}`
}

/** Does one operation; gives the objects and bytes that it was about. */
async function carryOut(
  step: ReplayStep,
  store: Store,
  number: number,
  bodies: Bodies,
  options: { signal?: AbortSignal; trace: Trace },
): Promise<{ readonly objects: number; readonly bytes: number }> {
  const { action, key } = step
  switch (action) {
    case 'get': {
      const body = await store.get(key, step.range === undefined ? options : { ...options, range: step.range })
      if (body === undefined) throw absent(key)
      return { objects: 1, bytes: body.data.length }
    }
    case 'put':
      await put(store, key, step.bytes, number, bodies, options)
      return { objects: 1, bytes: step.bytes }
    case 'head':
      if ((await store.head(key, options)) === undefined) throw absent(key)
      return { objects: 1, bytes: 0 }
    case 'list': {
      let objects = 0
      for await (const _ of store.list(key, options)) if (++objects === step.objects) break
      return { objects, bytes: 0 }
    }
    case 'delete': {
      let objects = 0
      for await (const { error } of store.delete(deletedKeys(key, step.objects), options)) {
        if (error !== undefined) throw error
        objects++
      }
      return { objects, bytes: 0 }
    }
  }
}

/** Lets `count` through at once, with no more than MAX_BYTES between them. */
class Gate {
  readonly #count: number
  #running = 0
  #bytes = 0
  #opened: (() => void)[] = []

  constructor(count: number) {
    this.#count = count
  }

  async enter(bytes: number): Promise<void> {
    while (this.#running >= this.#count || (this.#running > 0 && this.#bytes + bytes > MAX_BYTES)) await this.change()
    this.#running++
    this.#bytes += bytes
  }

  leave(bytes: number): void {
    this.#running--
    this.#bytes -= bytes
    const opened = this.#opened
    this.#opened = []
    for (const resolve of opened) resolve()
  }

  change(): Promise<void> {
    return new Promise((resolve) => this.#opened.push(resolve))
  }

  async empty(): Promise<void> {
    while (this.#running > 0) await this.change()
  }
}

/** Makes what is not there, or is too small; gives how many that were. */
async function prepareObjects(
  store: Store,
  objects: ReadonlyMap<string, number>,
  gate: Gate,
  bodies: Bodies,
  options: { signal?: AbortSignal },
  onDone: (done: number) => void,
): Promise<number> {
  let number = 0
  let done = 0
  let made = 0
  let failure: unknown
  for (const [key, size] of objects) {
    const bytes = Math.min(size, WHOLE)
    await gate.enter(bytes)
    if (failure !== undefined) {
      gate.leave(bytes)
      break
    }
    const ours = number++
    const one = async () => {
      const found = await store.head(key, options)
      if (found !== undefined && found.size >= size) return
      await put(store, key, size, ours, bodies, options)
      made++
    }
    one()
      .then(() => onDone(++done))
      .catch((error: unknown) => {
        failure ??= error
      })
      .finally(() => gate.leave(bytes))
  }
  await gate.empty()
  if (failure !== undefined) throw failure
  return made
}

/** Until then, in milliseconds of `performance.now()`; timers come up to a millisecond late. */
async function until(due: number, signal: AbortSignal | undefined): Promise<void> {
  for (let wait = due - performance.now(); wait >= 0.5; wait = due - performance.now())
    await sleep(Math.min(wait, MAX_TIMER), undefined, signal === undefined ? {} : { signal }).catch(() =>
      throwIfAborted(signal, 'the replay'),
    )
}

/**
 * Does what a log says again, at a store, at the times that the log has between operations. Failures of operations are
 * counted, not thrown. E_CANCELLED when the signal fires. What PUT and DELETE of the log name is overwritten and deleted.
 */
export async function replayOpLog(path: string, store: Store, options: ReplayOptions = {}): Promise<ReplayReport> {
  knownOptions('replaying', options, OPTIONS)
  const { signal, sink } = options
  const speed = options.speed === 'max' ? 'max' : finiteNumber('speed', options.speed ?? 1, 1e-3, 1e6)
  const concurrency = positiveInteger('concurrency', options.concurrency ?? 64, 65_536)
  const seed = nonNegativeInteger('seed', options.seed ?? 0)
  const onProgress = progressOption(options.onProgress)
  const reader = new OpLogReader(path)
  const { prepared, ...plan } = await planReplay(reader, options)
  const total = Object.values(plan.operations).reduce((sum, count) => sum + count, 0)

  const gate = new Gate(concurrency)
  const bodies = new Bodies(seed)
  const abortable = signal === undefined ? {} : { signal }
  const made =
    prepared === undefined
      ? 0
      : await prepareObjects(store, prepared, gate, bodies, abortable, (done) =>
          onProgress?.({ doing: 'preparing', done, total: prepared.size }),
        )

  const totals = new OpLogTotals()
  const lateness = new Histogram()
  let failure: unknown
  let done = 0
  let number = 0
  const run = async (step: ReplayStep, index: number) => {
    const trace: Trace = {}
    const begun = { index, worker: 0, op: step.op, url: `${store.url}/${step.key}`, start: now() }
    let outcome: Pick<OpRecord, 'objects' | 'bytes' | 'error'>
    try {
      outcome = await carryOut(step, store, index, bodies, { ...abortable, trace })
    } catch (error) {
      if (signal?.aborted) return
      const code = error instanceof HeadraceError ? error.code : 'E_SERVER'
      outcome = { objects: 0, bytes: 0, error: `${code}: ${error instanceof Error ? error.message : String(error)}` }
    }
    const record: OpRecord = {
      ...begun,
      ...outcome,
      endpoint: trace.endpoint ?? '',
      ...(trace.firstByte === undefined ? {} : { firstByte: performance.timeOrigin + trace.firstByte }),
      ...(step.range === undefined ? {} : { offset: step.range.offset }),
      end: now(),
    }
    totals.add(record)
    await sink?.record(record)
    onProgress?.({ doing: 'replaying', done: ++done, total })
  }

  const begun = performance.now()
  try {
    for await (const steps of replaySteps(reader, plan, options)) {
      // Stores in memory never let a timer or a signal through.
      await turn()
      for (const step of steps) {
        const due = speed === 'max' ? undefined : begun + step.at / speed
        if (due !== undefined) await until(due, signal)
        const bytes = Math.min(step.bytes, step.action === 'put' ? WHOLE : step.bytes)
        await gate.enter(bytes)
        if (due !== undefined) lateness.record(performance.now() - due)
        run(step, number++)
          .catch((error: unknown) => {
            failure ??= error
          })
          .finally(() => gate.leave(bytes))
        throwIfAborted(signal, 'the replay')
        if (failure !== undefined) throw failure
      }
    }
  } finally {
    await gate.empty()
  }
  throwIfAborted(signal, 'the replay')
  if (failure !== undefined) throw failure
  return {
    plan,
    prepared: made,
    speed,
    concurrency,
    seconds: (performance.now() - begun) / 1000,
    plannedSeconds: speed === 'max' ? null : plan.seconds / speed,
    latenessMs: percentilesOf(lateness) ?? null,
    summary: totals.summary(),
  }
}
