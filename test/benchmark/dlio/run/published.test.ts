import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { resolveConfig } from '../../../../src/benchmark/dlio/config/resolve.ts'
import { runWorkload } from '../../../../src/benchmark/dlio/run/index.ts'
import { built } from '../../../cli/built.ts'
import { RunPlace } from './workload.ts'

let place: RunPlace
beforeAll(built)
beforeEach(() => {
  place = new RunPlace()
})
afterEach(() => place.remove())

/** What makes each of them small; samples that each epoch reads. */
const SCALED: readonly (readonly [workload: string, overrides: Readonly<Record<string, unknown>>, samples: number])[] =
  [
    [
      'unet3d_h100',
      {
        'dataset.num_files_train': 14,
        'dataset.record_length_bytes': 300_000,
        'dataset.record_length_bytes_stdev': 60_000,
        'dataset.record_length_bytes_resize': 40_000,
        'train.computation_time': 0.005,
        'train.epochs': 2,
      },
      14,
    ],
    [
      'bert_v100',
      {
        'dataset.num_files_train': 2,
        'dataset.num_samples_per_file': 300,
        'reader.batch_size': 48,
        'train.computation_time': 0.002,
        'train.total_training_steps': 8,
        'model.model_size_bytes': 40_000,
        'checkpoint.steps_between_checkpoints': 4,
      },
      8 * 48,
    ],
    [
      'resnet50_h100',
      {
        'dataset.num_files_train': 4,
        'dataset.num_samples_per_file': 50,
        'dataset.record_length_bytes': 4000.5,
        'reader.batch_size': 40,
        'train.computation_time': 0.005,
        'train.epochs': 2,
      },
      200,
    ],
    [
      'cosmoflow_h100',
      {
        'dataset.num_files_train': 20,
        'dataset.record_length_bytes': 30_000,
        'dataset.record_length_bytes_stdev': 700,
        'train.epochs': 2,
      },
      20,
    ],
    ['default', { 'train.computation_time': 0.001, 'evaluation.eval_time': 0.001, 'train.epochs': 2 }, 64],
  ]

test('a minimal workload generates its data and trains with it', async () => {
  const config = await place.config({
    model: { name: 'minimal' },
    dataset: { num_files_train: 2, num_files_eval: 0, num_samples_per_file: 1, record_length_bytes: 1024 },
    reader: { batch_size: 1 },
    train: { epochs: 1, computation_time: 0 },
  })
  const report = await runWorkload(config, { verify: true, calibrate: false })
  expect(report?.epochs).toMatchObject([{ epoch: 1, steps: 2, samples: 2 }])
  expect(place.files()).toEqual(['train/img_0_of_2.npz', 'train/img_1_of_2.npz'])
  expect(place.log()).toContain('[METRIC] Number of Simulated Accelerators: 1 ')
})

describe('a published workload, scaled down', () => {
  test.each(SCALED)('%s generates its data and trains with it', async (workload, changes, samples) => {
    const overrides = Object.entries({
      ...changes,
      'workflow.generate_data': 'True',
      'workflow.train': 'True',
      'dataset.data_folder': join(place.folder, 'data'),
      'checkpoint.checkpoint_folder': join(place.folder, 'checkpoints'),
      'output.folder': place.out,
    }).map(([key, value]) => `++workload.${key}=${value}`)
    const config = await resolveConfig({ workload, overrides })
    const report = await runWorkload(config, { verify: true, calibrate: false })
    expect(report?.epochs).toHaveLength(config.workload.train.epochs)
    for (const epoch of report?.epochs ?? []) expect(epoch.samples).toBe(samples)
    expect(report?.faults).toBe(0)
    expect(place.json<{ epochs: number }>('summary.json').epochs).toBe(config.workload.train.epochs)
    expect(place.log()).toContain('[METRIC] train_au_meet_expectation: ')
  })
})
