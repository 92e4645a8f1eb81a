import { setImmediate as turn } from 'node:timers/promises'
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
  /** Waits for the other ranks; undefined where they are not waited for. */
  readonly barrier: (() => Promise<void>) | undefined
  /** Whether there are other ranks, whose end is to be noticed while this one computes. */
  readonly hasPeers: boolean
  /** Not 0: everything ends. */
  readonly stop: Uint32Array
  readonly progress: Progress
}

/** ms of computation after which events of the thread have their turn: another rank may have ended. */
const SLICE = 500

/** Waits until shortly before a time. */
async function waitInSlices(until: number, stop: Uint32Array): Promise<void> {
  for (let at = native.monotonic(); until - at > SLICE && stop[0] === 0; ) {
    at = native.waitUntil(at + SLICE / 2, stop)
    await turn()
  }
}

/**
 * Takes batch after batch, computes, waits for the other ranks. The thread is blocked while it waits and computes, so that
 * a step costs next to nothing beside. What was done when an error comes is in `records`.
 */
export async function runSteps(
  { firstBatch, count, compute }: Steps,
  { feed, barrier, hasPeers, stop, progress }: TrainerOptions,
  records: StepRecords,
): Promise<void> {
  for (let batch = firstBatch; batch < firstBatch + count; batch++) {
    const start = native.monotonic()
    progress.waits(start)
    const taken = feed.take(batch)
    // No turn of the microtask queue where the batch is there.
    const numbers = taken instanceof Promise ? await taken : taken
    const loaded = native.monotonic()
    // The accelerator has it now: readers are woken while it computes.
    feed.release(batch)
    progress.waits(0)
    const seconds = compute(batch)
    const until = loaded + 1000 * seconds
    if (hasPeers && seconds > SLICE / 1000) await waitInSlices(until, stop)
    const computed = seconds > 0 ? native.waitUntil(until, stop) : loaded
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
