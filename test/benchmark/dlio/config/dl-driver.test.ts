import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dialectOf } from '../../../../src/benchmark/dlio/config/dl-driver.ts'
import { parseConfig } from '../../../../src/benchmark/dlio/config/document.ts'
import { loaderOptions } from '../../../../src/benchmark/dlio/config/loader-options.ts'
import { type ResolveOptions, resolveConfig } from '../../../../src/benchmark/dlio/config/resolve.ts'
import type { ResolvedConfig } from '../../../../src/benchmark/dlio/types.ts'
import { failing } from '../../../storage/conformance.ts'

let folder: string
let count = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-dl-driver-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function resolved(text: string, options: ResolveOptions = {}): Promise<ResolvedConfig> {
  const file = join(folder, `c${count++}.yaml`)
  await writeFile(file, text)
  return resolveConfig({ file, env: {}, ...options })
}

const DRIVER = `
model: {name: small, framework: pytorch}
dataset: {data_folder: file:///d/small, num_files_train: 100, record_length_bytes: 1048576}
reader: {batch_size: 16, read_threads: 4, compute_threads: 2, prefetch: 8, shuffle: true, seed: 42, drop_last: false, file_access_type: shared}
metric: {au: 90}
`

describe("dl-driver's form of a config", () => {
  test.each([
    ['reader: {prefetch: 1}', 'dl-driver'],
    ['checkpointing: {}', 'dl-driver'],
    ['jax_config: {}', 'dl-driver'],
    ['framework: jax', 'dl-driver'],
    ['reader: {data_loader: jax}', 'dl-driver'],
    ['checkpoint: {enabled: true}', 'dl-driver'],
    ['checkpoint: {model_size: 5}', 'legacy'],
    ['dataset: {data_folder: "direct:///d"}', 'legacy'],
    ['dataset: {data_folder: data/x}', 'hydra'],
  ])('%s is told to be %s', (text, dialect) => {
    expect(dialectOf(parseConfig(text, 'f.yaml'))).toBe(dialect)
  })

  test('its keys count as those of DLIO', async () => {
    const { workload, warnings } = await resolved(DRIVER)
    expect(workload).toMatchObject({
      model: { name: 'small' },
      framework: 'pytorch',
      workflow: { generate_data: false, train: true },
      data: { url: 'file:///d/small', format: 'npz', filesTrain: 100, naming: 'dlio' },
      reader: {
        batchSize: 16,
        readThreads: 4,
        computationThreads: 2,
        prefetch: 8,
        fileShuffle: 'seed',
        sampleShuffle: 'seed',
        dataLoader: 'pytorch',
        dropLast: false,
      },
      train: { seed: 42 },
      metricAu: 0.9,
    })
    expect(warnings.map(({ key }) => key)).toEqual([
      'reader.computation_threads',
      'reader.file_access',
      'metric.au',
      'reader.data_loader',
    ])
  })

  test('its defaults hold in it', async () => {
    const { workload } = await resolved('reader: {shuffle: false}\nframework: pytorch\n')
    expect(workload.data).toMatchObject({
      format: 'npz',
      filesTrain: 1,
      record: { kind: 'length', bytes: 1024, stdev: 0 },
    })
    expect(workload.reader).toMatchObject({ prefetch: 4, fileShuffle: 'off' })
  })

  test('files may have its names', async () => {
    expect((await resolved(DRIVER, { naming: 'dl-driver' })).workload.data.naming).toBe('dl-driver')
  })

  test('checkpoints', async () => {
    const { workload, warnings } = await resolved(
      'dataset: {data_folder: "file:///d"}\nreader: {prefetch: 2}\nframework: pytorch\ncheckpoint: {enabled: true, compression: zstd, compression_level: 3}\n',
    )
    expect(workload.workflow.checkpoint).toBe(true)
    expect(workload.checkpoint).toMatchObject({ url: 'file:///d/checkpoints', stepsBetween: 100 })
    expect(warnings.map(({ key }) => key)).toEqual([
      'checkpoint.compression',
      'checkpoint.compression_level',
      'reader.data_loader',
    ])
    const other = await resolved(
      'checkpoint: {enabled: true, uri: "s3://b/c", steps_between_checkpoints: 3}\nframework: pytorch\n',
    )
    expect(other.workload.checkpoint).toMatchObject({ url: 's3://b/c', stepsBetween: 3 })
    const off = await resolved('checkpoint: {enabled: false}\nworkflow: {checkpoint: true}\n')
    expect(off.workload.workflow.checkpoint).toBe(false)
    const group = await resolved(
      'checkpointing: {checkpoint_folder: c, checkpoint_after_epoch: 2, epochs_between_checkpoints: 3}\nworkflow: {checkpoint: true}\n',
    )
    expect(group.workload.checkpoint).toMatchObject({ url: 'c', afterEpoch: 2, epochsBetween: 3 })
  })

  test('the profile of the framework', async () => {
    const { workload, warnings } = await resolved(`
framework: pytorch
dataset: {num_files_train: 64}
reader: {batch_size: 8, shuffle: false}
pytorch_config: {batch_size: 32, num_workers: 3, shuffle: true, seed: 7, drop_last: true, prefetch_factor: 5, return_type: tensor}
framework_profiles:
  pytorch: {batch_size: 64, pin_memmory: true}
  jax: {batch_size: 1}
`)
    expect(workload.reader).toMatchObject({
      batchSize: 32,
      readThreads: 3,
      prefetch: 5,
      fileShuffle: 'seed',
      dropLast: true,
    })
    expect(workload.train.seed).toBe(7)
    expect(warnings.map(({ message }) => message)).toEqual([
      'framework_profiles.pytorch.return_type has no effect: samples are always decoded',
      'framework_profiles.pytorch.pin_memmory is no key of a pytorch profile and is ignored; did you mean pin_memory?',
      "reader.data_loader is not given: pytorch, as the framework; DLIO's default tensorflow fails",
    ])
  })

  test('without a framework the first profile counts', async () => {
    const { workload } = await resolved(
      'framework_profiles:\n  tensorflow: {shuffle_buffer_size: 9, num_parallel_calls: -1, prefetch_buffer_size: -1, reshuffle_each_iteration: false}\n',
    )
    expect(workload.framework).toBe('tensorflow')
    expect(workload.reader).toMatchObject({ shuffleSize: 9, readThreads: 1, prefetch: 4 })
    expect(workload.train.seedChangeEpoch).toBe(false)
  })

  test('jax is a framework and a loader', async () => {
    const { workload } = await resolved(
      'framework: jax\nreader: {data_loader: jax, batch_size: 1}\njax_config: {seed: 456, prefetch_buffer_size: 8}\n',
    )
    expect([workload.framework, workload.reader.dataLoader, workload.reader.prefetch, workload.train.seed]).toEqual([
      'jax',
      'jax',
      8,
      456,
    ])
  })

  test('what has no counterpart is told', async () => {
    const { warnings, workload } = await resolved(
      'dataset: {directory_tree: {width: 3}, compression: lz4, endpoint_uris: ["s3://h:1/b"]}\nresume: {checkpoint_path: x}\nprofiling: {iostat: true}\n',
    )
    expect(warnings.map(({ key }) => key)).toEqual([
      'dataset.directory_tree',
      'dataset.compression',
      'resume',
      'profiling.iostat',
    ])
    expect(workload.data.options).toEqual({})
  })

  test('wrong types are told with their places', async () => {
    await expect(resolved('reader: {shuffle: 3}')).rejects.toThrow(
      failing('E_CONFIG', '.yaml:1:19', 'reader.shuffle must be true or false'),
    )
    await expect(resolved('pytorch_config: 3')).rejects.toThrow(
      failing('E_CONFIG', '.yaml:1:17', 'the profile of pytorch must be a map'),
    )
    await expect(resolved('reader: {prefetch: many}')).rejects.toThrow(
      failing('E_CONFIG', '.yaml:1:20', 'reader.prefetch_size'),
    )
  })
})

