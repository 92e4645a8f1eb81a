import { closeSync, openSync, readdirSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RunOptions, RunReport } from '../../../../src/benchmark/dlio/run/index.ts'
import { runWorkload } from '../../../../src/benchmark/dlio/run/index.ts'
import { startS3Server } from '../../../../src/dev/s3/index.ts'
import { native } from '../../../../src/native.ts'
import { FileStore } from '../../../../src/storage/file/file.ts'
import { openS3Store } from '../../../../src/storage/s3/store.ts'
import { limited } from '../../../../src/storage/wrappers/limited.ts'
import { built } from '../../../cli/built.ts'
import { failing } from '../../../storage/conformance.ts'
import { type Groups, RunPlace } from './workload.ts'

let place: RunPlace
beforeAll(built)
beforeEach(() => {
  place = new RunPlace()
})
afterEach(() => place.remove())

async function run(groups: Groups = {}, options: RunOptions = {}): Promise<RunReport> {
  const report = await runWorkload(await place.config(groups), { calibrate: false, verify: true, ...options })
  if (report === undefined) throw new Error('rank 0 has a report')
  return report
}

interface Output {
  readonly load: Record<string, number[]>
  readonly proc: Record<string, number[]>
  readonly compute: Record<string, number[]>
  readonly au: Record<string, number>
}

const GENERATE = { workflow: { generate_data: true, train: false } }
const TRAIN = { workflow: { generate_data: false, train: true } }

