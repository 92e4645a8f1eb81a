import type { Profile } from '../types.ts'

export const PROFILES: readonly Profile[] = ['default', 'dlio', 'mlperf-v2', 'mlcommons-fork']

/** Where the code lines of DLIO, and ours, read the same config differently. docs/dlio.md has this as a table. */
export interface Behaviour {
  /** Older and misspelt keys (`model_size`, `record_length`, `model: NAME`) count as what they stand for. */
  readonly aliases: boolean
  /** Keys and values that only the fork has (Parquet, `direct_fs`) count. */
  readonly forkKeys: boolean
  /** What a Parquet row weighs is counted from its columns, not taken from `record_length_bytes`. */
  readonly measuresColumns: boolean
  /** Columns with `read: false` are read as well. */
  readonly readsAllColumns: boolean
  /** Parquet is never compressed, whatever `compression` says. */
  readonly plainParquet: boolean
  /** A row group of Parquet does not reach over the rows that are generated at once. */
  readonly batchedRowGroups: boolean
  /** Members of npz files have fields for sizes beyond 4 GiB only where they need them. */
  readonly leanZip: boolean
  /** JPEG and PNG files are random bytes, which no decoder reads. */
  readonly rawPictures: boolean
  /** A data loader that is not given is the framework's own, and the reverse. DLIO's default is TensorFlow for both. */
  readonly pairsLoader: boolean
  /**
   * Values that are checked against names at other places than they are read: `file_shuffle: off` shuffles,
   * `read_type: on_demand` keeps every file, `compression: zip` does nothing for npz, `compression: none` breaks HDF5.
   */
  readonly looseEnums: boolean
  /** `fsync` and `recovery_rank_shift` of checkpoints are read and lost. */
  readonly losesCheckpointKeys: boolean
  /** PyTorch's loader takes samples in order whatever the shuffles say. */
  readonly orderedPyTorch: boolean
  /** Files are cut to a multiple of samples a file x batch x ranks. */
  readonly trimsFiles: boolean
  /** Every rank takes the same whole number of files. */
  readonly wholeFiles: boolean
  /** Sizes under a deviation depend on the rank that makes the file. */
  readonly sizesByRank: boolean
  /** `read_threads: 1` stands for as many as there are cores a rank, up to 8. */
  readonly autoThreads: boolean
  /** A training run in which nothing is trained or saved still trains. */
  readonly trainsAnyway: boolean
  /** A block of no steps after a checkpoint at an epoch's last step. */
  readonly emptyBlocks: boolean
}

const UPSTREAM: Behaviour = {
  aliases: false,
  forkKeys: false,
  measuresColumns: false,
  readsAllColumns: true,
  plainParquet: true,
  batchedRowGroups: true,
  leanZip: false,
  rawPictures: false,
  pairsLoader: false,
  looseEnums: true,
  losesCheckpointKeys: true,
  orderedPyTorch: true,
  trimsFiles: true,
  wholeFiles: false,
  sizesByRank: false,
  autoThreads: false,
  trainsAnyway: true,
  emptyBlocks: true,
}

export const BEHAVIOUR: Readonly<Record<Profile, Behaviour>> = {
  default: {
    aliases: true,
    forkKeys: true,
    measuresColumns: true,
    readsAllColumns: false,
    plainParquet: false,
    batchedRowGroups: false,
    leanZip: false,
    rawPictures: false,
    pairsLoader: true,
    looseEnums: false,
    losesCheckpointKeys: false,
    orderedPyTorch: false,
    trimsFiles: false,
    wholeFiles: false,
    sizesByRank: false,
    autoThreads: false,
    trainsAnyway: false,
    emptyBlocks: false,
  },
  dlio: UPSTREAM,
  'mlperf-v2': { ...UPSTREAM, trimsFiles: false },
  'mlcommons-fork': {
    ...UPSTREAM,
    forkKeys: true,
    leanZip: true,
    rawPictures: true,
    orderedPyTorch: false,
    trimsFiles: false,
    wholeFiles: true,
    sizesByRank: true,
    autoThreads: true,
  },
}
