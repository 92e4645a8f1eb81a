import { secondsBetween, type Timestamp } from './clock.ts'
import type { Metrics, StepTimes } from './metrics.ts'
import { GB } from './metrics.ts'

/** What a rank keeps of each epoch, until its files are written. */

export interface StepSpan {
  readonly kind: 'steps'
  /** "block1", "eval". */
  readonly name: string
  readonly start: Timestamp
  readonly end: Timestamp
  readonly times: StepTimes
  readonly metrics: Metrics
}

export interface CheckpointSpan {
  readonly kind: 'checkpoint'
  /** "save_ckpt1", "load_ckpt1". */
  readonly name: string
  readonly start: Timestamp
  readonly end: Timestamp
  /** Of 2^30 bytes a second: those of the whole checkpoint over this rank's time. */
  readonly throughput: number
}

export interface EpochLog {
  readonly epoch: number
  readonly start: Timestamp
  /** Without steps: checkpoints alone. */
  readonly stepless: boolean
  /** In the order in which they came; an evaluation comes behind the end of training. */
  readonly spans: (StepSpan | CheckpointSpan)[]
  meminfo: ReadonlyMap<string, string> | undefined
  /** Of the epoch's training and checkpoints. */
  trained: Timestamp | undefined
  end: Timestamp | undefined
}

export function newEpoch(
  epoch: number,
  start: Timestamp,
  stepless: boolean,
  meminfo: ReadonlyMap<string, string> | undefined,
): EpochLog {
  return { epoch, start, stepless, spans: [], meminfo, trained: undefined, end: undefined }
}

export function checkpointSpan(name: string, start: Timestamp, end: Timestamp, bytes: number): CheckpointSpan {
  // A microsecond where the clock saw none: a rate must be a number.
  const seconds = Math.max(1e-6, secondsBetween(start, end))
  return { kind: 'checkpoint', name, start, end, throughput: bytes / GB / seconds }
}

export function stepSpans(epoch: EpochLog): readonly StepSpan[] {
  return epoch.spans.filter((span) => span.kind === 'steps')
}
