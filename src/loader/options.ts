import { finiteNumber, knownOptions, nonNegativeInteger, oneOf, positiveInteger, show } from '../checks.ts'
import { availableCores } from '../cores.ts'
import type { Dataset, Schema } from '../datasets/types.ts'
import { discoverRank } from '../distributed/rank.ts'
import { HeadraceError } from '../errors.ts'
import { MAX_WORD } from '../sampling/random.ts'
import type { Tail } from '../sampling/shards.ts'
import type { Sampler } from '../sampling/types.ts'
import { FLOW_OPTIONS, type FlowOptions, type FlowSettings, settleFlow } from './flow-options.ts'
import { chooseOrder, ORDER_OPTIONS, type OrderOptions } from './order.ts'
import type { LoaderState } from './state.ts'

export type OnError = 'throw' | 'skip' | 'replace'

export interface LoaderOptions extends OrderOptions, FlowOptions {
  /** Samples per rank and step. 32. */
  readonly batchSize?: number
  /**
   * The last global batch: `short` (every sample exactly once; the default of one rank), `pad` (filled up with the
   * sequence's first samples, so that every rank has the same number of steps; the default of several), `drop`.
   */
  readonly tail?: Tail
  /** Of the order and of every random operation. 0. */
  readonly seed?: number
  /** Of random operations in place of `seed`, which is then the order's alone. */
  readonly generatorSeed?: number
  /** This process among `worldSize`; from the launcher's environment (torchrun, Open MPI, MPICH, Slurm) when absent. */
  readonly rank?: number
  readonly worldSize?: number
  /** Native decode threads. The cores this process may use. */
  readonly threads?: number
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

/** What of a dataset decides about the order of its samples. */
export type SourceOfOrder = Pick<Dataset, 'length' | 'schema' | 'fingerprint' | 'chunks' | 'randomAccess'>

/** Every option settled. */
export interface LoaderSettings extends FlowSettings {
  readonly batchSize: number
  readonly tail: Tail
  readonly seed: number
  readonly generatorSeed: number
  readonly sampler: Sampler
  readonly order: string
  /** Of a shuffle within windows, samples; 1 where there is none. */
  readonly window: number
  readonly rank: number
  readonly worldSize: number
  readonly threads: number
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
  'seed',
  'generatorSeed',
  ...ORDER_OPTIONS,
  'rank',
  'worldSize',
  'threads',
  ...FLOW_OPTIONS,
  'ringBytes',
  'epoch',
  'epochs',
  'resume',
  'fields',
  'onError',
  'timeout',
  'signal',
] as const

const TAILS: readonly Tail[] = ['short', 'pad', 'drop']
const DEFAULT_BATCH_SIZE = 32
/** 1 GiB: three float32 batches of 256 at 224 pixels take 462 MB. */
export const DEFAULT_RING_BYTES = 2 ** 30
/** Names that a batch has itself. */
export const RESERVED_FIELDS: readonly string[] = ['meta', 'copy', 'release']
/** The longest that a timer can wait, ms. */
const MAX_TIMEOUT = 2 ** 31 - 1

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
  if (options.rank === undefined && options.worldSize === undefined) {
    const found = discoverRank()
    if (options.sampler === 'distributed' && found.source === 'none')
      throw new HeadraceError('E_CONFIG', "sampler 'distributed' needs rank and worldSize: no launcher tells them", {
        hint: 'give both, or start the job with torchrun, mpirun or srun',
      })
    return found
  }
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

function chooseTail({ sampler, tail, resume }: LoaderOptions, worldSize: number): Tail {
  const distributed = sampler === 'distributed'
  const chosen = oneOf('tail', resume?.tail ?? tail ?? (worldSize === 1 && !distributed ? 'short' : 'pad'), TAILS)
  if (distributed && chosen === 'short')
    throw new HeadraceError(
      'E_USAGE',
      "sampler 'distributed' gives every rank as many samples: tail must be pad or drop",
    )
  return chosen
}

/** The seed that belongs to a state, unless another is asked for: E_STATE. */
function seedOf(name: string, asked: number | undefined, kept: number | undefined, fallback: number): number {
  if (kept !== undefined && asked !== undefined && asked !== kept)
    throw new HeadraceError(
      'E_STATE',
      `the state was made with ${name} ${kept}, but ${name} ${show(asked)} is asked for`,
    )
  return nonNegativeInteger(name, kept ?? asked ?? fallback)
}

/** Settles the options of a loader over `dataset`. E_USAGE names what is wrong and quotes it. */
export function settle(dataset: SourceOfOrder, options: LoaderOptions): LoaderSettings {
  knownOptions('load', options, LOADER_OPTIONS)
  const { length } = dataset
  if (length === undefined)
    throw new HeadraceError('E_UNSUPPORTED', 'this dataset does not know its length; build a cache of it and load that')
  const { resume } = options
  if (resume !== undefined && options.epoch !== undefined && options.epoch !== resume.epoch)
    throw new HeadraceError(
      'E_STATE',
      `the state stands in epoch ${resume.epoch}, but epoch ${show(options.epoch)} is asked for`,
    )
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
    throw new HeadraceError('E_USAGE', `signal must be an AbortSignal, but got ${show(options.signal)}`)
  const seed = seedOf('seed', options.seed, resume?.seed, 0)
  const kept = resume === undefined ? undefined : (resume.generatorSeed ?? resume.seed)
  const onError = oneOf('onError', options.onError ?? 'throw', ['throw', 'skip', 'replace'])
  if (onError === 'replace' && dataset.randomAccess === false)
    throw new HeadraceError(
      'E_UNSUPPORTED',
      "onError 'replace' needs random access, and this dataset is read in order",
      {
        hint: "take onError: 'skip'",
      },
    )
  const { rank, worldSize } = chooseRank(options)
  return {
    ...chooseOrder(dataset, options, seed, length),
    batchSize: chooseBatchSize(options, worldSize),
    tail: chooseTail(options, worldSize),
    seed,
    generatorSeed: seedOf('generatorSeed', options.generatorSeed, kept, seed),
    rank,
    worldSize,
    threads: positiveInteger('threads', options.threads ?? availableCores(), 1024),
    ...settleFlow(options),
    ringBytes: positiveInteger('ringBytes', options.ringBytes ?? DEFAULT_RING_BYTES),
    epoch: nonNegativeInteger('epoch', resume?.epoch ?? options.epoch ?? 0, MAX_WORD),
    epochs: positiveInteger('epochs', options.epochs ?? 1),
    position: resume?.position ?? 0,
    fields: chooseFields(dataset.schema, options.fields),
    onError,
    timeout: options.timeout === undefined ? undefined : finiteNumber('timeout', options.timeout, 1, MAX_TIMEOUT),
    signal: options.signal,
  }
}