test("dl-driver's first form", async () => {
  const { workload } = await resolved(
    'workflow: {train: true, checkpoint: true}\ndataset: {data_folder: "file:///d", format: npz, num_files_train: 4, record_length: 100}\nreader: {data_loader: pytorch, batch_size: 2}\nframework: pytorch\ncheckpoint: {checkpoint_folder: c, model_size: 77, checkpoint_fsync: true, checkpoint_rank_sync: true, recovery_rank_shift: 1}\n',
  )
  expect(workload.model.size_bytes).toBe(77)
  expect(workload.checkpoint).toMatchObject({ fsync: true, rankSync: true, recoveryRankShift: true })
  expect(workload.data.record).toEqual({ kind: 'length', bytes: 100, stdev: 0 })
})

test('a whole config may be below workload', async () => {
  const { workload } = await resolved(
    'workload:\n  workflow: {generate_data: true, train: false}\n  train: {epochs: 2}\nmodel: {name: outer}\n',
  )
  expect([workload.model.name, workload.train.epochs, workload.workflow.generate_data]).toEqual(['outer', 2, true])
})

test('the options of the loader', async () => {
  expect(loaderOptions((await resolved(DRIVER)).workload)).toEqual({
    batch_size: 16,
    drop_last: false,
    shuffle: true,
    num_workers: 4,
    prefetch: 8,
    seed: 42,
    reader_mode: 'sequential',
    loading_mode: 'async_pool',
    pool_config: { pool_size: 16, readahead_batches: 8, batch_timeout: 10, max_inflight: 64 },
  })
})
