import { booleanOption, nonNegativeInteger, oneOf, positiveInteger, show } from '../checks.ts'
import type { Dataset } from '../datasets/types.ts'
import { HeadraceError } from '../errors.ts'
import { chunkSampler } from '../sampling/chunk-sampler.ts'
import { firstOf, randomSampler, replacementSampler, sequentialSampler, windowSampler } from '../sampling/samplers.ts'
import type { Sampler } from '../sampling/types.ts'
import { weightedSampler } from '../sampling/weighted-sampler.ts'

export type SamplerName = 'sequential' | 'random' | 'weighted' | 'distributed'

/** Options of a loader that say which sample comes when. */
export interface OrderOptions {
  /** Another order each epoch, a pure function of (seed, epoch, number of samples). false. */
  readonly shuffle?: boolean
  /**
   * Overrides `shuffle`. `random`: every sample once. `weighted`: by `weights`. `distributed`: as `random`, but rank and
   * worldSize must be known, and every rank has as many samples (tail `pad`, the default, or `drop`). Or one of your own.
   */
  readonly sampler?: SamplerName | Sampler
  /** Whether a sample may be drawn again in an epoch: of `random` (false) and `weighted` (true). */
  readonly replacement?: boolean
  /** How likely each sample is drawn, against the others: one number of 0 or more a sample, for `weighted`. */
  readonly weights?: ArrayLike<number>
  /** Draws an epoch. As many as there are samples; of `weighted` without replacement, as there are weights above 0. */
  readonly samples?: number
  /**
   * Shuffles within windows of so many neighbours only, for data that is read in order. Datasets without random access are
   * always shuffled so, by 1024; with `locality: 'chunks'` the samples of 8 chunks.
   */
  readonly window?: number
  /**
   * `chunks`: the dataset's chunks (shards, row groups) come in random order, and samples are shuffled within `window` of
   * that sequence, so that what lies together is read together. 'samples'.
   */
  readonly locality?: 'samples' | 'chunks'
}

export const ORDER_OPTIONS = ['shuffle', 'sampler', 'replacement', 'weights', 'samples', 'window', 'locality'] as const

/** What an order follows from. */
type Ordered = Pick<Dataset, 'chunks' | 'randomAccess'>

export interface Order {
  readonly sampler: Sampler
  /** What the order follows from beside seed and length. */
  readonly order: string
  /** How far from its place in the dataset a sample may come, samples; 1 where they come in order. */
  readonly window: number
}

/** Samples; as webdataset's and Hugging Face's shuffle buffers are by default, about. */
const STREAM_WINDOW = 1024
const CHUNKS_MIXED = 8
const SAMPLERS: readonly SamplerName[] = ['sequential', 'random', 'weighted', 'distributed']

function refuse(message: string): never {
  throw new HeadraceError('E_USAGE', message)
}

function refuseInOrder(what: string): never {
  throw new HeadraceError('E_UNSUPPORTED', `${what} needs random access, and this dataset is read in order`)
}

function orderBy(sampler: Sampler, window = 1): Order {
  return { sampler, order: sampler.fingerprint ?? 'own', window }
}

/** A person's sampler, checked as far as it can be without calling it. */
function checkSampler(sampler: Sampler): Sampler {
  nonNegativeInteger('sampler.length', sampler.length)
  if (sampler.unique !== undefined) booleanOption('sampler.unique', sampler.unique)
  const { fingerprint } = sampler
  if (fingerprint !== undefined && typeof fingerprint !== 'string')
    refuse(`sampler.fingerprint must be a string, but got ${show(fingerprint)}`)
  for (const method of ['prepare', 'fill'] as const)
    if (typeof sampler[method] !== 'function')
      refuse(`sampler.${method} must be a function, but got ${show(sampler[method])}`)
  return sampler
}

/** The weights, one a sample of the dataset. */
function checkWeights(weights: unknown, length: number): ArrayLike<number> {
  if (weights === undefined) refuse("sampler 'weighted' needs weights, one a sample")
  const isList = Array.isArray(weights) || (ArrayBuffer.isView(weights) && !(weights instanceof DataView))
  if (!isList) refuse(`weights must be an array of numbers, but got ${show(weights)}`)
  const list = weights as ArrayLike<number>
  if (list.length !== length) refuse(`weights must be one a sample (${length}), but are ${list.length}`)
  return list
}

