import { nonNegativeInteger } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { AliasTable } from './alias-table.ts'
import { exponentialOrder } from './exponential-order.ts'
import { checkPositions, perEpoch } from './positions.ts'
import { Draws, viewKey } from './random.ts'
import type { Sampler } from './types.ts'
import { checkWeights, type Weights } from './weights.ts'

const WEIGHTED_STREAM = viewKey('weighted\0')
const EXPONENTIAL_STREAM = viewKey('exponential\0')

export interface WeightedSamplerOptions {
  readonly seed: number
  /** True: each draw is any sample, whatever came before. False: none comes twice, and those of weight 0 never. */
  readonly replacement: boolean
  /** Draws an epoch. As many as there are samples; without replacement, as there are weights above 0. */
  readonly samples?: number | undefined
}

/**
 * Samples by weight: `weights[id]` is how likely a draw is `id`, against the others. E_USAGE where a weight is negative,
 * infinite or not a number, where all are 0, and where `samples` is more than can be drawn.
 */
export function weightedSampler(weights: ArrayLike<number>, options: WeightedSamplerOptions): Sampler {
  nonNegativeInteger('seed', options.seed)
  const checked = checkWeights(weights)
  return options.replacement ? withReplacement(checked, options) : withoutReplacement(checked, options)
}

function withReplacement(
  { values, hash }: Weights,
  { seed, samples = values.length }: WeightedSamplerOptions,
): Sampler {
  nonNegativeInteger('samples', samples)
  if (values.length === 0 && samples > 0)
    throw new HeadraceError('E_USAGE', `samples must be 0 where there is nothing to draw from, but got ${samples}`)
  const table = new AliasTable(values)
  const drawsOf = perEpoch((epoch) => new Draws(seed, epoch, WEIGHTED_STREAM))
  drawsOf(0)
  return {
    length: samples,
    unique: false,
    fingerprint: `weighted ${hash} with replacement`,
    prepare: (epoch) => void drawsOf(epoch),
    fill(epoch, start, out) {
      checkPositions(samples, start, out.length)
      const draws = drawsOf(epoch)
      for (let i = 0; i < out.length; i++) {
        draws.begin(start + i)
        out[i] = table.at(draws.at(0), draws.at(1))
      }
    },
  }
}

function withoutReplacement(
  { values, positive, hash }: Weights,
  { seed, samples = positive }: WeightedSamplerOptions,
): Sampler {
  nonNegativeInteger('samples', samples)
  if (samples > positive)
    throw new HeadraceError(
      'E_USAGE',
      `samples must be at most the ${positive} weights above 0 without replacement, but got ${samples}`,
    )
  const orderOf = perEpoch((epoch) => exponentialOrder(values, positive, { seed, epoch, stream: EXPONENTIAL_STREAM }))
  return {
    length: samples,
    unique: true,
    fingerprint: `weighted ${hash}`,
    prepare: (epoch) => void orderOf(epoch),
    fill(epoch, start, out) {
      checkPositions(samples, start, out.length)
      out.set(orderOf(epoch).subarray(start, start + out.length))
    },
  }
}
