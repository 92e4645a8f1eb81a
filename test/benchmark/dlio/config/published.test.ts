import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { resolveConfig } from '../../../../src/benchmark/dlio/config/resolve.ts'
import { planRun, trainSteps } from '../../../../src/benchmark/dlio/plan.ts'
import { planSummary } from '../../../../src/benchmark/dlio/plan-summary.ts'
import type { Profile } from '../../../../src/benchmark/dlio/types.ts'
import { DataSet } from '../../../../src/generate/data-set.ts'
import { failing } from '../../../storage/conformance.ts'
import { EXPECTED, type ExpectedWorkload } from '../goldens.ts'

/** Attributes of DLIO's own argument object, and the key of a config that each is. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  au: 'metric.au',
  batch_size: 'reader.batch_size',
  batch_size_eval: 'reader.batch_size_eval',
  checkpoint_after_epoch: 'checkpoint.checkpoint_after_epoch',
  checkpoint_folder: 'checkpoint.checkpoint_folder',
  checkpoint_mode: 'checkpoint.mode',
  checkpoint_randomize_tensor: 'checkpoint.randomize_tensor',
  checkpoint_rank_sync: 'checkpoint.rank_sync',
  checkpoint_type: 'checkpoint.type',
  chunk_dims: 'dataset.hdf5.chunk_dims',
  chunk_size: 'dataset.chunk_size',
  compression: 'dataset.compression',
  compression_level: 'dataset.compression_level',
  computation_threads: 'reader.computation_threads',
  data_folder: 'dataset.data_folder',
  data_loader: 'reader.data_loader',
  data_loader_classname: 'reader.data_loader_classname',
  data_loader_sampler: 'reader.data_loader_sampler',
  data_parallelism: 'model.parallelism.data',
  do_checkpoint: 'workflow.checkpoint',
  do_eval: 'workflow.evaluation',
  do_profiling: 'workflow.profiling',
  do_train: 'workflow.train',
  dont_use_mmap: 'reader.dont_use_mmap',
  enable_chunking: 'dataset.enable_chunking',
  epochs: 'train.epochs',
  epochs_between_checkpoints: 'checkpoint.epochs_between_checkpoints',
  epochs_between_evals: 'evaluation.epochs_between_evals',
  eval_after_epoch: 'evaluation.eval_after_epoch',
  ffn_hidden_size: 'model.transformer.ffn_hidden_size',
  file_access: 'reader.file_access',
  file_prefix: 'dataset.file_prefix',
  file_shuffle: 'reader.file_shuffle',
  format: 'dataset.format',
  framework: 'framework',
  generate_data: 'workflow.generate_data',
  generation_buffer_size: 'dataset.generation_buffer_size',
  hidden_size: 'model.transformer.hidden_size',
  iostat_devices: 'profiling.iostat_devices',
  keep_files: 'dataset.keep_files',
  layer_parameters: 'model.layer_parameters',
  listing_validation_interval: 'dataset.listing_validation_interval',
  log_file: 'output.log_file',
  max_shape: 'dataset.hdf5.max_shape',
  metric_exclude_end_steps: 'output.metric.exclude_end_steps',
  metric_exclude_start_steps: 'output.metric.exclude_start_steps',
  model: 'model.name',
  model_datatype: 'model.model_datatype',
  model_size: 'model.model_size_bytes',
  model_type: 'model.type',
  num_attention_heads: 'model.transformer.num_attention_heads',
  num_checkpoints_read: 'checkpoint.num_checkpoints_read',
  num_checkpoints_write: 'checkpoint.num_checkpoints_write',
  num_dset_per_record: 'dataset.hdf5.num_dset_per_record',
  num_files_eval: 'dataset.num_files_eval',
  num_files_train: 'dataset.num_files_train',
  num_kv_heads: 'model.transformer.num_kv_heads',
  num_layers: 'model.num_layers',
  num_samples_per_file: 'dataset.num_samples_per_file',
  num_subfolders_eval: 'dataset.num_subfolders_eval',
  num_subfolders_train: 'dataset.num_subfolders_train',
  odirect: 'reader.odirect',
  optimization_groups: 'model.optimization_groups',
  optimizer_datatype: 'model.optimizer_datatype',
  parquet_columns: 'dataset.parquet.columns',
  parquet_generation_batch_size: 'dataset.parquet.generation_batch_size',
  parquet_partition_by: 'dataset.parquet.partition_by',
  parquet_row_group_size: 'dataset.parquet.row_group_size',
  parquet_use_s3dlio_gen: 'dataset.parquet.use_s3dlio_gen',
  pin_memory: 'reader.pin_memory',
  pipeline_parallelism: 'model.parallelism.pipeline',
  prefetch_size: 'reader.prefetch_size',
  profiler: 'profiling.profiler',
  read_threads: 'reader.read_threads',
  read_type: 'reader.read_type',
  reader_classname: 'reader.reader_classname',
  record_dims: 'dataset.record_dims',
  record_element_type: 'dataset.record_element_type',
  record_length: 'dataset.record_length_bytes',
  record_length_resize: 'dataset.record_length_bytes_resize',
  record_length_stdev: 'dataset.record_length_bytes_stdev',
  s3_force_path_style: 'storage.storage_options.s3_force_path_style',
  sample_shuffle: 'reader.sample_shuffle',
  seed: 'train.seed',
  seed_change_epoch: 'train.seed_change_epoch',
  shuffle_size: 'reader.shuffle_size',
  skip_listing: 'dataset.skip_listing',
  steps_between_checkpoints: 'checkpoint.steps_between_checkpoints',
  storage_root: 'storage.storage_root',
  storage_type: 'storage.storage_type',
  tensor_parallelism: 'model.parallelism.tensor',
  time_between_checkpoints: 'checkpoint.time_between_checkpoints',
  total_training_steps: 'train.total_training_steps',
  transfer_size: 'reader.transfer_size',
  transformed_record_dims: 'reader.transformed_record_dims',
  transformed_record_element_type: 'reader.transformed_record_element_type',
  vocab_size: 'model.transformer.vocab_size',
  write_threads: 'reader.write_threads',
  zero_stage: 'model.parallelism.zero_stage',
}

/** DLIO keeps times as what a distribution is made of. */
const TIMES = {
  computation_time: 'train.computation_time',
  preprocess_time: 'reader.preprocess_time',
  eval_time: 'evaluation.eval_time',
}

