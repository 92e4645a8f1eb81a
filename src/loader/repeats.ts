import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { Sampler } from '../sampling/types.ts'

/** Ids that are asked of the sampler at once. */
const CHUNK = 65_536

/** How often each position's sample came before in its epoch. */
export interface Repeats {
  /** Of the ids at positions start .. start + ids.length - 1, which may pass the end of the sequence. */
  fill(start: number, ids: Float64Array, out: Uint32Array): void
}

/** Every sample comes once in the sequence: a position past its end is a repeat, and no other. */
export function roundsOf({ length }: Sampler): Repeats {
  return {
    fill(start, ids, out) {
      for (let i = 0; i < ids.length; i++) out[i] = Math.floor((start + i) / length)
    },
  }
}

/**
 * Counts, for a sampler that may give a sample several times in an epoch: four bytes a sample of the dataset. It goes
 * through the positions in their order, those of other ranks included, so that the next step costs no more than a step;
 * where one goes on in the middle of an epoch, what comes before is gone through first.
 */
export class CountedRepeats implements Repeats {
  readonly #sampler: Sampler
  readonly #epoch: number
  readonly #counts: Uint32Array
  #position = 0

  constructor(sampler: Sampler, epoch: number, samples: number) {
    this.#sampler = sampler
    this.#epoch = epoch
    this.#counts = new Uint32Array(samples)
  }

  /** E_USAGE for ids that are none. Positions only grow. */
  fill(start: number, ids: Float64Array, out: Uint32Array): void {
    const { length } = this.#sampler
    const chunk = new Float64Array(Math.min(CHUNK, start - this.#position))
    while (this.#position < start) {
      const within = this.#position % length
      const some = chunk.subarray(0, Math.min(CHUNK, start - this.#position, length - within))
      this.#sampler.fill(this.#epoch, within, some)
      for (const id of some) this.#count(id)
      this.#position += some.length
    }
    for (const [i, id] of ids.entries()) out[i] = this.#count(id)
    this.#position += ids.length
  }

  #count(id: number): number {
    const before = this.#counts[id]
    if (before === undefined)
      throw new HeadraceError(
        'E_USAGE',
        `the sampler's ids must be integers from 0 to ${this.#counts.length - 1}, but got ${show(id)}`,
      )
    this.#counts[id] = before + 1
    return before
  }
}
