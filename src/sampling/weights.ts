import { createHash } from 'node:crypto'
import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'

/** As many as index arrays of 32 bits can tell apart. */
const MAX_WEIGHTS = 2 ** 32 - 1

/** Weights of samples, checked. */
export interface Weights {
  /** Divided by the largest, so that their sum is a number. */
  readonly values: Float64Array
  /** How many are above 0. */
  readonly positive: number
  /** Of the weights as they were given. */
  readonly hash: string
}

/** E_USAGE where a weight is negative or no finite number, or all are 0; names the first. */
export function checkWeights(weights: ArrayLike<number>): Weights {
  if (weights.length > MAX_WEIGHTS)
    throw new HeadraceError('E_USAGE', `weights must be at most ${MAX_WEIGHTS}, but are ${weights.length}`)
  const values = new Float64Array(weights.length)
  let positive = 0
  let largest = 0
  for (let i = 0; i < values.length; i++) {
    // JSON and people bring anything: null would become 0.
    const weight: unknown = weights[i]
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity))
      throw new HeadraceError('E_USAGE', `weights[${i}] must be a finite number of 0 or more, but got ${show(weight)}`)
    // -0 and 0 are the same weight, and must have the same hash.
    if (weight === 0) continue
    values[i] = weight
    positive++
    if (weight > largest) largest = weight
  }
  if (positive === 0 && values.length > 0) throw new HeadraceError('E_USAGE', 'weights must not all be 0')
  const hash = createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 32)
  for (let i = 0; i < values.length; i++) {
    const weight = values[i] as number
    // What is above 0 stays above 0, however small it is beside the largest.
    if (weight > 0) values[i] = Math.max(Number.MIN_VALUE, weight / largest)
  }
  return { values, positive, hash }
}
