export { type CheckpointMoment, type CheckpointSize, checkpointFiles, checkpointSize } from './files.ts'
export { type CheckpointLoadOptions, type LoadCheckpointOptions, loadCheckpoint } from './load.ts'
export type { CheckpointPlace } from './place.ts'
export { recoveryRank } from './recovery.ts'
export type { CheckpointProgress, CheckpointReport } from './report.ts'
export { type CheckpointSaveOptions, type SaveCheckpointOptions, saveCheckpoint } from './save.ts'
export type {
  CheckpointFile,
  CheckpointSpec,
  Parallelism,
  TensorSpec,
  TensorType,
  TransformerShape,
} from './types.ts'
