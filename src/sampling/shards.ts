import { nonNegativeInteger, oneOf, positiveInteger, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'

/**
 * The global sequence, cut up for ranks. Positions 0 .. length-1 of an epoch are cut into global batches of
 * batchSize x worldSize; rank r takes the r-th slice of each. Hence the same global batch on another world size holds
 * the same samples in the same step.
 */

/**
 * What becomes of the last, incomplete global batch: `short` splits what remains evenly, so that every sample comes
 * exactly once and ranks may differ by one step; `pad` fills it with the sequence from its start; `drop` leaves it out.
 */
export type Tail = 'short' | 'pad' | 'drop'

export interface ShardOptions {
  /** Samples in the epoch, over all ranks. */
  readonly length: number
  /** Samples per rank and step. */
  readonly batchSize: number
  readonly rank: number
  readonly worldSize: number
  readonly tail: Tail
}

/**
 * Positions start .. start + size - 1 of the epoch. With `pad` they may pass its length: position p is then sample
 * p mod length of the sequence, for the floor(p / length)-th time. `padding` counts those.
 */
export interface ShardSlice {
  readonly start: number
  readonly size: number
  readonly padding: number
}

export interface ShardPlan {
  /** Steps of this rank. */
  readonly steps: number
  /** batchSize x worldSize. */
  readonly globalBatch: number
  /** Positions in the epoch, over all ranks, after dropping or padding. */
  readonly end: number
  /** What this rank takes at a step. E_USAGE unless it is one of 0 .. steps-1. */
  slice(step: number): ShardSlice
  /** The step at which to go on from a position; undefined unless it is a multiple of the global batch, or the end. */
  stepAt(position: number): number | undefined
}

function endOf(length: number, globalBatch: number, tail: Tail): number {
  const remaining = length % globalBatch
  if (tail === 'short' || remaining === 0) return length
  return tail === 'drop' ? length - remaining : length - remaining + globalBatch
}

/** floor(parts * whole / count) for parts <= count, also where the product has more than 53 bits. */
function share(whole: number, parts: number, count: number): number {
  return Math.floor(whole / count) * parts + Math.floor(((whole % count) * parts) / count)
}

/** Plans an epoch for one rank: pure arithmetic. E_USAGE names the option that is wrong. */
export function shardPlan(options: ShardOptions): ShardPlan {
  const length = nonNegativeInteger('length', options.length)
  const batchSize = positiveInteger('batchSize', options.batchSize)
  // 2^26: the largest for which `share` is exact.
  const worldSize = positiveInteger('worldSize', options.worldSize, 2 ** 26)
  const rank = nonNegativeInteger('rank', options.rank)
  if (rank >= worldSize)
    throw new HeadraceError('E_USAGE', `rank must be less than worldSize (${worldSize}), but got ${rank}`)
  const tail = oneOf('tail', options.tail, ['short', 'pad', 'drop'])
  const globalBatch = batchSize * worldSize
  const end = endOf(length, globalBatch, tail)
  if (!Number.isSafeInteger(end + globalBatch))
    throw new HeadraceError('E_USAGE', `batchSize x worldSize is too large: ${batchSize} x ${worldSize}`)

  const full = Math.floor(end / globalBatch)
  const rest = end - full * globalBatch
  const restStart = share(rest, rank, worldSize)
  const restSize = share(rest, rank + 1, worldSize) - restStart
  const steps = full + (restSize > 0 ? 1 : 0)

  return {
    steps,
    globalBatch,
    end,
    slice(step) {
      if (!Number.isSafeInteger(step) || step < 0 || step >= steps)
        throw new HeadraceError('E_USAGE', `step must be within 0 .. ${steps - 1}, but got ${show(step)}`)
      const first = step * globalBatch
      if (step === full) return { start: first + restStart, size: restSize, padding: 0 }
      const start = first + rank * batchSize
      const padding = Math.min(batchSize, Math.max(0, start + batchSize - length))
      return { start, size: batchSize, padding }
    },
    stepAt(position) {
      if (position === end) return steps
      const starts = Number.isSafeInteger(position) && position >= 0 && position < end && position % globalBatch === 0
      return starts ? position / globalBatch : undefined
    },
  }
}