/** Refuses options that mean nothing to an order, so that none is accepted and ignored. */
function refuseOthers(of: string, options: OrderOptions, allowed: readonly (typeof ORDER_OPTIONS)[number][]): void {
  for (const name of ['replacement', 'weights', 'samples', 'window', 'locality'] as const) {
    const value = options[name]
    if (value === undefined || allowed.includes(name)) continue
    if ((name === 'replacement' && value === false) || (name === 'locality' && value === 'samples')) continue
    refuse(`${of} has no ${name}`)
  }
}

function randomOrder(dataset: Ordered, options: OrderOptions, seed: number, length: number): Order {
  const replacement = booleanOption('replacement', options.replacement ?? false)
  const locality = oneOf('locality', options.locality ?? 'samples', ['samples', 'chunks'])
  const samples = options.samples === undefined ? undefined : positiveInteger('samples', options.samples)
  const windowed = locality === 'chunks' || options.window !== undefined || dataset.randomAccess === false
  if (windowed && (replacement || samples !== undefined)) {
    const one = replacement ? 'replacement' : 'samples'
    if (dataset.randomAccess === false) refuseInOrder(one)
    refuse(`${one} and ${locality === 'chunks' ? "locality 'chunks'" : 'window'} exclude each other`)
  }
  if (locality === 'chunks') {
    const { chunks } = dataset
    if (chunks === undefined || dataset.randomAccess === false)
      throw new HeadraceError('E_UNSUPPORTED', "locality 'chunks': this dataset has no chunks", {
        hint: 'leave it out, or take a dataset that lies in shards or row groups',
      })
    const mixed = Math.max(1, Math.ceil((CHUNKS_MIXED * length) / Math.max(1, chunks.count)))
    const window = positiveInteger('window', options.window ?? mixed)
    const sampler = chunkSampler(chunks, window, seed)
    if (sampler.length !== length)
      refuse(`the dataset's chunks have ${sampler.length} samples, but the dataset has ${length}`)
    return orderBy(sampler, window)
  }
  if (windowed) {
    const window = positiveInteger('window', options.window ?? STREAM_WINDOW)
    return orderBy(windowSampler(length, window, seed), window)
  }
  if (replacement) return orderBy(replacementSampler(length, seed, samples))
  if (samples !== undefined && samples > length)
    refuse(`samples must be at most the ${length} of the dataset without replacement, but got ${samples}`)
  const whole = randomSampler(length, seed)
  return orderBy(samples === undefined ? whole : firstOf(whole, samples))
}

function weightedOrder(dataset: Ordered, options: OrderOptions, seed: number, length: number): Order {
  if (dataset.randomAccess === false) refuseInOrder("sampler 'weighted'")
  const weights = checkWeights(options.weights, length)
  const replacement = booleanOption('replacement', options.replacement ?? true)
  const samples = options.samples === undefined ? undefined : positiveInteger('samples', options.samples)
  return orderBy(weightedSampler(weights, { seed, replacement, samples }))
}

/** The order that the options ask for over a dataset of `length` samples. E_USAGE for options that do not go together. */
export function chooseOrder(dataset: Ordered, options: OrderOptions, seed: number, length: number): Order {
  const shuffle = booleanOption('shuffle', options.shuffle ?? false)
  const { sampler } = options
  if (typeof sampler === 'object' && sampler !== null) {
    refuseOthers('a sampler of your own', options, [])
    if (dataset.randomAccess === false) refuseInOrder('a sampler of your own')
    return orderBy(checkSampler(sampler))
  }
  const name = sampler === undefined ? (shuffle ? 'random' : 'sequential') : oneOf('sampler', sampler, SAMPLERS)
  switch (name) {
    case 'sequential':
      refuseOthers('the sequential order', options, [])
      return orderBy(sequentialSampler(length))
    case 'random':
      refuseOthers("sampler 'random'", options, ['replacement', 'samples', 'window', 'locality'])
      return randomOrder(dataset, options, seed, length)
    case 'distributed':
      refuseOthers("sampler 'distributed'", options, ['samples', 'window', 'locality'])
      return randomOrder(dataset, options, seed, length)
    case 'weighted':
      refuseOthers("sampler 'weighted'", options, ['replacement', 'weights', 'samples'])
      return weightedOrder(dataset, options, seed, length)
  }
}
