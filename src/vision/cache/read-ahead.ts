import type { BuildSource, Cursor } from './build-source.ts'
import { ImageIntake } from './intake.ts'
import type { BuildSettings } from './options.ts'
import { type PreparedSample, prepareSample } from './prepare.ts'
import type { Frequencies } from './rans-table.ts'

/** Samples that are read at once: enough to hide the latency of small files, few enough to stay in order cheaply. */
const READS_AHEAD = 64
/** What a sample is taken to be until the source or the samples before it say better. */
const EXPECTED_BYTES = 1024 * 1024

/**
 * Reads and prepares samples ahead of their turn, and hands them out in order. What is ahead is bounded by a number
 * and by `windowBytes`; a sample that is larger than that is ahead alone.
 */
export class ReadAhead {
  readonly #source: BuildSource
  readonly #cursor: Cursor
  readonly #intake: ImageIntake
  readonly #windowBytes: number
  readonly #queue: Promise<PreparedSample | undefined>[] = []
  #next: number
  #ended = false
  #held = 0
  #typical = EXPECTED_BYTES

  constructor(source: BuildSource, from: number, settings: BuildSettings, frequencies: Frequencies) {
    this.#source = source
    this.#cursor = source.cursor(from)
    this.#intake = new ImageIntake(settings, frequencies)
    this.#windowBytes = settings.windowBytes
    this.#next = from
  }

  /** The next sample in order; undefined after the last. */
  async next(): Promise<PreparedSample | undefined> {
    for (;;) {
      while (this.#mayStart()) this.#start()
      const prepared = await this.#queue.shift()
      if (prepared !== undefined) {
        this.#held -= prepared.heldBytes
        return prepared
      }
      this.#ended = true
      if (this.#queue.length === 0) return undefined
    }
  }

  /** Waits for what is at work: nothing may still be when files are closed. */
  async close(): Promise<void> {
    this.#ended = true
    await Promise.allSettled(this.#queue)
    await this.#cursor.close()
  }

  #mayStart(): boolean {
    if (this.#ended || this.#queue.length >= READS_AHEAD) return false
    return this.#queue.length === 0 || this.#held + this.#expected() <= this.#windowBytes
  }

  #expected(): number {
    return this.#source.expectedBytes(this.#next) ?? this.#typical
  }

  #start(): void {
    // at first what the sample is expected to take, then what it takes
    const claim = this.#expected()
    this.#held += claim
    const prepared = prepareSample(this.#next++, this.#cursor.next(), this.#source, this.#intake).then((sample) => {
      const bytes = sample?.heldBytes ?? 0
      this.#held += bytes - claim
      this.#typical = Math.max(this.#typical, bytes)
      return sample
    })
    this.#queue.push(prepared)
  }
}
