import { nonNegativeInteger, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { Permutation } from './permutation.ts'
import { MAX_WORD } from './random.ts'
import type { Sampler } from './types.ts'

/** Samples 0 .. length-1 in order, every epoch. */
export function sequentialSampler(length: number): Sampler {
  nonNegativeInteger('length', length)
  return {
    length,
    unique: true,
    prepare(epoch) {
      nonNegativeInteger('epoch', epoch, MAX_WORD)
    },
    fill(_epoch, start, out) {
      if (!Number.isSafeInteger(start) || start < 0 || start + out.length > length)
        throw new HeadraceError(
          'E_USAGE',
          `positions must be within 0 .. ${length - 1}, but got ${out.length} from ${show(start)}`,
        )
      for (let i = 0; i < out.length; i++) out[i] = start + i
    },
  }
}

/** Every sample once, in another order each epoch; the order follows from (seed, epoch, length) alone. */
export function randomSampler(length: number, seed: number): Sampler {
  let prepared = 0
  let order = new Permutation(length, seed, prepared)
  function orderOf(epoch: number): Permutation {
    if (epoch !== prepared) {
      order = new Permutation(length, seed, epoch)
      prepared = epoch
    }
    return order
  }
  return {
    length,
    unique: true,
    prepare: (epoch) => void orderOf(epoch),
    fill: (epoch, start, out) => orderOf(epoch).fill(start, out),
  }
}
