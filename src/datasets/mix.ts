import { knownOptions, nonNegativeInteger, oneOf, positiveInteger, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { Draws, viewKey } from '../sampling/random.ts'
import { combinedFingerprint, lengthOf, type Place, type Route, RoutedDataset, scaled, specsOf } from './routed.ts'
import type { Dataset, Schema } from './types.ts'

export interface MixOptions {
  /** How much of each dataset, in any unit: [3, 1] is three samples of the first for one of the second. */
  readonly weights: readonly number[]
  /** Samples of an epoch. Instead of `until`. */
  readonly samples?: number
  /**
   * `all`: every sample of every dataset comes, those of smaller ones again and again. `first`: as many as there are
   * without one coming twice. 'all'.
   */
  readonly until?: 'all' | 'first'
  /** Of the choice where a dataset has more samples than come; 0. */
  readonly seed?: number
}

const MIX_STREAM = viewKey('mix\0')

function checkedWeights(weights: unknown, count: number): readonly number[] {
  if (!Array.isArray(weights) || weights.length !== count)
    throw new HeadraceError('E_USAGE', `weights must be ${count} numbers, one a dataset, but got ${show(weights)}`)
  for (const weight of weights)
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity))
      throw new HeadraceError('E_USAGE', `weights must be numbers of 0 or more, but got ${show(weight)}`)
  if (weights.every((weight) => weight === 0))
    throw new HeadraceError('E_USAGE', 'weights are all 0: there is nothing to mix')
  return weights
}

/** Samples of an epoch by which all datasets are through, or the first is. */
function samplesUntil(until: 'all' | 'first', lengths: readonly number[], weights: readonly number[]): number {
  const sum = weights.reduce((a, b) => a + b, 0)
  const needed = lengths.flatMap((length, i) => {
    const weight = weights[i] as number
    return weight === 0 ? [] : [(length * sum) / weight]
  })
  // What is exact but for the rounding of doubles counts as exact.
  const samples = until === 'all' ? Math.ceil(Math.max(...needed) - 1e-6) : Math.floor(Math.min(...needed) + 1e-6)
  if (!Number.isSafeInteger(samples))
    throw new HeadraceError('E_LIMIT', `a mixture of weights ${show(weights)} would take ${samples} samples`)
  return samples
}

/** How many samples of each dataset: shares of `samples`, rounded so that they add up to it. */
function countsOf(samples: number, lengths: readonly number[], weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + b, 0)
  const exact = weights.map((weight) => (samples * weight) / sum)
  const counts = exact.map(Math.floor)
  let missing = samples - counts.reduce((a, b) => a + b, 0)
  const byRest = exact
    .map((share, i) => [share - Math.floor(share), i] as const)
    .sort(([a, i], [b, j]) => b - a || i - j)
  for (const [, i] of byRest) {
    if (missing <= 0) break
    if ((weights[i] as number) === 0) continue
    counts[i] = (counts[i] as number) + 1
    missing--
  }
  counts.forEach((count, i) => {
    if (count > 0 && lengths[i] === 0) throw new HeadraceError('E_USAGE', `dataset ${i} of a mixture has no samples`)
  })
  return counts
}

/**
 * Datasets interleaved as evenly as integers allow: the datasets are halved again and again, and of the first x samples of
 * a half, floor(x * left / all) are of its left half. Hence every beginning of the sequence has the weights' proportions.
 */
class Interleaved implements Route {
  readonly length: number
  readonly #counts: readonly number[]
  readonly #lengths: readonly number[]
  /** Of the counts before a dataset. */
  readonly #sums: readonly number[]
  readonly #draws: readonly Draws[]

  constructor(counts: readonly number[], lengths: readonly number[], seed: number) {
    const sums = [0]
    for (const count of counts) sums.push((sums.at(-1) as number) + count)
    this.#counts = counts
    this.#lengths = lengths
    this.#sums = sums
    this.length = sums.at(-1) as number
    this.#draws = counts.map((_, part) => new Draws(seed, part, MIX_STREAM))
  }

  place(id: number, out: Place): void {
    let first = 0
    let end = this.#counts.length
    let index = id
    while (end - first > 1) {
      const middle = (first + end) >>> 1
      const left = this.#total(first, middle)
      const all = this.#total(first, end)
      const before = scaled(index, left, all)
      if (scaled(index + 1, left, all) > before) {
        index = before
        end = middle
      } else {
        index -= before
        first = middle
      }
    }
    out.part = first
    out.id = this.#inner(first, index)
  }

  #total(first: number, end: number): number {
    return (this.#sums[end] as number) - (this.#sums[first] as number)
  }

  /** All samples in order, again and again; where there are more than come, one of each of as many equal stretches. */
  #inner(part: number, index: number): number {
    const length = this.#lengths[part] as number
    const count = this.#counts[part] as number
    if (count >= length) return index % length
    const from = scaled(index, length, count)
    const to = scaled(index + 1, length, count)
    const draws = this.#draws[part] as Draws
    draws.begin(index)
    return from + Math.floor(draws.at(0) * (to - from))
  }
}

/**
 * Samples of several datasets by weight, evenly interleaved; with `shuffle` a loader mixes them further. They must have
 * the same fields, and are closed with it. The sequence follows from lengths, weights, samples and seed. E_USAGE for
 * weights that are negative, NaN or all 0, and for other fields.
 */
export function mix<S extends Schema>(datasets: readonly Dataset<S>[], options: MixOptions): Dataset<S> {
  if (!Array.isArray(datasets))
    throw new HeadraceError('E_USAGE', `mix needs an array of datasets, but got ${typeof datasets}`)
  knownOptions('mix', options, ['weights', 'samples', 'until', 'seed'])
  const parts: readonly Dataset[] = [...datasets]
  const lengths = parts.map((part) => lengthOf('mix', part))
  const weights = checkedWeights(options.weights, parts.length)
  const seed = nonNegativeInteger('seed', options.seed ?? 0)
  if (options.samples !== undefined && options.until !== undefined)
    throw new HeadraceError('E_USAGE', 'mix takes either samples or until')
  const until = oneOf('until', options.until ?? 'all', ['all', 'first'])
  const samples =
    options.samples === undefined ? samplesUntil(until, lengths, weights) : positiveInteger('samples', options.samples)
  const counts = countsOf(samples, lengths, weights)
  const specs = specsOf(parts)
  return new RoutedDataset<S>({
    kind: 'mix',
    parts,
    route: new Interleaved(counts, lengths, seed),
    fingerprint: combinedFingerprint('mix', parts, [counts, seed]),
    spec: specs && { kind: 'mix', datasets: specs, weights, samples, seed },
  })
}