describe('a run', () => {
  test('generates, trains, evaluates and saves, and leaves the files that DLIO leaves', async () => {
    const workflow = { generate_data: true, train: true, evaluation: true, checkpoint: true }
    const report = await run({ workflow })
    expect(readdirSync(place.out).sort()).toEqual([
      '.hydra',
      '0_output.json',
      '0_per_epoch_stats.json',
      'dlio.log',
      'summary.json',
    ])
    expect(readdirSync(join(place.out, '.hydra')).sort()).toEqual(['config.yaml', 'hydra.yaml', 'overrides.yaml'])
    const output = place.json<Record<string, Output>>('0_output.json')
    for (const epoch of ['1', '2']) {
      const { load, proc, compute, au } = output[epoch] as Output
      expect(Object.keys(load)).toEqual(['block1', 'eval'])
      // 24 samples in batches of 3, 8 in batches of 2.
      for (const times of [load, proc, compute]) expect([times.block1?.length, times.eval?.length]).toEqual([8, 4])
      for (const [i, time] of (compute.block1 ?? []).entries()) {
        expect(time).toBeGreaterThanOrEqual(0.001)
        expect(proc.block1?.[i]).toBeCloseTo((load.block1?.[i] ?? 0) + time, 9)
      }
      expect(au.block1).toBeGreaterThan(0)
    }
    const stats = place.json<Record<string, object>>('0_per_epoch_stats.json')
    expect(Object.keys(stats['1'] ?? {})).toEqual(['start', 'block1', 'save_ckpt1', 'end', 'duration', 'eval'])
    const summary = place.json<{ epochs: number; metric: Record<string, unknown>; partial?: string }>('summary.json')
    expect(summary).toMatchObject({ epochs: 2, num_accelerators: 1, num_files_train: 12, num_samples_per_file: 2 })
    expect(summary.partial).toBeUndefined()
    expect(summary.metric.checkpoint_size_GB).toBe(10_240 / 2 ** 30)
    expect(summary.metric.train_au_percentage).toEqual(report.summary.train?.au)
    expect(place.files('checkpoints')).toEqual([
      'global_epoch1_step9/model_states-0.pt',
      'global_epoch2_step9/model_states-0.pt',
    ])
    const log = place.log()
    for (const words of [
      'Running DLIO [Generating data & Training & Evaluation & Checkpointing] with 1 process(es)',
      'Max steps per epoch: 8 = 2 * 12 / 3 / 1 (samples per file * num files / batch size / comm size)',
      'Steps per eval: 4 = 2 * 4 / 2 / 1 (samples per file * num files / batch size eval / comm size)',
      'Starting epoch 1: 8 steps expected',
      'Starting block 1',
      'Ending block 1 - 8 steps completed in ',
      '[Training] Computation time per step (second): 0.0',
      "(set value: {'mean': 0.001})",
      'Starting saving checkpoint 1 after total step 8 for epoch 1',
      'Starting eval - 4 steps expected',
      'Starting epoch 2: 8 steps expected',
      '[METRIC] Number of Simulated Accelerators: 1 \n',
    ])
      expect(log).toContain(words)
    expect(log.match(/^\[OUTPUT\] \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6} /gm)?.length).toBeGreaterThan(20)
  })

  test.each([
    ['npz', {}],
    ['npz', { compression: 'zip' }],
    ['npy', {}],
    ['tfrecord', {}],
    ['csv', {}],
    ['png', { num_samples_per_file: 1 }],
    ['jpeg', { num_samples_per_file: 1 }],
    ['indexed_binary', {}],
    ['mmap_indexed_binary', {}],
    ['hdf5', {}],
    ['hdf5', { compression: 'gzip', enable_chunking: true, chunk_size: 1024 }],
    ['parquet', {}],
  ])('reads back every sample of %s %o as it was generated', async (format, dataset) => {
    const report = await run({
      dataset: { format, ...dataset },
      framework: 'tensorflow',
      reader: { data_loader: 'tensorflow' },
    })
    const samples = 'num_samples_per_file' in dataset ? 12 : 24
    expect(report.epochs.map((epoch) => epoch.samples)).toEqual([samples, samples])
    expect(report.faults).toBe(0)
    for (const { askedBytes } of report.epochs) expect(askedBytes).toBeGreaterThan(0)
  })

  test.each([0, 1, 3])('reads every sample once an epoch with %d reader threads', async (read_threads) => {
    const report = await run({
      reader: { read_threads, prefetch_size: 4, file_shuffle: 'seed', sample_shuffle: 'random' },
    })
    expect(report.epochs).toMatchObject([
      { epoch: 1, steps: 8, samples: 24 },
      { epoch: 2, steps: 8, samples: 24 },
    ])
    // Every byte of the records, and what is around them.
    for (const { askedBytes } of report.epochs) expect(askedBytes).toBeGreaterThanOrEqual(24 * 4096)
  })

  test('finds records of other contents than those that the seed makes', async () => {
    await run(GENERATE)
    const path = join(place.folder, 'data', 'train', 'img_05_of_12.npz')
    // In the middle of the records, which lie behind a header of less than a KiB.
    const fd = openSync(path, 'r+')
    writeSync(fd, Buffer.from('other bytes'), 0, 11, 3000)
    closeSync(fd)
    await expect(run(TRAIN)).rejects.toEqual(failing('E_CORRUPT', 'rank 0', 'img_05_of_12.npz', 'sample'))
  })

  test('splits epochs at checkpoints', async () => {
    await run({
      workflow: { generate_data: true, train: true, checkpoint: true },
      train: { epochs: 1 },
      checkpoint: { steps_between_checkpoints: 3 },
    })
    const output = place.json<Record<string, Output>>('0_output.json')
    expect(Object.entries(output['1']?.compute ?? {}).map(([name, { length }]) => [name, length])).toEqual([
      ['block1', 3],
      ['block2', 3],
      ['block3', 2],
    ])
    expect(place.files('checkpoints')).toEqual([
      'global_epoch1_step3/model_states-0.pt',
      'global_epoch1_step6/model_states-0.pt',
    ])
  })

  test('writes and reads checkpoints alone', async () => {
    const report = await run({
      model: {
        name: 'tiny',
        type: 'transformer',
        num_layers: 2,
        transformer: { vocab_size: 32, hidden_size: 16, ffn_hidden_size: 32, num_attention_heads: 2, num_kv_heads: 2 },
      },
      workflow: { generate_data: false, train: false, checkpoint: true },
      checkpoint: { num_checkpoints_write: 2, num_checkpoints_read: 1, time_between_checkpoints: 0.01, fsync: true },
    })
    expect(report.summary.train).toBeUndefined()
    const stats = place.json<Record<string, object>>('0_per_epoch_stats.json')
    expect(Object.keys(stats['1'] ?? {})).toEqual(['start', 'save_ckpt1', 'save_ckpt2', 'load_ckpt1', 'end'])
    expect(place.log()).toMatch(/Saved model checkpoint in [\d.]+ seconds\n.*Saved optimizer checkpoint in/)
    expect(place.log()).toContain('Checkpointing read finished')
    expect(place.json<Record<string, object>>('0_output.json')['1']).toMatchObject({ load: {}, proc: {}, compute: {} })
  })

  test('deletes the data set at the end where it is not to be kept', async () => {
    await run({ dataset: { keep_files: false } })
    expect(place.files()).toEqual([])
  })

  test('uses the first files of a set that has more', async () => {
    await run(GENERATE)
    const report = await run({ ...TRAIN, dataset: { num_files_train: 6 } })
    expect(report.epochs).toMatchObject([{ samples: 12 }, { samples: 12 }])
    expect(place.log()).toContain('(12) is more than requested (6). A subset of files will be used')
  })

  test('trains for so many steps as are asked for', async () => {
    const report = await run({ train: { epochs: 2, total_training_steps: 5 } })
    expect(report.epochs).toMatchObject([{ steps: 5 }, { steps: 5 }])
  })

  test('hands on tensors of another size than the records', async () => {
    const report = await run({
      dataset: { record_length_bytes: 10_000, record_length_bytes_stdev: 2000, record_length_bytes_resize: 1024 },
    })
    expect(report.epochs).toMatchObject([{ samples: 24 }, { samples: 24 }])
  })

  test('keeps files in memory where the config says so, and asks storage once', async () => {
    const report = await run({ reader: { read_type: 'memory', read_threads: 2 } })
    expect(report.epochs[0]?.askedBytes).toBeGreaterThan(24 * 4096)
    expect(report.epochs[1]?.askedBytes).toBe(0)
  })

  test('keeps no more than it may', async () => {
    const report = await run({ reader: { read_type: 'memory' } }, { holdBytes: 50_000 })
    const [first, second] = report.epochs.map((epoch) => epoch.askedBytes)
    expect(second).toBeGreaterThan(0)
    expect(second).toBeLessThan(first ?? 0)
  })

  test('reads a few bytes at once where the config says so', async () => {
    const report = await run({ reader: { transfer_size: 512 } })
    expect(report.epochs).toMatchObject([{ samples: 24 }, { samples: 24 }])
  })

  test('reads around the page cache where the config says so, or says that it cannot', async () => {
    const dataset = { num_files_train: 12, num_samples_per_file: 1, record_length_bytes: 1_000_000 }
    await run({ ...GENERATE, dataset })
    const direct = { ...TRAIN, dataset, reader: { odirect: true }, train: { epochs: 2, computation_time: 0.001 } }
    const report = await run(direct).catch((error: unknown) => error)
    if (report instanceof Error) {
      expect(report).toEqual(failing('E_UNSUPPORTED', 'O_DIRECT'))
      return
    }
    const { figures, fromPageCache } = report as RunReport
    expect(fromPageCache).toBe(false)
    if (figures.deviceBytes !== undefined) expect(figures.deviceBytes).toBeGreaterThan(0.95 * figures.askedBytes)
  })

  test('on null storage reads nothing, and keeps time', async () => {
    const report = await run(
      {
        ...TRAIN,
        dataset: { data_folder: 'null://nowhere', num_files_train: 1000, num_samples_per_file: 1 },
        reader: { batch_size: 10 },
        train: { epochs: 1, computation_time: 0.002 },
      },
      { verify: false },
    )
    expect(report.epochs).toMatchObject([{ steps: 100, samples: 1000, askedBytes: 1000 * 4096 }])
    expect(report.steps.compute?.p50).toBeGreaterThanOrEqual(2)
    expect(report.figures.asked).toBeCloseTo(0.002 * 99, 9)
  })

  test('tells the highest AU that the host can show', async () => {
    const report = await run({ train: { epochs: 1, computation_time: 0.005 } }, { calibrate: true })
    expect(report.figures.calibratedAu).toBeGreaterThan(0)
    expect(report.figures.calibratedAu).toBeLessThanOrEqual(100)
  })
})

