import type { ShardPlan } from '../sampling/shards.ts'
import type { Sampler } from '../sampling/types.ts'
import type { Repeats } from './repeats.ts'

/** What one step of one rank is made of: plain data, the same whenever it is asked for. */
export interface StepPlan {
  readonly epoch: number
  readonly step: number
  readonly ids: Float64Array
  /** How often each sample came before in this epoch. */
  readonly repeats: Uint32Array
  readonly padding: number
}

/** Positions of a rank's step -> sample ids. Positions past the end begin the sequence again. */
export function planStep(sampler: Sampler, shards: ShardPlan, epoch: number, step: number, counted: Repeats): StepPlan {
  const { start, size, padding } = shards.slice(step)
  const ids = new Float64Array(size)
  const repeats = new Uint32Array(size)
  const { length } = sampler
  for (let done = 0; done < size; ) {
    const within = (start + done) % length
    const count = Math.min(size - done, length - within)
    sampler.fill(epoch, within, ids.subarray(done, done + count))
    done += count
  }
  counted.fill(start, ids, repeats)
  return { epoch, step, ids, repeats, padding }
}