/** DLIO takes slashes from the ends of folders. */
const FOLDERS = ['data_folder']

function at(tree: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], tree)
}

function loadedOf(resolved: unknown, loaded: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [attribute, path] of Object.entries(ATTRIBUTES)) {
    if (!(attribute in loaded)) continue
    const value = at(resolved, path)
    found[attribute] = FOLDERS.includes(attribute) && value !== './data/' ? String(value).replace(/\/+$/, '') : value
  }
  for (const [attribute, path] of Object.entries(TIMES)) {
    const value = at(resolved, path)
    found[attribute] = value === 0 ? {} : typeof value === 'number' ? { mean: value } : value
  }
  return found
}

const PROFILE: Readonly<Record<keyof typeof EXPECTED, Profile>> = { upstream: 'dlio', fork: 'mlcommons-fork' }

const CASES = (Object.keys(EXPECTED) as (keyof typeof EXPECTED)[]).flatMap((line) =>
  Object.entries(EXPECTED[line]).map(([name, expected]) => ({ line, name, expected })),
)
const there = (expected: ExpectedWorkload) => expected.load_error === undefined

describe.each(CASES.filter(({ expected }) => there(expected)))(
  '$name as $line DLIO reads it',
  ({ line, name, expected }) => {
    const resolved = resolveConfig({ workload: name, profile: PROFILE[line], env: {} })

    test('every attribute', async () => {
      const { loaded = {} } = expected
      const names = new Set([...Object.keys(ATTRIBUTES), ...Object.keys(TIMES)])
      const wanted = Object.fromEntries(Object.entries(loaded).filter(([attribute]) => names.has(attribute)))
      expect(loadedOf((await resolved).resolved, loaded)).toEqual(wanted)
    })

    test('what is lost on the way stays lost', async () => {
      const { checkpoint } = (await resolved).workload
      expect(checkpoint.fsync).toBe(expected.loaded?.checkpoint_fsync)
      expect(checkpoint.recoveryRankShift).toBe(expected.loaded?.checkpoint_recovery_rank_shift)
    })

    test('steps for every number of ranks, and the files that are left by trimming', async () => {
      const { workload } = await resolved
      for (const [ranks, { train, eval: evaluation, upstream_head_trims_files_to: trimmed }] of Object.entries(
        expected.steps_per_epoch ?? {},
      )) {
        const { plan } = planSummary(
          { ...workload, workflow: { ...workload.workflow, checkpoint: false } },
          Number(ranks),
        )
        expect([plan.stepsPerEpoch, plan.evalStepsPerEpoch]).toEqual([train, evaluation])
        if (line === 'upstream') expect(trainSteps(workload, Number(ranks)).files).toBe(trimmed)
      }
    })

    test('shapes and bytes of records', async () => {
      const { workload } = await resolved
      const { plan } = planSummary({ ...workload, workflow: { ...workload.workflow, checkpoint: false } }, 1)
      const { dimension } = expected.derived ?? {}
      if (dimension !== undefined) expect(plan.recordShape).toEqual([dimension, dimension])
      const set = new DataSet({ ...workload.data, sizesByRank: 1 })
      const shapes = expected.record_shapes_first8 ?? []
      expect(shapes.map((_, i) => set.shape(i))).toEqual(shapes)
      const sum = expected.record_bytes_per_sample_all_files?.sum
      if (sum !== undefined) expect(plan.totalBytes).toBe(sum)
      // Python multiplies in another order.
      expect(workload.recordLength * plan.samples).toBeCloseTo(expected.bytes_train_nominal ?? 0, 2)
    })

    test('checkpoints for every number of ranks', async () => {
      const { workload } = await resolved
      for (const [text, { error, files, tensor_bytes: bytes }] of Object.entries(expected.checkpoint ?? {})) {
        const ranks = Number(text)
        if (error !== undefined) {
          const saving = { ...workload, workflow: { ...workload.workflow, train: false } }
          expect(() => planRun(saving, ranks)).toThrow(failing('E_CONFIG', 'no multiple of'))
          continue
        }
        expect(planSummary(workload, ranks).plan.checkpoint).toMatchObject({ files, totalBytes: bytes })
      }
    })
  },
)

