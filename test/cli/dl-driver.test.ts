import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { AggregateReport, MlperfReport, RankReport } from '../../src/benchmark/dlio/dl-driver/reports.ts'
import { RunPlace } from '../benchmark/dlio/run/workload.ts'
import { built, headrace } from './built.ts'

let place: RunPlace
beforeAll(built)
beforeEach(() => {
  place = new RunPlace()
})
afterEach(() => place.remove())

test('headrace run prints the report of a rank, with epochs and steps bounded', async () => {
  const config = place.write({ train: { epochs: 5, computation_time: 0.001 } })
  const { code, stdout } = await headrace('run', '-c', config, '--max-epochs', '2', '--max-steps', '4', '--pretty')
  expect(code).toBe(0)
  const report = JSON.parse(stdout) as RankReport
  expect(report).toMatchObject({ rank: 0, config: { batch_size: 3, epochs: 2, computation_time: 0.001 } })
  expect(report.metrics).toMatchObject({ batches_processed: 8, files_processed: 12 })
  expect(report.metrics.bytes_read).toBeGreaterThan(24 * 4096)
  expect(report.metrics.total_compute_time_ms).toBeGreaterThanOrEqual(8)
})

test('headrace run --mlperf tells the order and the percentiles', async () => {
  const out = join(place.folder, 'report.json')
  const { code } = await headrace('run', '-c', place.write(), '--mlperf', '-o', out)
  expect(code).toBe(0)
  const report = JSON.parse(readFileSync(out, 'utf8')) as MlperfReport
  expect(report).toMatchObject({ benchmark_name: 'minimal', framework: 'pytorch', total_samples: 48, h2d_p50_ms: 0 })
  expect(report.access_order_sample).toHaveLength(10)
  expect(report.access_order_sample.slice(0, 3)).toEqual([
    'train/img_00_of_12.npz 0',
    'train/img_00_of_12.npz 1',
    'train/img_01_of_12.npz 0',
  ])
})

test('headrace aggregate sums up what the ranks of a run have kept', async () => {
  const kept = join(place.folder, 'ranks')
  const config = place.write({ reader: { batch_size: 2 } })
  const { code, stdout } = await headrace(
    'run',
    '-c',
    config,
    '--accelerators',
    '2',
    '--results',
    kept,
    '--format',
    'csv',
  )
  expect(code).toBe(0)
  expect(stdout).toMatch(/^rank,timestamp,.*,metrics\.au_fraction,.*\n0,/)
  expect(readdirSync(kept).sort()).toEqual(['rank_0.json', 'rank_1.json'])
  const all = await headrace('aggregate', '-i', join(kept, '*.json'), '--au-threshold', '0.0001')
  const report = JSON.parse(all.stdout) as AggregateReport
  expect(report.total_ranks).toBe(2)
  expect(report.global_metrics).toMatchObject({ total_files_processed: 24, pass: true })
  const strict = await headrace('aggregate', '-i', join(kept, '*.json'), '--au-threshold', '1', '--strict-au')
  expect(strict.code).toBe(1)
})

test("headrace legacy reads the first form of dl-driver's configs", async () => {
  const config = join(place.folder, 'legacy.json')
  writeFileSync(
    config,
    JSON.stringify({
      model: { name: 'first' },
      framework: 'pytorch',
      workflow: { generate_data: true, train: true },
      dataset: {
        data_folder: `file://${join(place.folder, 'data')}`,
        num_files_train: 4,
        num_samples_per_file: 1,
        record_length_bytes: 1024,
        format: 'npz',
      },
      reader: { batch_size: 2, read_threads: 1, data_loader: 'pytorch' },
      train: { epochs: 1, computation_time: 0.001 },
      output: { folder: place.out },
    }),
  )
  const { code, stdout, stderr } = await headrace('legacy', '-c', config)
  expect([code, stderr.includes('E_')]).toEqual([0, false])
  expect((JSON.parse(stdout) as RankReport).metrics.batches_processed).toBe(2)
})

test.each([
  [['--gpus'], 'no GPU is used'],
  [['--filelist', 'x'], 'files are those that the config names'],
  [['--start-at-epoch', '1'], 'begin together'],
  [['--shard-strategy', 'hash'], '--shard-strategy hash'],
])('headrace run refuses %j with a reason', async (flags, words) => {
  const { code, stderr } = await headrace('run', '-c', place.write(), ...flags)
  expect(code).toBe(1)
  expect(stderr).toContain(words)
  expect(stderr).toMatch(/\[E_UNSUPPORTED\]\nhint: /)
})

test('headrace run refuses ranks without a way to meet', async () => {
  const config = place.write()
  expect(await headrace('run', '-c', config, '--rank', '1')).toMatchObject({ code: 2 })
  expect((await headrace('run', '-c', config, '--rank', '1', '--world-size', '2')).stderr).toContain('--coordinator')
  expect(await headrace('run')).toMatchObject({ code: 2 })
})
