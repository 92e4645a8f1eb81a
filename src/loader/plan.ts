import type { ShardPlan } from '../sampling/shards.ts'
import type { Sampler } from '../sampling/types.ts'

/** Repeats from here on are those of replacements. */
const MAX_REPEAT = 2 ** 31

/** What one step of one rank is made of: plain data, the same whenever it is asked for. */
export interface StepPlan {
  readonly epoch: number
  readonly step: number
  readonly ids: Float64Array
  readonly repeats: Uint32Array
  readonly padding: number
}

/**
 * Positions of a rank's step -> sample ids. Positions past the end begin the sequence again, each time as a repeat. A
 * sampler of the user's own (`mayRepeat`) may give an id several times in an epoch, so there a sample's repeat is the
 * position at which it stands.
 */
export function planStep(
  sampler: Sampler,
  shards: ShardPlan,
  epoch: number,
  step: number,
  mayRepeat: boolean,
): StepPlan {
  const { start, size, padding } = shards.slice(step)
  const ids = new Float64Array(size)
  const repeats = new Uint32Array(size)
  const { length } = sampler
  for (let done = 0; done < size; ) {
    const position = start + done
    const within = position % length
    const count = Math.min(size - done, length - within)
    sampler.fill(epoch, within, ids.subarray(done, done + count))
    if (mayRepeat) for (let i = 0; i < count; i++) repeats[done + i] = (position + i) % MAX_REPEAT
    else repeats.fill(Math.floor(position / length), done, done + count)
    done += count
  }
  return { epoch, step, ids, repeats, padding }
}
