import { performance } from 'node:perf_hooks'
import type { TuneBounds } from './flow-options.ts'

export type Knob = 'prefetch' | 'inflight' | 'workers'

/** A change that `autoTune` made, and why. */
export interface TuneMove {
  readonly epoch: number
  /** The step that was delivered last before it. */
  readonly step: number
  readonly knob: Knob
  readonly from: number
  readonly to: number
  readonly reason: string
}

/** What can be seen of a pipeline, and moved. */
export interface Tunable {
  get(knob: Knob): number
  set(knob: Knob, value: number): void
  /** Milliseconds in which samples waited for others to be read. */
  queuedMs(): number
  /** How busy the threads that read were since this was asked last, 0..1. */
  busy(): number
  /** Steps that are made and not delivered. */
  ready(): number
}

/** What one delivery tells. */
export interface DeliveryTimes {
  readonly epoch: number
  readonly step: number
  readonly samples: number
  /** Milliseconds that the consumer waited for it. */
  readonly waited: number
}

/** A rate is of so many steps, and of so many milliseconds at least: shorter ones are noise. */
const STEPS = 8
const SPAN = 400
/** Steps that were under way when something was moved tell nothing about it. */
const SETTLE_STEPS = 2
/** Of a span, what the consumer must wait for anything to be moved. */
const WAITS = 0.05
/** Threads that are busy for more than this have no time to ask for more. */
const BUSY = 0.85
/** A move that gains less goes back. */
const GAIN = 1.03
/** A knob whose move did not help is left alone for so many spans; each time twice as long. */
const REST = 12
/** Of a span, how long samples must wait for their turn before more of them are read at once. */
const QUEUED = 0.05

interface Span {
  steps: number
  samples: number
  waited: number
  /** `queuedMs` when it began. */
  readonly queued: number
  start: number
}

/** Moves that are judged together, by the rate before the first of them. */
interface Trial {
  readonly changes: readonly { readonly knob: Knob; readonly from: number }[]
  readonly rate: number
}

interface Choice {
  readonly knob: Knob
  readonly to: number
  readonly reason: string
}

/**
 * Looks at where a step waits and moves one thing at a time: more workers where the threads that read are busy, more
 * samples at once where some wait for their turn, more steps ahead where none does. What gains nothing is taken back.
 */
export class Tuner {
  readonly moves: TuneMove[] = []
  readonly #pipeline: Tunable
  readonly #bounds: Required<TuneBounds>
  readonly #log: (move: TuneMove) => void
  readonly #rest = new Map<Knob, number>()
  readonly #failed = new Map<Knob, number>()
  #span: Span | undefined
  /** When the step before was delivered. */
  #before = 0
  #begins = false
  #settling = SETTLE_STEPS
  #spans = 0
  #trial: Trial | undefined

  constructor(pipeline: Tunable, bounds: Required<TuneBounds>, log: (move: TuneMove) => void) {
    this.#pipeline = pipeline
    this.#bounds = bounds
    this.#log = log
  }

  /** An epoch begins: the time until its first step is no step's. */
  begin(): void {
    this.#begins = true
  }

  delivered(times: DeliveryTimes): void {
    const now = performance.now()
    const gap = now - this.#before
    this.#before = now
    if (this.#begins) {
      this.#begins = false
      if (this.#span !== undefined) this.#span.start += gap
      return
    }
    if (this.#settling > 0) {
      if (--this.#settling > 0) return
      this.#open()
      return
    }
    const span = this.#span
    if (span === undefined) return
    span.steps++
    span.samples += times.samples
    span.waited += times.waited
    const ms = now - span.start
    if (span.steps < STEPS || ms < SPAN) return
    this.#spans++
    this.#judge(times, span, ms)
  }

  #judge(times: DeliveryTimes, span: Span, ms: number): void {
    const rate = (1000 * span.samples) / ms
    const waits = span.waited / ms
    const trial = this.#trial
    const gained = trial === undefined || rate >= trial.rate * GAIN
    this.#trial = undefined
    const queued = (this.#pipeline.queuedMs() - span.queued) / ms
    const choices = waits < WAITS ? [] : this.#choices(waits, queued)
    if (gained) {
      const choice = choices.find((one) => this.#spans >= (this.#rest.get(one.knob) ?? 0))
      if (choice === undefined) this.#restart(0)
      else this.#try(times, { changes: [], rate }, choice)
      return
    }
    // Two may be needed together: requests for the steps ahead, and steps ahead for the requests.
    const [next] = choices
    if (next !== undefined && trial.changes.length === 1 && next.knob !== trial.changes[0]?.knob) {
      this.#try(times, trial, next)
      return
    }
    const reason = `${show(rate)} samples/s are no gain over ${show(trial.rate)}`
    for (const { knob, from } of trial.changes) {
      const failed = this.#failed.get(knob) ?? 0
      this.#failed.set(knob, failed + 1)
      this.#rest.set(knob, this.#spans + REST * 2 ** failed)
      this.#move(times, knob, from, reason)
    }
  }

  /** What could be moved next, the likeliest first. */
  #choices(waits: number, queued: number): readonly Choice[] {
    const { maxPrefetch, maxInflight, maxWorkers } = this.#bounds
    const most: Readonly<Record<Knob, number>> = { prefetch: maxPrefetch, inflight: maxInflight, workers: maxWorkers }
    const busy = this.#pipeline.busy()
    const waited = `the consumer waits ${percent(waits)} of the time`
    const reasons: Readonly<Record<Knob, string>> = {
      workers: `${waited}, threads that read are busy ${percent(busy)}`,
      inflight: `${waited}, samples wait for their turn in ${percent(queued)} of it`,
      prefetch: `${waited}, samples of the steps ahead wait for their turn in ${percent(queued)} of it`,
    }
    const order: readonly Knob[] =
      busy > BUSY
        ? ['workers', 'inflight', 'prefetch']
        : queued > 0.5
          ? ['inflight', 'prefetch', 'workers']
          : ['prefetch', 'inflight', 'workers']
    return order.flatMap((knob) => {
      const from = this.#pipeline.get(knob)
      const to = Math.min(most[knob], knob === 'workers' ? from + 1 : from * 2)
      const helps = knob !== 'inflight' || queued > QUEUED
      return to > from && helps ? [{ knob, to, reason: reasons[knob] }] : []
    })
  }

  #try(times: DeliveryTimes, { changes, rate }: Trial, { knob, to, reason }: Choice): void {
    this.#trial = { changes: [...changes, { knob, from: this.#pipeline.get(knob) }], rate }
    this.#move(times, knob, to, reason)
  }

  #move({ epoch, step }: DeliveryTimes, knob: Knob, to: number, reason: string): void {
    const move = { epoch, step, knob, from: this.#pipeline.get(knob), to, reason }
    this.#pipeline.set(knob, to)
    this.moves.push(move)
    this.#log(move)
    // What was ready before was made before.
    this.#restart(SETTLE_STEPS + this.#pipeline.ready())
  }

  #restart(settling: number): void {
    this.#settling = settling
    this.#span = undefined
    if (settling > 0) return
    this.#open()
  }

  #open(): void {
    this.#pipeline.busy()
    this.#span = { steps: 0, samples: 0, waited: 0, queued: this.#pipeline.queuedMs(), start: performance.now() }
  }
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}

function show(rate: number): string {
  return rate.toPrecision(3)
}