describe('a sample that cannot be read', () => {
  beforeEach(async () => {
    await run({ ...GENERATE, dataset: { num_samples_per_file: 1 } })
    truncateSync(join(place.folder, 'data', 'train', 'img_07_of_12.npz'), 1000)
  })
  const damaged = { ...TRAIN, dataset: { num_samples_per_file: 1 } }

  test('ends the run with rank, file and sample, and files that say that they are partial', async () => {
    const failed = run(damaged)
    await expect(failed).rejects.toEqual(
      failing('E_CORRUPT', 'rank 0: sample 0 of', 'train/img_07_of_12.npz cannot be read'),
    )
    const summary = place.json<{ partial: string }>('summary.json')
    expect(summary.partial).toContain('img_07_of_12.npz cannot be read')
    const output = place.json<Record<string, Output>>('0_output.json')
    // Batches of three: files 0 to 5 were read; the reader, which is ahead, stops the trainer at once.
    expect(output['1']?.compute.block1?.length).toBeLessThanOrEqual(2)
    expect(place.log()).toContain('[WARNING] these outputs are partial')
  })

  test('is counted where the run is to go on', async () => {
    const report = await run(damaged, { onError: 'count' })
    expect(report.faults).toBe(2)
    expect(report.epochs).toMatchObject([{ samples: 12 }, { samples: 12 }])
    expect(place.log()).toMatch(/^\[ERROR\] rank 0: sample 0 of .*img_07_of_12\.npz was not read/m)
  })
})

