import { HeadraceError } from '../../../errors.ts'
import { native } from '../../../native.ts'
import type { Feed } from './feed.ts'
import type { Progress } from './progress.ts'
import type { StepRecords } from './step-records.ts'

/** Steps that follow one another without a checkpoint between them. */
export interface Steps {
  /** Of the session. */
  readonly firstBatch: number
  readonly count: number
  /** Seconds of a batch's computation. */
  readonly compute: (batch: number) => number
}

export interface TrainerOptions {
  readonly feed: Feed
  /** Waits for the other ranks; undefined where there are none. */
  readonly barrier: (() => Promise<void>) | undefined
  /** Not 0: everything ends. */
  readonly stop: Uint32Array
  readonly progress: Progress
}

/**
 * Takes batch after batch, computes, waits for the other ranks. The thread is blocked while it waits and computes, so that
 * a step costs next to nothing beside. What was done when an error comes is in `records`.
 */
export async function runSteps(
  { firstBatch, count, compute }: Steps,
  { feed, barrier, stop, progress }: TrainerOptions,
  records: StepRecords,
): Promise<void> {
  for (let batch = firstBatch; batch < firstBatch + count; batch++) {
    const start = native.monotonic()
    const taken = feed.take(batch)
    // No turn of the microtask queue where the batch is there.
    const numbers = taken instanceof Promise ? await taken : taken
    const loaded = native.monotonic()
    // The accelerator has it now: readers are woken while it computes.
    feed.release(batch)
    const seconds = compute(batch)
    const computed = seconds > 0 ? native.waitUntil(loaded + 1000 * seconds, stop) : loaded
    if (stop[0] !== 0) throw new HeadraceError('E_CANCELLED', 'the run was stopped')
    let end = computed
    if (barrier !== undefined) {
      await barrier()
      end = native.monotonic()
    }
    records.add(start, loaded, 1000 * seconds, computed, end, numbers)
    progress.step(loaded - start, computed - loaded, end - computed, numbers)
  }
}
