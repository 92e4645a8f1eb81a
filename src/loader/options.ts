import {
  booleanOption,
  finiteNumber,
  knownOptions,
  nonNegativeInteger,
  oneOf,
  positiveInteger,
  show,
} from '../checks.ts'
import { availableCores } from '../cores.ts'
import type { Dataset, Schema } from '../datasets/types.ts'
import { discoverRank } from '../distributed/rank.ts'
import { HeadraceError } from '../errors.ts'
import { MAX_WORD } from '../sampling/random.ts'
import { randomSampler, sequentialSampler } from '../sampling/samplers.ts'
import type { Tail } from '../sampling/shards.ts'
import type { Sampler } from '../sampling/types.ts'
import type { LoaderState } from './state.ts'

export type OnError = 'throw' | 'skip' | 'replace'

export interface LoaderOptions {
  /** Samples per rank and step. 32. */
  readonly batchSize?: number
  /**
   * The last global batch: `short` (every sample exactly once; the default of one rank), `pad` (filled up with the
   * sequence's first samples, so that every rank has the same number of steps; the default of several), `drop`.
   */
  readonly tail?: Tail
  /** Another order each epoch, a pure function of (seed, epoch, number of samples). false. */
  readonly shuffle?: boolean
  /** Of the order and of every random operation. 0. */
  readonly seed?: number
  /** 'sequential', 'random', or one of your own; overrides `shuffle`. */
  readonly sampler?: 'sequential' | 'random' | Sampler
  /** This process among `worldSize`; from the launcher's environment (torchrun, Open MPI, MPICH, Slurm) when absent. */
  readonly rank?: number
  readonly worldSize?: number
  /** Native decode threads. The cores this process may use. */
  readonly threads?: number
  /** Batches made ahead of the one in use. 2. */
  readonly prefetch?: number
  /** Bound of all slots together, bytes. 1 GiB. */
  readonly ringBytes?: number
  /** The first epoch. 0. */
  readonly epoch?: number
  /** Epochs of one `for await`. 1. */
  readonly epochs?: number
  /** A document of `loader.state()`: goes on behind the last batch that was delivered. Its seed, tail and global batch win. */
  readonly resume?: LoaderState
  /** The fields to deliver. All. */
  readonly fields?: readonly string[]
  /**
   * A sample that cannot be read or decoded: `throw`; `skip` (a shorter batch, other positions stay); `replace` (another
   * sample in its place, the same one in every run). Both are counted in `loader.report()`. 'throw'.
   */
  readonly onError?: OnError
  /** Milliseconds that one batch may take. No limit. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

/** Every option settled. */
export interface LoaderSettings {
  readonly batchSize: number
  readonly tail: Tail
  readonly seed: number
  readonly sampler: Sampler
  readonly order: string
  readonly rank: number
  readonly worldSize: number
  readonly threads: number
  readonly prefetch: number
  readonly ringBytes: number
  readonly epoch: number
  readonly epochs: number
  readonly position: number
  readonly fields: readonly string[]
  readonly onError: OnError
  readonly timeout: number | undefined
  readonly signal: AbortSignal | undefined
}

export const LOADER_OPTIONS = [
  'batchSize',
  'tail',
  'shuffle',
  'seed',
  'sampler',
  'rank',
  'worldSize',
  'threads',
  'prefetch',
  'ringBytes',
  'epoch',
  'epochs',
  'resume',
  'fields',
  'onError',
  'timeout',
  'signal',
] as const

const DEFAULT_BATCH_SIZE = 32
const DEFAULT_PREFETCH = 2
/** 1 GiB: three float32 batches of 256 at 224 pixels take 462 MB. */
const DEFAULT_RING_BYTES = 2 ** 30
/** Names that a batch has itself. */
export const RESERVED_FIELDS: readonly string[] = ['meta', 'copy', 'release']
/** The longest that a timer can wait, ms. */
const MAX_TIMEOUT = 2 ** 31 - 1

function chooseSampler(options: LoaderOptions, length: number, seed: number): { sampler: Sampler; order: string } {
  const { sampler } = options
  const shuffle = booleanOption('shuffle', options.shuffle ?? false)
  if (typeof sampler === 'object' && sampler !== null) {
    nonNegativeInteger('sampler.length', sampler.length)
    if (sampler.unique !== undefined) booleanOption('sampler.unique', sampler.unique)
    for (const method of ['prepare', 'fill'] as const)
      if (typeof sampler[method] !== 'function')
        throw new HeadraceError('E_USAGE', `sampler.${method} must be a function, but got ${show(sampler[method])}`)
    return { sampler, order: 'own' }
  }
  const order =
    sampler === undefined ? (shuffle ? 'random' : 'sequential') : oneOf('sampler', sampler, ['sequential', 'random'])
  return { order, sampler: order === 'random' ? randomSampler(length, seed) : sequentialSampler(length) }
}

function chooseFields(schema: Schema, wanted: readonly string[] | undefined): readonly string[] {
  if (wanted !== undefined && !Array.isArray(wanted))
    throw new HeadraceError('E_USAGE', `fields must be an array of names, but got ${show(wanted)}`)
  const names = wanted ?? Object.keys(schema)
  for (const name of names) {
    if (!Object.hasOwn(schema, name))
      throw new HeadraceError(
        'E_USAGE',
        `the dataset has no field ${show(name)}; it has ${Object.keys(schema).join(', ')}`,
      )
    if (RESERVED_FIELDS.includes(name))
      throw new HeadraceError('E_USAGE', `a field cannot be called ${show(name)}: batches use that name themselves`)
  }
  return [...new Set(names)]
}

function chooseRank(options: LoaderOptions): { rank: number; worldSize: number } {
  if (options.rank === undefined && options.worldSize === undefined) return discoverRank()
  const worldSize = positiveInteger('worldSize', options.worldSize)
  const rank = nonNegativeInteger('rank', options.rank)
  if (rank >= worldSize)
    throw new HeadraceError('E_USAGE', `rank must be less than worldSize (${worldSize}), but got ${rank}`)
  return { rank, worldSize }
}

function chooseBatchSize(options: LoaderOptions, worldSize: number): number {
  const { resume } = options
  if (resume === undefined) return positiveInteger('batchSize', options.batchSize ?? DEFAULT_BATCH_SIZE)
  if (resume.globalBatch % worldSize !== 0)
    throw new HeadraceError(
      'E_CONFIG',
      `the state's global batch of ${resume.globalBatch} cannot be divided among worldSize ${worldSize}`,
      { hint: 'resume with a world size that divides the global batch' },
    )
  return resume.globalBatch / worldSize
}

/** Settles the options of a loader over `dataset`. E_USAGE names what is wrong and quotes it. */
export function settle(dataset: Dataset, options: LoaderOptions): LoaderSettings {
  knownOptions('load', options, LOADER_OPTIONS)
  const { length } = dataset
  if (length === undefined)
    throw new HeadraceError('E_UNSUPPORTED', 'this dataset does not know its length; build a cache of it and load that')
  const { resume } = options
  if (resume !== undefined && options.seed !== undefined && options.seed !== resume.seed)
    throw new HeadraceError(
      'E_STATE',
      `the state was made with seed ${resume.seed}, but seed ${show(options.seed)} is asked for`,
    )
  if (resume !== undefined && options.epoch !== undefined && options.epoch !== resume.epoch)
    throw new HeadraceError(
      'E_STATE',
      `the state stands in epoch ${resume.epoch}, but epoch ${show(options.epoch)} is asked for`,
    )
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
    throw new HeadraceError('E_USAGE', `signal must be an AbortSignal, but got ${show(options.signal)}`)
  const seed = nonNegativeInteger('seed', resume?.seed ?? options.seed ?? 0)
  const { rank, worldSize } = chooseRank(options)
  return {
    ...chooseSampler(options, length, seed),
    batchSize: chooseBatchSize(options, worldSize),
    tail: oneOf('tail', resume?.tail ?? options.tail ?? (worldSize === 1 ? 'short' : 'pad'), ['short', 'pad', 'drop']),
    seed,
    rank,
    worldSize,
    threads: positiveInteger('threads', options.threads ?? availableCores(), 1024),
    prefetch: positiveInteger('prefetch', options.prefetch ?? DEFAULT_PREFETCH, 1024),
    ringBytes: positiveInteger('ringBytes', options.ringBytes ?? DEFAULT_RING_BYTES),
    epoch: nonNegativeInteger('epoch', resume?.epoch ?? options.epoch ?? 0, MAX_WORD),
    epochs: positiveInteger('epochs', options.epochs ?? 1),
    position: resume?.position ?? 0,
    fields: chooseFields(dataset.schema, options.fields),
    onError: oneOf('onError', options.onError ?? 'throw', ['throw', 'skip', 'replace']),
    timeout: options.timeout === undefined ? undefined : finiteNumber('timeout', options.timeout, 1, MAX_TIMEOUT),
    signal: options.signal,
  }
}
