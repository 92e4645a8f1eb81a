import { nonNegativeInteger, positiveInteger } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { Permutation } from './permutation.ts'
import { checkPositions, perEpoch } from './positions.ts'
import { Draws, MAX_WORD, viewKey } from './random.ts'
import type { Sampler } from './types.ts'
import { WindowShuffle } from './window-shuffle.ts'

const REPLACEMENT_STREAM = viewKey('replacement\0')

/** Samples 0 .. length-1 in order, every epoch. */
export function sequentialSampler(length: number): Sampler {
  nonNegativeInteger('length', length)
  return {
    length,
    unique: true,
    fingerprint: 'sequential',
    prepare(epoch) {
      nonNegativeInteger('epoch', epoch, MAX_WORD)
    },
    fill(_epoch, start, out) {
      checkPositions(length, start, out.length)
      for (let i = 0; i < out.length; i++) out[i] = start + i
    },
  }
}

/** Every sample once, in another order each epoch; the order follows from (seed, epoch, length) alone. */
export function randomSampler(length: number, seed: number): Sampler {
  const orderOf = perEpoch((epoch) => new Permutation(length, seed, epoch))
  orderOf(0)
  return {
    length,
    unique: true,
    fingerprint: 'random',
    prepare: (epoch) => void orderOf(epoch),
    fill: (epoch, start, out) => orderOf(epoch).fill(start, out),
  }
}

/**
 * `samples` draws an epoch (`length` when absent), each any of `length` samples whatever came before. Draw i is the same
 * number for every `samples`.
 */
export function replacementSampler(length: number, seed: number, samples = length): Sampler {
  nonNegativeInteger('length', length)
  nonNegativeInteger('samples', samples)
  if (length === 0 && samples > 0)
    throw new HeadraceError('E_USAGE', `samples must be 0 where there is nothing to draw from, but got ${samples}`)
  const drawsOf = perEpoch((epoch) => new Draws(seed, epoch, REPLACEMENT_STREAM))
  drawsOf(0)
  return {
    length: samples,
    unique: false,
    fingerprint: 'replacement',
    prepare: (epoch) => void drawsOf(epoch),
    fill(epoch, start, out) {
      checkPositions(samples, start, out.length)
      const draws = drawsOf(epoch)
      for (let i = 0; i < out.length; i++) {
        draws.begin(start + i)
        // Rounding may reach `length` itself from 2^52 samples on.
        out[i] = Math.min(length - 1, Math.floor(draws.at(0) * length))
      }
    },
  }
}

/**
 * Every sample once, shuffled within windows of `window` neighbours whose bounds lie elsewhere each epoch: for sources
 * that are read from first to last. Position p holds one of the samples p - window + 1 .. p + window - 1.
 */
export function windowSampler(length: number, window: number, seed: number): Sampler {
  positiveInteger('window', window)
  const shuffleOf = perEpoch((epoch) => new WindowShuffle(length, window, seed, epoch))
  shuffleOf(0)
  return {
    length,
    unique: true,
    fingerprint: `window ${window}`,
    prepare: (epoch) => void shuffleOf(epoch),
    fill: (epoch, start, out) => shuffleOf(epoch).fill(start, out),
  }
}

/** The first `samples` positions of another sampler's epochs. */
export function firstOf(sampler: Sampler, samples: number): Sampler {
  nonNegativeInteger('samples', samples, sampler.length)
  return {
    ...sampler,
    length: samples,
    fill(epoch, start, out) {
      checkPositions(samples, start, out.length)
      sampler.fill(epoch, start, out)
    },
  }
}
