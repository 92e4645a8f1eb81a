import { configError } from './errors.ts'
import { withFrameworkProfile } from './framework-profiles.ts'
import { type ConfigNode, isNull, type MapNode, nodeAt, scalarNode, withNode } from './node.ts'
import type { Reading } from './section.ts'

/** What a config is written for: DLIO, dl-driver's own form of it, or dl-driver's first one. */
export type Dialect = 'hydra' | 'dl-driver' | 'legacy'

/** Keys that only dl-driver has. */
const OWN_KEYS: readonly (readonly string[])[] = [
  ...['prefetch', 'shuffle', 'compute_threads', 'file_access_type', 'seed', 'drop_last'].map((key) => ['reader', key]),
  ['checkpointing'],
  ['framework_profiles'],
  ['pytorch_config'],
  ['tensorflow_config'],
  ['jax_config'],
  ['resume'],
  ['model', 'framework'],
  ...['enabled', 'uri', 'folder', 'path', 'dir', 'compression'].map((key) => ['checkpoint', key]),
  ...['directory_tree', 'endpoint_uris', 'load_balance_strategy'].map((key) => ['dataset', key]),
]
const LEGACY_KEYS: readonly (readonly string[])[] = ['model_size', 'checkpoint_fsync', 'checkpoint_rank_sync'].map(
  (key) => ['checkpoint', key],
)

/** Of a file that is given as a whole: told by the keys that there are, and by the scheme of the data folder. */
export function dialectOf(body: MapNode): Dialect {
  const has = (path: readonly string[]) => nodeAt(body, path) !== undefined
  if (OWN_KEYS.some(has) || textAt(body, ['framework']) === 'jax' || textAt(body, ['reader', 'data_loader']) === 'jax')
    return 'dl-driver'
  if (LEGACY_KEYS.some(has)) return 'legacy'
  return /^[a-z]+:\/\//i.test(textAt(body, ['dataset', 'data_folder']) ?? '') ? 'legacy' : 'hydra'
}

function textAt(body: MapNode, path: readonly string[]): string | undefined {
  const node = nodeAt(body, path)
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined
}

/** dl-driver's names, and DLIO's for the same. */
const RENAMED: readonly (readonly [from: string, to: string])[] = [
  ['reader.prefetch', 'reader.prefetch_size'],
  ['reader.compute_threads', 'reader.computation_threads'],
  ['reader.file_access_type', 'reader.file_access'],
  ['reader.seed', 'train.seed'],
  ['dataset.endpoint_uris', 'storage.endpoint_uris'],
  ['dataset.load_balance_strategy', 'storage.load_balance_strategy'],
  ['dataset.file_shuffle', 'reader.file_shuffle'],
  ['dataset.sample_shuffle', 'reader.sample_shuffle'],
  ['checkpointing.checkpoint_folder', 'checkpoint.checkpoint_folder'],
  ['checkpointing.checkpoint_after_epoch', 'checkpoint.checkpoint_after_epoch'],
  ['checkpointing.epochs_between_checkpoints', 'checkpoint.epochs_between_checkpoints'],
  ['checkpointing.steps_between_checkpoints', 'checkpoint.steps_between_checkpoints'],
  ['checkpoint.uri', 'checkpoint.checkpoint_folder'],
  ['checkpoint.folder', 'checkpoint.checkpoint_folder'],
  ['checkpoint.path', 'checkpoint.checkpoint_folder'],
  ['checkpoint.dir', 'checkpoint.checkpoint_folder'],
  ['checkpoint.model_size', 'model.model_size_bytes'],
  ['checkpoint.checkpoint_fsync', 'checkpoint.fsync'],
  ['checkpoint.checkpoint_rank_sync', 'checkpoint.rank_sync'],
]

const WITHOUT: readonly (readonly [key: string, reason: string])[] = [
  ['checkpoint.compression', 'random tensors do not get smaller'],
  ['checkpoint.compression_level', 'random tensors do not get smaller'],
  ['checkpointing.endpoint_uris', 'checkpoints go to the endpoints of storage'],
  ['checkpointing.load_balance_strategy', 'checkpoints go to the endpoints of storage'],
  ['dataset.directory_tree', 'files lie in num_subfolders_train subfolders'],
  ['resume', 'a run begins at its first epoch'],
]

/** dl-driver's defaults where they are not DLIO's. */
const DEFAULTS: readonly (readonly [key: string, value: number])[] = [
  ['dataset.num_files_train', 1],
  ['dataset.record_length_bytes', 1024],
  ['reader.prefetch_size', 4],
]

/** Steps between checkpoints that `checkpoint.enabled` stands for. */
const STEPS_BETWEEN = 100
/** Compressions that dl-driver names, and no file of DLIO's formats has, but for Parquet the last one. */
const OTHER_COMPRESSIONS = ['lz4', 'zstd', 'snappy']

/**
 * The config in DLIO's own keys. What is there under both names keeps DLIO's. In a config that is DLIO's own every such
 * key is told, for DLIO ignores it.
 */