test.each(CASES.filter(({ expected }) => !there(expected)))(
  '$name is an error as in $line DLIO',
  async ({ line, name, expected }) => {
    const value = /'(\w+)'/.exec(expected.load_error ?? '')?.[1] ?? ''
    await expect(resolveConfig({ workload: name, profile: PROFILE[line], env: {} })).rejects.toThrow(
      failing('E_CONFIG', value, '.yaml:'),
    )
  },
)

describe('by default', () => {
  test('every published workload resolves, and plans for every number of ranks', async () => {
    for (const name of Object.keys(EXPECTED.upstream)) {
      const { workload } = await resolveConfig({ workload: name, env: {} })
      for (const ranks of [1, 8, 64]) {
        const { plan } = planSummary(workload, ranks)
        const steps = EXPECTED.fork[name]?.steps_per_epoch?.[ranks]
        if (steps !== undefined && name !== 'mlperf-v3/test_local_train') expect(plan.stepsPerEpoch).toBe(steps.train)
      }
    }
  })

  test.each([
    ['unet3d_h100', 'dlio'],
    ['llama3_405b', 'mlperf-v2'],
    ['llama3_70b', 'mlperf-v3'],
    ['dlrm_b200', 'mlperf-v3'],
    ['dlrm_s3dlio_file', 'mlcommons-fork'],
    ['mlperf-v2/unet3d_h100', 'mlperf-v2'],
  ])('%s is found in %s', async (workload, folder) => {
    const { warnings, resolved } = await resolveConfig({ workload, env: {} })
    expect(resolved.model).toBeDefined()
    for (const { file } of warnings) if (file !== undefined) expect(file).toContain(`workloads/${folder}/`)
  })

  test('every published file has its golden', async () => {
    const folder = fileURLToPath(new URL('../../../../workloads', import.meta.url))
    const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.yaml'))
    expect(files.map((name) => name.replace('.yaml', '')).sort()).toEqual(Object.keys(EXPECTED.upstream).sort())
  })
})