test('leaves no memory that threads share behind, however it ends', async () => {
  const before = native.sharedSlots()
  await run({ reader: { read_threads: 2 } })
  expect(native.sharedSlots()).toBe(before)
  truncateSync(join(place.folder, 'data', 'train', 'img_02_of_12.npz'), 10)
  await expect(run({ ...TRAIN, reader: { read_threads: 2 } })).rejects.toEqual(failing('E_CORRUPT', 'img_02_of_12.npz'))
  expect(native.sharedSlots()).toBe(before)
})

describe('a run that cannot begin', () => {
  test('says which files are missing, and how many there are', async () => {
    await run(GENERATE)
    rmSync(join(place.folder, 'data', 'train', 'img_11_of_12.npz'))
    await expect(run(TRAIN)).rejects.toEqual(failing('E_NOT_FOUND', '12 files are asked for, but there are 11'))
    await expect(run({ ...TRAIN, dataset: { num_files_train: 13 } })).rejects.toEqual(
      failing('E_NOT_FOUND', '13 files are asked for'),
    )
    rmSync(join(place.folder, 'data'), { recursive: true })
    await expect(run(TRAIN)).rejects.toEqual(failing('E_NOT_FOUND', 'there are 0'))
  })

  test('says which file has another size than the config describes', async () => {
    await run(GENERATE)
    await expect(run({ ...TRAIN, dataset: { record_length_bytes: 9216 } })).rejects.toEqual(
      failing('E_CORRUPT', 'img_00_of_12.npz has'),
    )
  })

  test.each([
    ['default', 'mlcommons-fork'],
    ['mlcommons-fork', 'default'],
  ] as const)('reads under the profile %s what that of %s has made', async (reads, makes) => {
    const generated = await place.config(GENERATE, makes)
    await runWorkload(generated, { calibrate: false })
    const report = await runWorkload(await place.config(TRAIN, reads), { calibrate: false, verify: true })
    expect(report?.epochs).toMatchObject([{ samples: 24 }, { samples: 24 }])
  })

  test('refuses options that it does not know', async () => {
    const config = await place.config()
    await expect(runWorkload(config, { retries: 3 } as never)).rejects.toEqual(failing('E_USAGE', 'retries'))
    await expect(runWorkload(config, { onError: 'skip' as never })).rejects.toEqual(failing('E_USAGE', 'onError'))
  })
})

