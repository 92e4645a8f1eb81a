import { Draws } from '../../../sampling/random.ts'
import type { Distribution } from '../types.ts'

/**
 * Times that a workload wants to be drawn. A draw is a pure function of (seed, epoch, stream, number): what ranks and
 * threads there are does not matter.
 */
export class Times {
  readonly #distribution: Distribution
  readonly #draws: Draws

  constructor(distribution: Distribution, seed: number, epoch: number, stream: number) {
    this.#distribution = distribution
    this.#draws = new Draws(seed, epoch, stream)
  }

  /** Seconds, 0 or more. */
  at(number: number): number {
    const { type } = this.#distribution
    if (type === 'constant') return Math.abs(this.#distribution.value)
    this.#draws.begin(number)
    return Math.abs(draw(this.#distribution, this.#draws))
  }
}

/** Whether every draw is 0. */
export function isZero(distribution: Distribution): boolean {
  switch (distribution.type) {
    case 'constant':
      return distribution.value === 0
    case 'normal':
      return distribution.mean === 0 && distribution.stdev === 0
    case 'uniform':
      return distribution.min === 0 && distribution.max === 0
    case 'gamma':
    case 'exponential':
      return distribution.scale === 0
    case 'poisson':
      return distribution.lam === 0
  }
}

/** Of the distribution itself; a draw's absolute value is a little more where it can be negative. */
export function meanOf(distribution: Distribution): number {
  switch (distribution.type) {
    case 'constant':
      return distribution.value
    case 'normal':
      return distribution.mean
    case 'uniform':
      return (distribution.min + distribution.max) / 2
    case 'gamma':
      return distribution.shape * distribution.scale
    case 'exponential':
      return distribution.scale
    case 'poisson':
      return distribution.lam
  }
}

function draw(distribution: Exclude<Distribution, { type: 'constant' }>, draws: Draws): number {
  switch (distribution.type) {
    case 'normal':
      return distribution.mean + distribution.stdev * standardNormal(draws, 0)
    case 'uniform':
      return distribution.min + (distribution.max - distribution.min) * draws.at(0)
    case 'exponential':
      return -distribution.scale * Math.log(1 - draws.at(0))
    case 'gamma':
      return distribution.scale * standardGamma(distribution.shape, draws)
    case 'poisson':
      return poisson(distribution.lam, draws)
  }
}

/** Box and Muller, from two draws. */
function standardNormal(draws: Draws, first: number): number {
  return Math.sqrt(-2 * Math.log(1 - draws.at(first))) * Math.cos(2 * Math.PI * draws.at(first + 1))
}

/** Marsaglia and Tsang 2000; below a shape of 1 by one more draw. */
function standardGamma(shape: number, draws: Draws): number {
  if (shape <= 0) return 0
  if (shape < 1) return standardGamma(shape + 1, draws) * (1 - draws.at(0xffffffff)) ** (1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (let at = 0; ; at += 3) {
    const x = standardNormal(draws, at)
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(1 - draws.at(at + 2)) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v
  }
}

/** From here on the normal distribution is within a thousandth of it. */
const LARGE = 500

/** Knuth's product of draws; for large rates rounded from the normal distribution. */
function poisson(rate: number, draws: Draws): number {
  if (rate > LARGE) return Math.max(0, Math.round(rate + Math.sqrt(rate) * standardNormal(draws, 0)))
  const least = Math.exp(-rate)
  let product = 1 - draws.at(0)
  let count = 0
  while (product > least) product *= 1 - draws.at(++count)
  return count
}
