import { setImmediate as turn } from 'node:timers/promises'
import { HeadraceError } from '../../../errors.ts'
import { native } from '../../../native.ts'
import type { BatchReader } from './reader.ts'
import { BATCH, BATCH_COLUMNS, type Ring, type Session } from './ring.ts'

/** Where a trainer gets its batches from, in order. */
export interface Feed {
  begin(session: Session): Promise<void>
  /**
   * The numbers of the next batch, by BATCH, when it is there; they stay until the next call. A promise only where
   * something must be waited for.
   */
  take(batch: number): Float64Array | Promise<Float64Array>
  /** A batch that was taken may be overwritten. */
  release(batch: number): void
}

/** ms after which a thread that waits lets its events through: a reader may have died. */
const PATIENCE = 250

function overdue(batch: number, timeout: number, whereabouts: string): HeadraceError {
  return new HeadraceError('E_TIMEOUT', `batch ${batch} did not come within ${timeout / 1000} s: ${whereabouts}`, {
    hint: 'the option timeout sets how long a batch may take',
  })
}

export interface RingFeedOptions {
  readonly ring: Ring
  /** ms that a batch may take. */
  readonly timeout: number
  /** Throws what a reader failed with, if one has. */
  readonly check: () => void
  /** Says what readers are at, for a batch that does not come. */
  readonly whereabouts: () => string
}

/** Batches from reader threads. */
export class RingFeed implements Feed {
  readonly #options: RingFeedOptions
  /** The slot's own are another batch's once it is released. */
  readonly #numbers = new Float64Array(BATCH_COLUMNS)

  constructor(options: RingFeedOptions) {
    this.#options = options
  }

  async begin(session: Session): Promise<void> {
    const { ring, check } = this.#options
    for (;;) {
      const wait = ring.begin(session, native.monotonic() + PATIENCE)
      if (wait === 'ready') return
      if (wait === 'stopped') this.#stopped()
      await turn()
      check()
    }
  }

  take(batch: number): Float64Array | Promise<Float64Array> {
    const { ring } = this.#options
    const start = native.monotonic()
    const wait = ring.take(batch, start + PATIENCE)
    if (wait === 'ready') return this.#numbersOf(batch)
    return this.#takeLate(batch, start)
  }

  release(batch: number): void {
    this.#options.ring.release(batch)
  }

  #numbersOf(batch: number): Float64Array {
    this.#numbers.set(this.#options.ring.numbersOf(batch))
    return this.#numbers
  }

  async #takeLate(batch: number, start: number): Promise<Float64Array> {
    const { ring, timeout, check, whereabouts } = this.#options
    for (;;) {
      // Events of threads come between waits.
      await turn()
      check()
      const wait = ring.take(batch, native.monotonic() + PATIENCE)
      if (wait === 'ready') return this.#numbersOf(batch)
      if (wait === 'stopped') this.#stopped()
      if (native.monotonic() - start > timeout) throw overdue(batch, timeout, whereabouts())
    }
  }

  #stopped(): never {
    this.#options.check()
    throw new HeadraceError('E_CANCELLED', 'the run was stopped')
  }
}

export interface OwnFeedOptions {
  readonly reader: BatchReader
  readonly slot: Uint8Array
  /** ms that a batch may take. */
  readonly timeout: number
  readonly signal: AbortSignal
  /** Says what the reader is at, for a batch that does not come. */
  readonly whereabouts: () => string
}

/** Batches that the trainer's own thread reads, when it needs them. */
export class OwnFeed implements Feed {
  readonly #options: OwnFeedOptions
  readonly #numbers = new Float64Array(BATCH_COLUMNS)
  #session: Session | undefined

  constructor(options: OwnFeedOptions) {
    this.#options = options
  }

  async begin(session: Session): Promise<void> {
    this.#session = session
  }

  async take(batch: number): Promise<Float64Array> {
    if (this.#session === undefined) throw new HeadraceError('E_STATE', 'there is no session to read a batch of')
    const { reader, slot } = this.#options
    await this.#inTime(batch, reader.read(this.#session, batch, slot, this.#numbers))
    this.#numbers[BATCH.ready] = native.monotonic()
    return this.#numbers
  }

  release(): void {}

  /** What is given up goes on until its store is closed, and tells nobody. */
  async #inTime(batch: number, reading: Promise<void>): Promise<void> {
    const { timeout, signal, whereabouts } = this.#options
    let timer: NodeJS.Timeout | undefined
    let onAbort: (() => void) | undefined
    const given = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(overdue(batch, timeout, whereabouts())), timeout)
      onAbort = () => reject(new HeadraceError('E_CANCELLED', 'the run was stopped', { cause: signal.reason }))
      signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      await Promise.race([reading, given])
    } finally {
      reading.catch(() => {})
      clearTimeout(timer)
      if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
    }
  }
}
