import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readReports } from '../../../../src/benchmark/dlio/dl-driver/read-reports.ts'
import {
  aggregate,
  csvOf,
  mlperfReport,
  type RankReport,
  rankReport,
} from '../../../../src/benchmark/dlio/dl-driver/reports.ts'
import type { RankFigures } from '../../../../src/benchmark/dlio/run/index.ts'
import { failing } from '../../../storage/conformance.ts'
import { RunPlace } from '../run/workload.ts'

let place: RunPlace
let folder: string
beforeEach(() => {
  place = new RunPlace()
  folder = mkdtempSync(join(tmpdir(), 'headrace-reports-'))
})
afterEach(() => {
  place.remove()
  rmSync(folder, { recursive: true, force: true })
})

const quantiles = { p50: 1, p95: 2, p99: 3 }

function figures(rank: number): RankFigures {
  return {
    rank,
    ranks: 2,
    started: 1_000_000 + rank * 500,
    ended: 1_004_000 + rank * 500,
    steps: 10,
    samples: 30,
    bytesRead: 2 ** 30,
    bytesWritten: 4096,
    wall: 4,
    load: 1,
    compute: 3,
    storage: 0.8,
    decode: 0.1,
    au: 75 + rank,
    quantiles: { proc: quantiles, storage: quantiles, decode: quantiles },
    firstSamples: ['train/img_00_of_12.npz 0', 'train/img_00_of_12.npz 1'],
  }
}

async function reports(): Promise<RankReport[]> {
  const { workload } = await place.config()
  return [0, 1].map((rank) => rankReport(workload, figures(rank), 0.001))
}

describe("dl-driver's reports", () => {
  test('of a rank have its keys and units', async () => {
    const [report] = await reports()
    expect(report).toEqual({
      rank: 0,
      timestamp: 1004,
      start_time: 1000,
      end_time: 1004,
      config: { data_folder: expect.stringContaining('/data'), batch_size: 3, epochs: 2, computation_time: 0.001 },
      metrics: {
        files_processed: 15,
        bytes_read: 2 ** 30,
        bytes_written: 4096,
        batches_processed: 10,
        storage_throughput_gib_s: 0.25,
        total_read_time_ms: 1000,
        total_compute_time_ms: 3000,
        total_batch_time_ms: 4000,
        wall_clock_time_ms: 4000,
        average_batch_time_ms: 400,
        au_fraction: 0.75,
        au_percent: 75,
        au_pass: false,
      },
      timing_details: {
        batch_p50_ms: 1,
        batch_p95_ms: 2,
        batch_p99_ms: 3,
        io_p50_ms: 1,
        io_p95_ms: 2,
        io_p99_ms: 3,
        decode_p50_ms: 1,
        decode_p95_ms: 2,
        decode_p99_ms: 3,
      },
    })
  })

  test('of all ranks sum up, and last from the first start to the last end', async () => {
    const [first, second] = (await reports()) as [RankReport, RankReport]
    expect(aggregate([second, first], 0.75)).toEqual({
      total_ranks: 2,
      global_metrics: {
        total_throughput_gib_s: 0.5,
        total_files_processed: 30,
        total_bytes_read: 2 ** 31,
        global_runtime_seconds: 4.5,
        global_au: expect.closeTo(0.755, 12),
        pass: true,
      },
      rank_details: [first, second],
    })
    expect(aggregate([first, second], 0.8).global_metrics.pass).toBe(false)
  })

  test('for MLPerf have percentiles of steps, storage and decoding', async () => {
    const { workload } = await place.config()
    expect(mlperfReport(workload, figures(0), { a: 1 }, { headrace: '1' })).toEqual({
      benchmark_name: 'minimal',
      backend_type: 'file',
      framework: 'pytorch',
      total_samples: 30,
      total_bytes: 2 ** 30,
      throughput_samples_per_sec: 7.5,
      p50_ms: 1,
      p95_ms: 2,
      p99_ms: 3,
      io_p50_ms: 1,
      io_p95_ms: 2,
      io_p99_ms: 3,
      decode_p50_ms: 1,
      decode_p95_ms: 2,
      decode_p99_ms: 3,
      h2d_p50_ms: 0,
      h2d_p95_ms: 0,
      h2d_p99_ms: 0,
      config: { a: 1 },
      versions: { headrace: '1' },
      total_execution_time_secs: 4,
      access_order_sample: ['train/img_00_of_12.npz 0', 'train/img_00_of_12.npz 1'],
    })
  })

  test('as CSV are a line of names and one of values', () => {
    expect(csvOf({ a: 1, b: { c: 'x,y', d: ['p', 'q'] }, 'e"': null })).toBe('a,b.c,b.d,"e"""\n1,"x,y",p q,null\n')
  })
})

describe('files of reports', () => {
  test('are found by a pattern', async () => {
    const [first, second] = await reports()
    writeFileSync(join(folder, 'rank_1.json'), JSON.stringify(second))
    writeFileSync(join(folder, 'rank_0.json'), JSON.stringify(first))
    writeFileSync(join(folder, 'notes.txt'), 'no report')
    expect(readReports(join(folder, '*.json'))).toEqual([first, second])
    expect(readReports(join(folder, 'rank_1.json'))).toEqual([second])
  })

  test('that are none, damaged or of one rank twice are refused', async () => {
    const [first] = await reports()
    expect(() => readReports(join(folder, '*.json'))).toThrow('no file is named by')
    writeFileSync(join(folder, 'a.json'), JSON.stringify(first))
    writeFileSync(join(folder, 'b.json'), JSON.stringify(first))
    const error = (pattern: string) => {
      try {
        readReports(join(folder, pattern))
      } catch (thrown) {
        return thrown
      }
      return undefined
    }
    expect(error('*.json')).toEqual(failing('E_CORRUPT', 'rank 0 comes twice'))
    writeFileSync(join(folder, 'b.json'), '{')
    expect(error('b.json')).toEqual(failing('E_CORRUPT', 'b.json is no JSON'))
    writeFileSync(join(folder, 'b.json'), '{"rank": 0}')
    expect(error('b.json')).toEqual(failing('E_CORRUPT', 'b.json is no report of a rank'))
  })
})
