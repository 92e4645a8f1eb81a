import type { StepLog } from './blocks.ts'
import type { Timestamp } from './clock.ts'
import type { EpochLog } from './epoch-log.ts'
import type { OrderSpec } from './order.ts'
import type { EpochUsage } from './usage.ts'

/** What one rank brought back. */
export interface RankResult {
  readonly start: Timestamp
  readonly epochs: readonly EpochLog[]
  readonly steps: readonly StepLog[]
  readonly usage: readonly EpochUsage[]
  /** What counted bytes of the device. */
  readonly deviceSource: string | undefined
  /** Why nothing counted them. */
  readonly deviceUnknown: string | undefined
  /** Of a checkpoint, as DLIO counts it; undefined where there are none. */
  readonly checkpointBytes: number | undefined
  /** Of training; undefined where nothing was read. */
  readonly order: OrderSpec | undefined
  /** Percent. */
  readonly calibratedAu: number | undefined
  /** Why it did not come to its end. */
  readonly failure: unknown
}
