/** How much is measured. */
export interface Extent {
  readonly sets: readonly string[]
  /** Different pictures in a set. */
  readonly pictures: number
  /** How often each is in it (hard links): an epoch must outlast what every tool spends at its beginning. */
  readonly links: number
  /** Turns of every tool, one after the other. */
  readonly rounds: number
  /** Timed epochs a turn. */
  readonly epochs: number
  /** Of operations that do not decode: their epochs take milliseconds, and V8 compiles the loader during the first fifty. */
  readonly copyEpochs: number
  /** Batch sizes that every tool may choose from; what has one only has the last. */
  readonly batches: readonly number[]
  /** Least length of one scaling run. */
  readonly scalingSeconds: number
  readonly scalingRounds: number
  readonly overheadPairs: number
  readonly viewPairs: number
  readonly memoryBatch: number
  /** Files of the folder that is copied and built. */
  readonly buildFiles: number
  readonly buildRounds: number
}

export const FULL: Extent = {
  sets: ['short256-q90', 'short256-q100', 'long500-q90'],
  pictures: 400,
  links: 5,
  rounds: 3,
  epochs: 3,
  copyEpochs: 200,
  batches: [64, 256],
  scalingSeconds: 6,
  scalingRounds: 5,
  overheadPairs: 11,
  viewPairs: 5,
  memoryBatch: 128,
  buildFiles: 6000,
  buildRounds: 3,
}

/** Under a minute: shows that everything runs, its numbers mean little. */
export const QUICK: Extent = {
  sets: ['short256-q90'],
  pictures: 60,
  links: 2,
  rounds: 1,
  epochs: 2,
  copyEpochs: 60,
  batches: [64],
  scalingSeconds: 0.5,
  scalingRounds: 1,
  overheadPairs: 3,
  viewPairs: 2,
  memoryBatch: 16,
  buildFiles: 240,
  buildRounds: 1,
}
