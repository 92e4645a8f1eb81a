import type { Dataset, ReadOptions, Sample, Schema } from '../datasets/types.ts'
import { type ErrorCode, isHeadraceError, throwIfAborted } from '../errors.ts'

/** What a loader asks of a dataset that is read in order lies within so many samples of what it asked for last. */
export function reachOf(settings: {
  readonly window: number
  readonly prefetch: number
  /** How far prefetch may be moved. */
  readonly tune?: { readonly maxPrefetch: number } | undefined
  readonly batchSize: number
  readonly worldSize: number
}): number {
  const ahead = Math.max(settings.prefetch, settings.tune?.maxPrefetch ?? 0)
  // Two windows: the one being delivered, and the one that the furthest batch ahead lies in.
  return 2 * settings.window + (ahead + 1) * settings.batchSize * settings.worldSize
}

/** What is wrong with a sample, and not with the source. */
const OF_SAMPLE: readonly ErrorCode[] = ['E_CORRUPT', 'E_UNSUPPORTED', 'E_LIMIT', 'E_CHECKSUM']

/** A sample, or what is wrong with it. */
type Kept = { readonly sample: Sample } | { readonly error: unknown }

/**
 * A dataset without random access, read from first to last, for a loader that asks in another order: samples that were
 * passed on the way are kept while they may still be asked for, `reach` of them at most. A sample before those has the
 * source begin anew, as the next epoch does. One read at a time, in the order of the questions.
 */
export class OrderedReads implements Dataset {
  readonly randomAccess = false
  readonly length: number | undefined
  readonly schema: Schema
  readonly fingerprint: string
  readonly maxSize?: (field: string) => number
  readonly #source: Dataset
  readonly #reach: number
  readonly #kept = new Map<number, Kept>()
  /** The id that is read next. */
  #next = 0
  /** No id below it is kept. */
  #first = 0
  #turn: Promise<unknown> = Promise.resolve()

  constructor(source: Dataset, reach: number) {
    this.length = source.length
    this.schema = source.schema
    this.fingerprint = source.fingerprint
    if (source.maxSize !== undefined) this.maxSize = source.maxSize.bind(source)
    this.#source = source
    this.#reach = reach
  }

  describe(id: number): string {
    return this.#source.describe(id)
  }

  read(id: number, options: ReadOptions = {}): Promise<Sample> {
    const answer = this.#turn.then(() => this.#reached(id, options))
    this.#turn = answer.catch(() => {})
    return answer
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  async #reached(id: number, options: ReadOptions): Promise<Sample> {
    throwIfAborted(options.signal, 'loading')
    if (id < this.#next && !this.#kept.has(id)) this.#rewind()
    while (this.#next <= id) {
      this.#kept.set(this.#next, await this.#readOn(options))
      this.#next++
      for (; this.#first < this.#next - this.#reach; this.#first++) this.#kept.delete(this.#first)
    }
    const kept = this.#kept.get(id) as Kept
    if ('error' in kept) throw kept.error
    return kept.sample
  }

  /** What is wrong with a sample is found once. Anything else is thrown, and the sample asked for anew the next time. */
  async #readOn(options: ReadOptions): Promise<Kept> {
    try {
      return { sample: await this.#source.read(this.#next, options) }
    } catch (error) {
      if (isHeadraceError(error) && OF_SAMPLE.includes(error.code)) return { error }
      throw error
    }
  }

  #rewind(): void {
    this.#kept.clear()
    this.#next = 0
    this.#first = 0
  }
}
