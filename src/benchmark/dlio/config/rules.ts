import type { Profile } from '../types.ts'
import type { DatasetConfig } from './dataset-section.ts'
import type { ModelConfig } from './model-section.ts'
import type { ReaderConfig } from './reader-section.ts'
import type { CheckpointConfig, ProfilingConfig, WorkflowConfig } from './run-sections.ts'
import type { Section } from './section.ts'
import type { StorageConfig } from './storage-section.ts'

export type Framework = 'tensorflow' | 'pytorch' | 'jax'

/** All that a config says, group by group. */
export interface Parts {
  readonly framework: Framework
  readonly frameworkGiven: boolean
  readonly model: ModelConfig
  readonly workflow: WorkflowConfig
  readonly storage: StorageConfig
  readonly dataset: DatasetConfig
  readonly reader: ReaderConfig
  readonly checkpoint: CheckpointConfig
  readonly profiling: ProfilingConfig
}

export interface Sections {
  readonly root: Section
  readonly model: Section
  readonly storage: Section
  readonly dataset: Section
  readonly reader: Section
  readonly checkpoint: Section
  readonly workflow: Section
  readonly profiling: Section
}

/** What cannot run, whatever the number of ranks: E_CONFIG at the key that is to be changed. */
export function checkRules(
  parts: Parts,
  at: Sections,
  profile: Profile,
  env: Readonly<Record<string, string | undefined>>,
): void {
  const { workflow } = parts
  checkDataset(parts, at)
  if (workflow.train || workflow.evaluation) {
    checkLoader(parts, at)
    checkStorage(parts, at, profile)
  }
  if (workflow.train) checkGeometry(parts, at)
  checkModel(parts, at)
  checkCheckpoint(parts, at)
  const { LD_PRELOAD = '' } = env
  if (workflow.profiling && parts.profiling.profiler === 'darshan' && !LD_PRELOAD.includes('libdarshan'))
    throw at.profiling.error(
      'profiler',
      'is darshan, which is not loaded',
      'set LD_PRELOAD to the path of libdarshan.so',
    )
  if (
    !workflow.train &&
    !workflow.generate_data &&
    !workflow.checkpoint &&
    !workflow.evaluation &&
    profile === 'default'
  )
    throw at.root.error('workflow', 'asks for nothing: generate_data, train, evaluation and checkpoint are all false')
}

/** Combinations of what the config itself names; what is only DLIO's default is left to the run's own check. */
function checkLoader({ framework, frameworkGiven, reader, dataset }: Parts, { reader: at }: Sections): void {
  const { loader, loaderGiven } = reader
  const other = { tensorflow: 'pytorch', pytorch: 'tensorflow', jax: undefined }[framework]
  if (frameworkGiven && loaderGiven && loader === other)
    throw at.error(
      'data_loader',
      `is ${loader}, but framework is ${framework}`,
      `write data_loader: ${framework}, or framework: ${loader}`,
    )
  if (loaderGiven && loader === 'pytorch' && dataset.formatGiven && dataset.format === 'tfrecord')
    throw at.error(
      'data_loader',
      'is pytorch, which reads no tfrecord',
      'write data_loader: tensorflow or dali, or another dataset.format',
    )
  if (loader === 'custom' && reader.sampler === null)
    throw at.error(
      'data_loader',
      'is custom, which needs data_loader_sampler',
      'write data_loader_sampler: iterative or index',
    )
}

function checkStorage({ storage, framework, dataset }: Parts, { storage: at }: Sections, profile: Profile): void {
  if (storage.type !== 's3' || framework !== 'pytorch' || (profile !== 'dlio' && profile !== 'mlperf-v2')) return
  if (dataset.format !== 'npz' && dataset.format !== 'npy')
    throw at.error(
      'storage_type',
      `is s3, for which this DLIO reads npz and npy only, not ${dataset.format}`,
      'the profile default reads every format',
    )
  const missing = [
    ...(storage.options.credentials === undefined ? ['access_key_id and secret_access_key'] : []),
    ...(storage.options.endpoint === undefined ? ['endpoint_url'] : []),
  ]
  if (missing.length > 0)
    throw at.error(
      'storage_options',
      `needs ${missing.join(' and ')} in this DLIO`,
      'the profile default takes them from the environment as well',
    )
}

