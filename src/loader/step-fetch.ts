import { setMaxListeners } from 'node:events'
import type { Placement, RowFailure, SampleReader } from './reader.ts'
import { RowClock } from './row-clock.ts'

/** A sample that is being waited for. */
export interface PendingSample {
  readonly id: number
  /** Since when it is read, milliseconds; 0: it waits for its turn. */
  readonly ms: number
}

interface Reading {
  readonly ids: Float64Array
  readonly clock: RowClock
}

/** What is read for one step: by whom, how far it is, and how to end it. */
export class StepFetch {
  readonly #reader: SampleReader
  readonly #parent: AbortSignal
  readonly #stop = new AbortController()
  readonly #onAbort: () => void
  readonly #readings = new Set<Reading>()

  constructor(reader: SampleReader, parent: AbortSignal) {
    this.#reader = reader
    this.#parent = parent
    // Every row listens.
    setMaxListeners(0, this.#stop.signal)
    this.#onAbort = () => this.#stop.abort(parent.reason)
    if (parent.aborted) this.#onAbort()
    else parent.addEventListener('abort', this.#onAbort, { once: true })
  }

  async read(ids: Float64Array, fields: readonly string[]): ReturnType<SampleReader['read']> {
    return this.#during(ids, (clock) => this.#reader.read({ ids, clock, stop: this.#stop }, fields))
  }

  async readInto(place: Omit<Placement, 'clock' | 'stop'>): Promise<readonly RowFailure[]> {
    return this.#during(place.ids, (clock) => this.#reader.readInto({ ...place, clock, stop: this.#stop }))
  }

  /** Why it was ended, where it was. */
  get reason(): unknown {
    return this.#stop.signal.aborted ? this.#stop.signal.reason : undefined
  }

  /** Samples that are not there yet, the slowest first. */
  pending(): PendingSample[] {
    return [...this.#readings]
      .flatMap(({ ids, clock }) => clock.pending().map(({ row, ms }) => ({ id: ids[row] as number, ms })))
      .sort((a, b) => b.ms - a.ms)
  }

  /** Nothing more is read. */
  close(): void {
    this.#parent.removeEventListener('abort', this.#onAbort)
  }

  async #during<T>(ids: Float64Array, read: (clock: RowClock) => Promise<T>): Promise<T> {
    const reading = { ids, clock: new RowClock(ids.length) }
    this.#readings.add(reading)
    try {
      return await read(reading.clock)
    } finally {
      this.#readings.delete(reading)
    }
  }
}
