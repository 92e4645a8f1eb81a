import { nameOf } from '../datasets/name-of.ts'
import type { Dataset } from '../datasets/types.ts'
import { HeadraceError } from '../errors.ts'
import type { Prepared } from './batch-maker.ts'
import { MAX_WINDOW } from './delivery.ts'
import type { SlotClaim } from './slots.ts'
import type { StepFetch } from './step-fetch.ts'

/** Keys that an error about time names. */
const NAMED_KEYS = 5

/** A step that is being made, or is ready. */
export interface Making {
  readonly step: number
  readonly samples: number
  readonly claim: SlotClaim
  readonly fetch: StepFetch
  readonly made: Promise<Prepared>
}

interface Open extends Making {
  settled: boolean
}

/** How many steps may be open at once. What is undefined has no bound. */
export interface AheadBounds {
  /** Steps made or being made, beside the one in use. */
  prefetch: number
  /** Bytes of their slots. */
  readonly bytes: number
  /** Samples of those that are being made. */
  readonly samples: number
  readonly mode: 'ordered' | 'as-completed'
}

/**
 * The steps of an epoch that are made ahead of the one in use. They begin in their order and as far as the bounds allow,
 * one at least; they are given out in their order, or as they become ready.
 */
export class Ahead {
  readonly bounds: AheadBounds
  readonly #steps: Iterator<number>
  readonly #start: (step: number) => Making
  readonly #open: Open[] = []
  /** Of the largest slot until now: what a step that has none yet is taken for. */
  #largest = 0
  #next: number | undefined
  #wake: (() => void) | undefined
  #stopped = false

  constructor(steps: Iterable<number>, bounds: AheadBounds, start: (step: number) => Making) {
    this.#steps = steps[Symbol.iterator]()
    this.bounds = bounds
    this.#start = start
    this.#advance()
  }

  /** Whether every step was given out. */
  get done(): boolean {
    return this.#next === undefined && this.#open.length === 0
  }

  /** Steps that are open, ready or not. */
  get size(): number {
    return this.#open.length
  }

  /** Steps that are ready. */
  get ready(): number {
    return this.#open.filter(({ settled }) => settled).length
  }

  /** What is being made, for who gives it up. */
  get open(): readonly Making[] {
    return this.#open
  }

  /** Whether nothing but a slot that the consumer holds keeps it from the next batch. */
  get hungry(): boolean {
    const wanted = this.bounds.mode === 'ordered' ? this.#open.slice(0, 1) : this.#open
    return wanted.length > 0 && wanted.every(({ claim }) => claim.hungry)
  }

  /** Nothing more begins. */
  stop(): void {
    this.#stopped = true
  }

  /** Begins as many steps as may be. */
  fill(): void {
    while (!this.#stopped && this.#next !== undefined && this.#allows(this.#next)) {
      const making: Open = { ...this.#start(this.#next), settled: false }
      this.#open.push(making)
      const settle = () => {
        making.settled = true
        this.#wake?.()
        this.fill()
      }
      making.made.then(settle, settle)
      making.claim.settled.then(() => this.fill())
      this.#advance()
    }
  }

  /** The step that comes next, or is the first to be ready; it stays open until `take`. */
  async head(): Promise<Making> {
    if (this.bounds.mode === 'ordered') return this.#open[0] as Making
    for (;;) {
      const ready = this.#open.find(({ settled }) => settled)
      if (ready !== undefined) return ready
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  take(making: Making): void {
    const at = this.#open.findIndex(({ step }) => step === making.step)
    if (at >= 0) this.#open.splice(at, 1)
  }

  /** Why the consumer waits. */
  timedOut(timeout: number, dataset: Dataset): HeadraceError {
    const waited = this.bounds.mode === 'ordered' ? this.#open.slice(0, 1) : this.#open.filter((one) => !one.settled)
    const pending = waited.flatMap(({ fetch }) => fetch.pending()).sort((a, b) => b.ms - a.ms)
    const [slowest] = pending
    if (slowest === undefined)
      return new HeadraceError('E_TIMEOUT', `no batch within timeout (${timeout} ms): its samples are being decoded`)
    const named = pending.slice(0, NAMED_KEYS).map(({ id, ms }) => {
      const since = ms === 0 ? 'not begun' : `since ${Math.round(ms)} ms`
      return `${nameOf(dataset, id)} (sample ${id}, ${since})`
    })
    const more = pending.length > named.length ? `, and ${pending.length - named.length} more` : ''
    return new HeadraceError(
      'E_TIMEOUT',
      `no batch within timeout (${timeout} ms): waiting for ${named.join(', ')}${more}`,
      {
        key: nameOf(dataset, slowest.id),
        sample: slowest.id,
      },
    )
  }

  #advance(): void {
    const { value, done } = this.#steps.next()
    this.#next = done === true ? undefined : value
  }

  #allows(step: number): boolean {
    const { prefetch, bytes, samples, mode } = this.bounds
    const [first] = this.#open
    if (first === undefined) return true
    if (this.#open.length >= prefetch) return false
    if (mode === 'as-completed' && step - first.step >= Math.min(prefetch, MAX_WINDOW)) return false
    let heldBytes = 0
    let heldSamples = 0
    for (const { claim, settled, samples: count } of this.#open) {
      this.#largest = Math.max(this.#largest, claim.bytes)
      // Until one is known, one is made alone.
      if (this.#largest === 0 && bytes !== Infinity) return false
      heldBytes += claim.bytes
      if (claim.bytes === 0) heldBytes += this.#largest
      if (!settled) heldSamples += count
    }
    return heldBytes + this.#largest <= bytes && heldSamples + first.samples <= samples
  }
}