export function translated(body: MapNode, dialect: Dialect, reading: Reading): MapNode {
  let root = body
  const get = (key: string) => nodeAt(root, key.split('.'))
  const put = (key: string, node: ConfigNode | undefined) => {
    root = withNode(root, key.split('.'), node) as MapNode
  }
  const tell = (key: string, node: ConfigNode, message: string) => reading.warn(message, key, node.named ?? node.place)

  root = withFrameworkProfile(withFramework(root), reading)
  for (const [from, to] of RENAMED) {
    const node = get(from)
    if (node === undefined) continue
    if (get(to) !== undefined) tell(from, node, `${from} is not used: ${to} is there`)
    else {
      put(to, node)
      if (dialect === 'hydra') tell(from, node, `${from} is read as ${to}, which it is called; DLIO ignores it`)
    }
    put(from, undefined)
  }
  for (const [key, reason] of WITHOUT) {
    const node = get(key)
    if (node === undefined) continue
    tell(key, node, `${key} has no effect: ${reason}`)
    put(key, undefined)
  }
  const shuffle = get('reader.shuffle')
  if (shuffle !== undefined && dialect === 'hydra')
    tell('reader.shuffle', shuffle, 'reader.shuffle is read as file_shuffle and sample_shuffle; DLIO ignores it')
  root = withShuffle(withCheckpoints(root))
  const compression = get('dataset.compression')
  const ofParquet = textAt(root, ['dataset', 'format']) === 'parquet'
  if (
    compression?.kind === 'scalar' &&
    OTHER_COMPRESSIONS.includes(String(compression.value)) &&
    !(ofParquet && compression.value === 'snappy')
  ) {
    tell(
      'dataset.compression',
      compression,
      `dataset.compression ${compression.value} is read as none: ${ofParquet ? 'parquet' : "no format of DLIO's"} has it${ofParquet ? ' not' : ''}`,
    )
    put('dataset.compression', { ...compression, value: 'none' })
  }
  const shift = get('checkpoint.recovery_rank_shift')
  if (shift?.kind === 'scalar' && typeof shift.value === 'number')
    put('checkpoint.recovery_rank_shift', { ...shift, value: shift.value !== 0 })
  if (dialect === 'dl-driver')
    for (const [key, value] of DEFAULTS)
      if (get(key) === undefined && !hasAlias(root, key)) put(key, scalarNode(value, {}))
  return root
}

/** record_length stands for record_length_bytes, which must not be set beside it. */
function hasAlias(root: MapNode, key: string): boolean {
  return key === 'dataset.record_length_bytes' && nodeAt(root, ['dataset', 'record_length']) !== undefined
}

function withFramework(root: MapNode): MapNode {
  const own = root.entries.get('framework')
  const ofModel = nodeAt(root, ['model', 'framework'])
  if (!isNull(own) || ofModel === undefined) return root
  return withNode(root, ['framework'], ofModel) as MapNode
}

/** `shuffle` stands for both of DLIO's. */
function withShuffle(root: MapNode): MapNode {
  const node = nodeAt(root, ['reader', 'shuffle'])
  if (node === undefined) return root
  if (node.kind !== 'scalar' || typeof node.value !== 'boolean')
    throw configError(node.place, 'reader.shuffle must be true or false', undefined, 'reader.shuffle')
  const value: ConfigNode = { ...node, value: node.value ? 'seed' : 'off' }
  let next: ConfigNode = withNode(root, ['reader', 'shuffle'], undefined)
  for (const name of ['file_shuffle', 'sample_shuffle'])
    if (nodeAt(root, ['reader', name]) === undefined) next = withNode(next, ['reader', name], value)
  return next as MapNode
}

/** `checkpoint.enabled` asks for them; without a cadence it is every so many steps. Without a folder they go beside the data. */
function withCheckpoints(root: MapNode): MapNode {
  let next: ConfigNode = root
  const rest = nodeAt(next, ['checkpointing'])
  if (rest?.kind === 'map' && rest.entries.size === 0) next = withNode(next, ['checkpointing'], undefined)
  const enabled = nodeAt(next, ['checkpoint', 'enabled'])
  if (enabled === undefined) return next as MapNode
  if (enabled.kind !== 'scalar' || typeof enabled.value !== 'boolean')
    throw configError(enabled.place, 'checkpoint.enabled must be true or false', undefined, 'checkpoint.enabled')
  next = withNode(next, ['checkpoint', 'enabled'], undefined)
  if (nodeAt(next, ['workflow', 'checkpoint']) === undefined || !enabled.value)
    next = withNode(next, ['workflow', 'checkpoint'], enabled)
  if (!enabled.value) return next as MapNode
  if (nodeAt(next, ['checkpoint', 'steps_between_checkpoints']) === undefined)
    next = withNode(next, ['checkpoint', 'steps_between_checkpoints'], scalarNode(STEPS_BETWEEN, enabled.place))
  const data = textAt(next as MapNode, ['dataset', 'data_folder'])
  if (nodeAt(next, ['checkpoint', 'checkpoint_folder']) === undefined && data !== undefined)
    next = withNode(
      next,
      ['checkpoint', 'checkpoint_folder'],
      scalarNode(`${data.replace(/(?<!\/)\/+$/, '')}/checkpoints`, enabled.place),
    )
  return next as MapNode
}