function checkDataset({ dataset, workflow }: Parts, { dataset: at }: Sections): void {
  const { dims, stdev, format, options, samplesPerFile } = dataset
  if (dims.length > 0 && stdev > 0)
    throw at.error(
      'record_length_bytes_stdev',
      'cannot be together with record_dims, which fix the size',
      'leave out one of them',
    )
  const dataSets = options.dataSets ?? 1
  const [first] = dims
  if (first !== undefined && first % dataSets !== 0)
    throw at.error(
      'record_dims',
      `must begin with a multiple of hdf5.num_dset_per_record, but ${first} is none of ${dataSets}`,
    )
  if (format === 'jpeg' || format === 'png') {
    if (dims.length > 2) throw at.error('record_dims', `has ${dims.length} dimensions, but ${format} has 2`)
    if (samplesPerFile > 1)
      throw at.error('num_samples_per_file', `is ${samplesPerFile}, but a ${format} file holds one sample`)
  }
  if (workflow.generate_data && dataset.filesTrain + dataset.filesValid === 0)
    throw at.error('num_files_train', 'and num_files_eval are 0: there is nothing to generate')
}

function checkGeometry({ dataset, reader }: Parts, { dataset: at, reader: readerAt }: Sections): void {
  if (dataset.filesTrain === 0) throw at.error('num_files_train', 'is 0: there is nothing to train with')
  const samples = dataset.filesTrain * dataset.samplesPerFile
  if (!Number.isSafeInteger(samples))
    throw at.error('num_files_train', `times num_samples_per_file is ${samples}, beyond what can be counted`)
  if (reader.batchSize > samples)
    throw readerAt.error(
      'batch_size',
      `is ${reader.batchSize}, but the whole set has ${samples} ${samples === 1 ? 'sample' : 'samples'}`,
      'a batch must fit into the set: fewer samples a batch, or more files',
    )
}

function checkModel({ model: { layers, parallelism }, workflow }: Parts, { model: at }: Sections): void {
  if (!workflow.checkpoint) return
  if (layers > 0 && layers < parallelism.pipeline)
    throw at.error('num_layers', `is ${layers}, fewer than the ${parallelism.pipeline} stages of parallelism.pipeline`)
  if (parallelism.zeroStage === 3 && parallelism.pipeline > 1)
    throw at.error(
      'parallelism',
      `has zero_stage 3 and pipeline ${parallelism.pipeline}: ZeRO 3 takes no pipeline`,
      'write pipeline: 1, or zero_stage: 1',
    )
}

function checkCheckpoint(
  { checkpoint, model: { parallelism }, workflow }: Parts,
  { checkpoint: at, model }: Sections,
): void {
  if (!workflow.checkpoint) return
  const { mode, writes, reads, ksm, randomizeTensor } = checkpoint
  if (mode === 'default' && parallelism.data > 0)
    throw model.error(
      'parallelism',
      `has data ${parallelism.data}, which in checkpoint.mode default follows from the ranks`,
      'leave data out, or write checkpoint.mode: subset',
    )
  if (mode === 'subset' && parallelism.data <= 0)
    throw at.error('mode', 'is subset, which needs model.parallelism.data: the size of the whole job')
  if (writes > 0 && reads > writes)
    throw at.error('num_checkpoints_read', `is ${reads}, more than the ${writes} of num_checkpoints_write`)
  if (ksm && randomizeTensor) throw at.error('ksm', 'needs randomize_tensor false: random pages are never the same')
}
