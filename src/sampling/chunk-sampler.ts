import { createHash } from 'node:crypto'
import { nonNegativeInteger, positiveInteger, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { Permutation } from './permutation.ts'
import { perEpoch } from './positions.ts'
import { viewKey } from './random.ts'
import type { Sampler } from './types.ts'
import { WindowShuffle } from './window-shuffle.ts'

const CHUNK_STREAM = viewKey('chunks\0')

/** Runs of neighbouring samples that are cheap to read together. */
export interface ChunkBounds {
  readonly count: number
  /** The first id of a chunk, ascending from 0; of `count` the number of samples. */
  start(chunk: number): number
}

function startsOf(chunks: ChunkBounds): Float64Array {
  const count = nonNegativeInteger('chunks.count', chunks.count)
  const starts = new Float64Array(count + 1)
  for (let chunk = 0; chunk <= count; chunk++) {
    const start = chunks.start(chunk)
    const before = chunk === 0 ? 0 : (starts[chunk - 1] as number)
    if (!Number.isSafeInteger(start) || start < before || (chunk === 0 && start !== 0))
      throw new HeadraceError(
        'E_USAGE',
        chunk === 0
          ? `chunks.start(0) must be 0, but got ${show(start)}`
          : `chunks.start(${chunk}) must be an integer of ${before} or more, but got ${show(start)}`,
      )
    starts[chunk] = start
  }
  return starts
}

/** The chunks of one epoch, one behind the other in an order of their own. */
class ChunkOrder {
  readonly #starts: Float64Array
  readonly #order: Float64Array
  /** The position at which the chunk at each place begins. */
  readonly #places: Float64Array

  constructor(starts: Float64Array, seed: number, epoch: number) {
    const count = starts.length - 1
    this.#starts = starts
    this.#order = new Float64Array(count)
    new Permutation(count, seed, epoch, CHUNK_STREAM).fill(0, this.#order)
    this.#places = new Float64Array(count + 1)
    for (let place = 0; place < count; place++) {
      const chunk = this.#order[place] as number
      const size = (starts[chunk + 1] as number) - (starts[chunk] as number)
      this.#places[place + 1] = (this.#places[place] as number) + size
    }
  }

  idAt(position: number): number {
    const places = this.#places
    // The last place that begins at or before the position: behind any empty chunks there.
    let low = 0
    let high = this.#order.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((places[middle] as number) <= position) low = middle
      else high = middle
    }
    return (this.#starts[this.#order[low] as number] as number) + position - (places[low] as number)
  }
}

/**
 * Every sample once: chunks in random order, one behind the other, and samples shuffled within windows of `window` of
 * that sequence. About window / chunk size + 1 chunks are in use at a time.
 */
export function chunkSampler(chunks: ChunkBounds, window: number, seed: number): Sampler {
  const starts = startsOf(chunks)
  const length = starts.at(-1) as number
  positiveInteger('window', window)
  const hash = createHash('sha256').update(new Uint8Array(starts.buffer)).digest('hex').slice(0, 32)
  const epochOf = perEpoch((epoch) => ({
    chunks: new ChunkOrder(starts, seed, epoch),
    windows: new WindowShuffle(length, window, seed, epoch),
  }))
  epochOf(0)
  return {
    length,
    unique: true,
    fingerprint: `chunks ${hash} window ${window}`,
    prepare: (epoch) => void epochOf(epoch),
    fill(epoch, start, out) {
      const order = epochOf(epoch)
      order.windows.fill(start, out)
      for (let i = 0; i < out.length; i++) out[i] = order.chunks.idAt(out[i] as number)
    },
  }
}
