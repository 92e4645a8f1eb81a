import { nonNegativeInteger } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { MAX_WORD } from '../sampling/random.ts'
import { shardPlan } from '../sampling/shards.ts'
import { type LoaderOptions, type SourceOfOrder, settle } from './options.ts'
import { planStep } from './plan.ts'
import { checkState, fingerprintOf } from './state.ts'

/** The samples of one step of one rank. */
export interface OrderedStep {
  readonly step: number
  /** Of the first sample, in the epoch's sequence over all ranks. */
  readonly position: number
  readonly ids: Float64Array
  /** How many of them only fill up the last batch; they stand last. */
  readonly padding: number
}

/** Which sample comes when on one rank: what a loader with the same options delivers, without reading anything. */
export interface EpochOrder {
  /** As in a state of the loader. */
  readonly fingerprint: string
  /** Positions of an epoch, over all ranks. */
  readonly length: number
  readonly seed: number
  readonly rank: number
  readonly worldSize: number
  readonly globalBatch: number
  /** Steps of this rank. */
  readonly steps: number
  /** Where the options' state stands: the epoch, and the step to go on with. */
  readonly epoch: number
  readonly firstStep: number
  /** E_USAGE for an epoch or a step that is not there. */
  step(epoch: number, step: number): OrderedStep
}

/** The order that `load(dataset, options)` has. The same errors as there. */
export function orderOf(dataset: SourceOfOrder, options: LoaderOptions = {}): EpochOrder {
  if (options.resume !== undefined) checkState(options.resume)
  const settings = settle(dataset, options)
  const { sampler, seed, rank, worldSize, epoch, position } = settings
  const { length } = sampler
  const shards = shardPlan({ ...settings, length })
  const firstStep = shards.stepAt(position)
  if (firstStep === undefined)
    throw new HeadraceError('E_STATE', `resume: position ${position} is not a multiple of ${shards.globalBatch}`)
  const fingerprint = fingerprintOf(dataset, settings.order, length)
  if (options.resume !== undefined && options.resume.fingerprint !== fingerprint)
    throw new HeadraceError('E_STATE', 'resume: the state was made over another dataset or order')
  // How often a sample came before changes nothing about which one comes.
  const uncounted = { fill() {} }
  return {
    fingerprint,
    length,
    seed,
    rank,
    worldSize,
    globalBatch: shards.globalBatch,
    steps: shards.steps,
    epoch,
    firstStep,
    step(inEpoch, step) {
      nonNegativeInteger('epoch', inEpoch, MAX_WORD)
      sampler.prepare(inEpoch)
      const { ids, padding } = planStep(sampler, shards, inEpoch, step, uncounted)
      return { step, position: shards.slice(step).start, ids, padding }
    },
  }
}
