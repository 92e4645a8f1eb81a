import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ResolveOptions, resolveConfig } from '../../../../src/benchmark/dlio/config/resolve.ts'
import type { ResolvedConfig } from '../../../../src/benchmark/dlio/types.ts'
import { failing } from '../../../storage/conformance.ts'

let folder: string
let count = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-keys-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function resolved(text: string, options: ResolveOptions = {}): Promise<ResolvedConfig> {
  const file = join(folder, `c${count++}.yaml`)
  await writeFile(file, text)
  return resolveConfig({ file, env: {}, ...options })
}

/** The error of a config, the folder's name cut off. */
async function errorOf(
  text: string,
  options?: ResolveOptions,
): Promise<{ code: string; message: string; hint?: string }> {
  const error: unknown = await resolved(text, options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  const { code, message, details } = error as { code: string; message: string; details: { hint?: string } }
  return {
    code,
    message: message.replace(/^.*?c\d+\.yaml/, 'FILE'),
    ...(details.hint !== undefined && { hint: details.hint }),
  }
}

async function told(text: string, options?: ResolveOptions): Promise<string[]> {
  return (await resolved(text, options)).warnings.map(({ message, line, column }) => `${line}:${column} ${message}`)
}

describe('wrong types name the key, the value and its place', () => {
  test.each([
    [
      'dataset: {num_files_train: many}',
      'FILE:1:28: dataset.num_files_train must be an integer of 0 or more, but is "many"',
    ],
    [
      'dataset: {num_files_train: 1.5}',
      'FILE:1:28: dataset.num_files_train must be an integer of 0 or more, but is 1.5',
    ],
    [
      'dataset:\n  num_files_train: -1\n',
      'FILE:2:20: dataset.num_files_train must be an integer of 0 or more, but is -1',
    ],
    [
      'dataset: {num_samples_per_file: 0}',
      'FILE:1:33: dataset.num_samples_per_file must be an integer of 1 or more, but is 0',
    ],
    ['dataset: {record_dims: 5}', 'FILE:1:24: dataset.record_dims must be a list of integers of 1 or more, but is 5'],
    [
      'dataset: {record_dims: [2, 0]}',
      'FILE:1:24: dataset.record_dims must be a list of integers of 1 or more, but is a list',
    ],
    ['reader: {odirect: 1}', 'FILE:1:19: reader.odirect must be true or false, but is 1'],
    ['reader: {read_threads: 10000}', 'FILE:1:24: reader.read_threads must be an integer from 0 to 4096, but is 10000'],
    ['reader: [1]', 'FILE:1:9: reader must be a map, but is a list'],
    ['workflow: {train: "True"}', 'FILE:1:19: workflow.train must be true or false, but is "True"'],
    ['metric: {au: high}', 'FILE:1:14: metric.au must be a number from 0 to 100, but is "high"'],
    ['train: {epochs: null}', 'FILE:1:17: train.epochs must be an integer of 1 or more, but is null'],
    [
      'train: {computation_time: slow}',
      'FILE:1:27: train.computation_time must be a number of 0 or more, but is "slow"',
    ],
    ['train: {computation_time: {type: uniform, min: 1}}', 'FILE:1:27: train.computation_time needs max'],
    [
      'train: {computation_time: {type: uniform, min: 2, max: 1}}',
      'FILE:1:27: train.computation_time: min 2 is above max 1',
    ],
    [
      'train: {computation_time: {mean: 1, scale: 2}}',
      'FILE:1:37: train.computation_time.scale is no parameter of a normal distribution, which has mean, stdev',
    ],
    [
      'model: {parallelism: {zero_stage: 4}}',
      'FILE:1:35: model.parallelism.zero_stage must be an integer from 0 to 3, but is 4',
    ],
    [
      'storage: {storage_options: {secret_access_key: [1]}}',
      'FILE:1:48: storage.storage_options.secret_access_key must be a text, but is a value that is not shown',
    ],
  ])('%s', async (text, message) => {
    expect(await errorOf(text)).toMatchObject({ code: 'E_CONFIG', message })
  })

  test.each([
    ['dataset: {format: tfrecords}', 'dataset.format', 'did you mean tfrecord?'],
    ['reader: {file_shuffle: seeded}', 'reader.file_shuffle', 'did you mean seed?'],
    ['framework: pytorh', 'framework', 'did you mean pytorch?'],
    [
      'train: {computation_time: {type: gama, shape: 1, scale: 1}}',
      'train.computation_time.type',
      'did you mean gamma?',
    ],
    ['dataset: {record_element_type: float31}', 'dataset.record_element_type', 'did you mean float32?'],
  ])('%s is answered with what is near', async (text, key, hint) => {
    const error = await errorOf(text)
    expect(error.message).toContain(key)
    expect(error.hint).toBe(hint)
  })

  test('a value of an override is found there', async () => {
    const error = await errorOf('train: {epochs: 1}', { overrides: ['workload.train.epochs=many'] })
    expect(error.message).toBe(
      'override workload.train.epochs=many: train.epochs must be an integer of 1 or more, but is "many"',
    )
  })
})

describe('keys that nobody reads', () => {
  test('are told with line, column and the nearest key', async () => {
    expect(await told('model: {name: x}\ndataset:\n  num_file_train: 3\nreader:\n  batchsize: 2\ntrian: {}\n')).toEqual(
      [
        "3:3 dataset.num_file_train is no key of DLIO's and is ignored; did you mean dataset.num_files_train?",
        "5:3 reader.batchsize is no key of DLIO's and is ignored; did you mean reader.batch_size?",
        "6:1 trian is no key of DLIO's and is ignored; did you mean train?",
      ],
    )
  })

  test('have no suggestion where nothing is near', async () => {
    expect(await told('logging: {verbosity: INFO}\n')).toEqual(["1:1 logging is no key of DLIO's and is ignored"])
  })

  test('and those without effect say why', async () => {
    expect(await told('reader: {multiprocessing_context: fork}\nworkflow: {debug: false}\n')).toEqual([
      '1:10 reader.multiprocessing_context has no effect: threads read, and no processes',
      '2:12 workflow.debug has no effect: DLIO does not use it either; DLIO_LOG_LEVEL says how much is logged',
    ])
  })

  test('older names count, and are told', async () => {
    const { workload, warnings } = await resolved(
      'model: {model_size: 30102}\ndataset: {record_length: 100, record_length_stdev: 0}\n',
    )
    expect(workload.model.size_bytes).toBe(30_102)
    expect(workload.data.record).toEqual({ kind: 'length', bytes: 100, stdev: 0 })
    expect(warnings.map(({ key }) => key)).toEqual([
      'model.model_size',
      'dataset.record_length',
      'dataset.record_length_stdev',
    ])
  })

  test('data_reader is reader', async () => {
    expect((await resolved('data_reader: {batch_size: 3}')).workload.reader.batchSize).toBe(3)
    const { workload, warnings } = await resolved(
      'data_reader: {batch_size: 3}\nreader: {batch_size: 4, read_threads: 2}',
    )
    expect([workload.reader.batchSize, workload.reader.readThreads]).toEqual([3, 2])
    expect(warnings[0]?.message).toContain('data_reader and reader are both there')
  })
})

describe('what cannot run is refused', () => {
  test.each([
    [
      'reader: {data_loader: pytorch}\nframework: tensorflow',
      'reader.data_loader is pytorch, but framework is tensorflow',
    ],
    [
      'reader: {data_loader: tensorflow}\nframework: pytorch',
      'reader.data_loader is tensorflow, but framework is pytorch',
    ],
    [
      'framework: pytorch\nreader: {data_loader: pytorch}\ndataset: {format: tfrecord}',
      'reader.data_loader is pytorch, which reads no tfrecord',
    ],
    ['reader: {data_loader: custom}', 'reader.data_loader is custom, which needs data_loader_sampler'],
    ['dataset: {num_files_train: 0}', 'dataset.num_files_train is 0: there is nothing to train with'],
    ['workflow: {train: false, generate_data: true}\ndataset: {num_files_train: 0}', 'there is nothing to generate'],
    ['reader: {batch_size: 9}', 'reader.batch_size is 9, but the whole set has 8 samples'],
    [
      'dataset: {record_dims: [7, 2], format: hdf5, hdf5: {num_dset_per_record: 2}}',
      'dataset.record_dims must begin with a multiple of hdf5.num_dset_per_record, but 7 is none of 2',
    ],
    [
      'dataset: {record_dims: [2, 2], record_length_bytes_stdev: 5}',
      'dataset.record_length_bytes_stdev cannot be together with record_dims',
    ],
    ['dataset: {format: jpeg, record_dims: [3, 4, 5]}', 'dataset.record_dims has 3 dimensions, but jpeg has 2'],
    [
      'dataset: {format: png, num_samples_per_file: 2}',
      'dataset.num_samples_per_file is 2, but a png file holds one sample',
    ],
    [
      'workflow: {train: false, checkpoint: true}\nmodel: {num_layers: 2, parallelism: {pipeline: 4}}',
      'model.num_layers is 2, fewer than the 4 stages',
    ],
    [
      'workflow: {train: false, checkpoint: true}\nmodel: {parallelism: {pipeline: 2, zero_stage: 3}}',
      'model.parallelism has zero_stage 3 and pipeline 2',
    ],
    ['workflow: {train: false, checkpoint: true}\nmodel: {parallelism: {data: 2}}', 'model.parallelism has data 2'],
    [
      'workflow: {train: false, checkpoint: true}\ncheckpoint: {mode: subset}',
      'checkpoint.mode is subset, which needs model.parallelism.data',
    ],
    [
      'workflow: {train: false, checkpoint: true}\ncheckpoint: {num_checkpoints_write: 1, num_checkpoints_read: 2}',
      'checkpoint.num_checkpoints_read is 2, more than the 1',
    ],
    [
      'workflow: {train: false, checkpoint: true}\ncheckpoint: {ksm: {}}',
      'checkpoint.ksm needs randomize_tensor false',
    ],
    [
      'workflow: {profiling: true}\nprofiling: {profiler: darshan}',
      'profiling.profiler is darshan, which is not loaded',
    ],
    ['workflow: {train: false}', 'workflow asks for nothing'],
    ['storage: {storage_type: aistore}', 'storage.storage_type aistore cannot be read'],
    [
      'dataset: {format: parquet, parquet: {columns: [{name: a}, {name: a}]}}',
      'dataset.parquet.columns has two columns a',
    ],
  ])('%j', async (text, message) => {
    const error = await errorOf(text)
    expect(error.code).toBe('E_CONFIG')
    expect(error.message).toContain(message)
  })

  test('darshan runs where it is loaded', async () => {
    const text = 'workflow: {profiling: true}\nprofiling: {profiler: darshan}'
    await resolved(text, { env: { LD_PRELOAD: '/usr/lib/libdarshan.so' } })
  })
})

describe('values', () => {
  test.each([
    ['0.5', { type: 'constant', value: 0.5 }],
    ['{mean: 0.5}', { type: 'constant', value: 0.5 }],
    ['{mean: 0.5, stdev: 0.1}', { type: 'normal', mean: 0.5, stdev: 0.1 }],
    ['{type: normal, mean: 0.5, stdev: 0.1}', { type: 'normal', mean: 0.5, stdev: 0.1 }],
    ['{type: uniform, min: 0.1, max: 0.2}', { type: 'uniform', min: 0.1, max: 0.2 }],
    ['{type: gamma, shape: 2, scale: 0.1}', { type: 'gamma', shape: 2, scale: 0.1 }],
    ['{type: exponential, scale: 0.1}', { type: 'exponential', scale: 0.1 }],
    ['{type: poisson, lam: 3}', { type: 'poisson', lam: 3 }],
    ['null', { type: 'constant', value: 0 }],
    ['{}', { type: 'constant', value: 0 }],
  ])('computation_time: %s', async (text, distribution) => {
    expect((await resolved(`train: {computation_time: ${text}}`)).workload.train.computationTime).toEqual(distribution)
  })

  test('a deviation may stand beside the number', async () => {
    const { workload } = await resolved(
      'train: {computation_time: 1, computation_time_stdev: 0.5}\nreader: {preprocess_time: 2, preprocess_time_stdev: 0.25}\nevaluation: {eval_time_stdev: 3}',
    )
    expect(workload.train.computationTime).toEqual({ type: 'normal', mean: 1, stdev: 0.5 })
    expect(workload.reader.preprocessTime).toEqual({ type: 'normal', mean: 2, stdev: 0.25 })
    expect(workload.evaluation.time).toEqual({ type: 'constant', value: 0 })
  })

  test('off without quotes is off', async () => {
    const { workload } = await resolved('reader: {file_shuffle: off, sample_shuffle: off}')
    expect([workload.reader.fileShuffle, workload.reader.sampleShuffle]).toEqual(['off', 'off'])
  })

  test('an AU of 90 is 90 %', async () => {
    expect((await resolved('metric: {au: 90}')).workload.metricAu).toBe(0.9)
  })

  test('records of another type than bytes have as many elements as DLIO gives them', async () => {
    const { workload } = await resolved('dataset: {record_element_type: float32, record_length_bytes: 4096}')
    expect(workload.data.record).toEqual({ kind: 'dims', dims: [64, 64], dtype: 'float32' })
  })

  test('Parquet columns', async () => {
    const { workload } = await resolved(
      'dataset: {format: parquet, parquet: {row_group_size: 9, columns: [{name: a, dtype: float16}, {name: b, size: 4, read: false}]}}',
    )
    expect(workload.data.options).toEqual({
      columns: [
        { name: 'a', dtype: 'float16', size: 1, read: true },
        { name: 'b', dtype: 'float32', size: 4, read: false },
      ],
      rowGroupSize: 9,
    })
    expect(workload.recordLength).toBe(18)
  })

  test('what the trainer gets', async () => {
    const { workload } = await resolved('dataset: {record_length_bytes_resize: 150528}')
    expect(workload.reader.resizedBytes).toBe(387 ** 2)
    const other = await resolved('reader: {transformed_record_dims: [2, 3], transformed_record_element_type: float32}')
    expect(other.workload.reader.resizedBytes).toBe(24)
  })
})

describe('where data lie', () => {
  test.each([
    ['dataset: {data_folder: data/x/}', 'data/x'],
    ['dataset: {data_folder: /abs/x}\nstorage: {storage_root: /root}', '/abs/x'],
    ['dataset: {data_folder: x}\nstorage: {storage_root: /root/}', '/root/x'],
    ['dataset: {data_folder: file:///d/x/}', 'file:///d/x'],
    ['dataset: {data_folder: directio:///d/x}', 'direct:///d/x'],
    ['dataset: {data_folder: "az://account/container/x"}', 'az://account/container/x'],
    ['dataset: {data_folder: x}\nstorage: {storage_type: direct_fs, storage_root: /root}', 'direct:///root/x'],
    ['dataset: {data_folder: data/x}\nstorage: {storage_type: s3, storage_root: bucket}', 's3://bucket/data/x'],
    ['dataset: {data_folder: "s3://b"}\nstorage: {storage_type: s3, storage_root: b}', 's3://b'],
    ['dataset: {data_folder: x}\nstorage: {storage_root: "null://r"}', 'null://r/x'],
  ])('%j', async (text, url) => {
    expect((await resolved(text)).workload.data.url).toBe(url)
  })

  test('an S3 store is opened with what the config says, and nothing shows the secret', async () => {
    const found = await resolved(
      'framework: pytorch\nstorage: {storage_type: s3, storage_root: b, storage_options: {access_key_id: id, secret_access_key: sesame, endpoint_url: "http://h:1", region: r, s3_force_path_style: true, s3_max_attempts: 7}}',
      { overrides: ['++workload.storage.storage_options.session_token=sesame2'] },
    )
    expect(found.storageOptions).toEqual({
      credentials: { accessKeyId: 'id', secretAccessKey: 'sesame', sessionToken: 'sesame2' },
      endpoint: 'http://h:1',
      region: 'r',
      style: 'path',
      attempts: 7,
    })
    expect(found.workload.checkpoint.spec.extension).toBe('pts3')
    const { storageOptions: _, ...rest } = found
    expect(JSON.stringify(rest)).not.toContain('sesame')
  })

  test('several endpoints', async () => {
    const { storageOptions } = await resolved(
      'storage: {storage_type: s3, storage_root: b, endpoint_uris: ["http://a:1", "http://b:1"], load_balance_strategy: least_connections}',
    )
    expect(storageOptions).toEqual({ balance: 'least-busy', endpoint: ['http://a:1', 'http://b:1'] })
  })

  test('the environment of the fork fills in what is not given', async () => {
    const env = { DLIO_STORAGE_TYPE: 'S3', DLIO_BUCKET: 'bucket', DLIO_OUTPUT_FOLDER: '/out' }
    const { workload, outputFolder } = await resolved('dataset: {data_folder: x}', { env })
    expect([workload.data.url, outputFolder]).toEqual(['s3://bucket/x', '/out'])
    expect((await resolved('output: {folder: o}', { env })).outputFolder).toBe('o')
  })
})

test('files that are no configs are refused', async () => {
  await expect(resolveConfig({ file: join(folder, 'none.yaml'), env: {} })).rejects.toThrow(
    failing('E_NOT_FOUND', 'none.yaml'),
  )
  await expect(resolveConfig({ file: folder, env: {} })).rejects.toThrow(failing('E_CONFIG', 'is no file'))
})