test('an object store is written to, and read by several requests at once', async () => {
  const server = await startS3Server()
  try {
    const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
    const store = await openS3Store('bucket', { endpoint: server.url, credentials })
    await store.createContainer()
    await store.close()
    const storage = {
      storage_type: 's3',
      storage_root: 'bucket',
      storage_options: { endpoint_url: server.url, access_key_id: 'testkey', secret_access_key: 'testsecret' },
    }
    for (const format of ['npz', 'tfrecord']) {
      const report = await run({
        storage,
        framework: 'tensorflow',
        dataset: { data_folder: `s3://bucket/${format}`, format },
        reader: { data_loader: 'tensorflow', batch_size: 8, read_threads: 2 },
        workflow: { generate_data: true, train: true, checkpoint: true },
        checkpoint: { checkpoint_folder: `s3://bucket/${format}-checkpoints` },
      })
      expect(report.epochs).toMatchObject([{ samples: 24 }, { samples: 24 }])
      expect(report.figures.deviceBytes).toBeUndefined()
      expect(report.figures.storage).toBeGreaterThan(0)
    }
    const text = readFileSync(join(place.out, '.hydra', 'config.yaml'), 'utf8') + place.log()
    expect(text).not.toContain('testsecret')
  } finally {
    await server.close()
  }
})

test('a slow store is what limits a run that waits for it', async () => {
  const dataset = { num_files_train: 16, num_samples_per_file: 1, record_length_bytes: 65_536 }
  await run({ ...GENERATE, dataset })
  const store = limited(new FileStore(join(place.folder, 'data')), { bytesPerSecond: 2e6 })
  const report = await run(
    { ...TRAIN, dataset, reader: { batch_size: 1 }, train: { epochs: 1, computation_time: 0.002 } },
    { store, verify: false },
  )
  const { load, compute, storage, decode } = report.figures
  expect(load).toBeGreaterThan(compute)
  expect(storage).toBeGreaterThan(5 * decode)
  await store.close()
})

test('a batch that does not come in time ends the run, which says what readers are at', async () => {
  const dataset = { num_files_train: 8, num_samples_per_file: 1, record_length_bytes: 65_536 }
  await run({ ...GENERATE, dataset })
  const store = limited(new FileStore(join(place.folder, 'data')), { bytesPerSecond: 50_000 })
  const failed = run({ ...TRAIN, dataset, reader: { batch_size: 4 } }, { store, timeout: 0.5, verify: false })
  await expect(failed).rejects.toEqual(failing('E_TIMEOUT', 'did not come within 0.5 s', 'reader 0 is at sample 0 of'))
  await store.close()
})

test('a run that is stopped keeps what it has done', async () => {
  const stop = new AbortController()
  const failed = run(
    { train: { epochs: 1000, computation_time: 0.005 } },
    {
      signal: stop.signal,
      onProgress: ({ phase, done }) => {
        if (phase === 'training' && done > 2) stop.abort()
      },
    },
  )
  await expect(failed).rejects.toEqual(failing('E_CANCELLED', 'interrupted'))
  const summary = place.json<{ partial: string; epochs: number }>('summary.json')
  expect(summary.partial).toBe('the run was interrupted')
  expect(summary.epochs).toBeGreaterThan(0)
  expect(readdirSync(place.out).filter((name) => name.endsWith('.part'))).toEqual([])
})
