import { describe, expect, test } from 'vitest'
import { isoLocal } from '../../../../src/benchmark/dlio/run/clock.ts'
import { factsOf, type HostFacts } from '../../../../src/benchmark/dlio/run/host.ts'
import { metricBlock } from '../../../../src/benchmark/dlio/run/metric-block.ts'
import { metricRules } from '../../../../src/benchmark/dlio/run/metrics.ts'
import { perEpochStats, rankOutput, summaryOutput } from '../../../../src/benchmark/dlio/run/outputs.ts'
import { type PythonValue, pythonJson } from '../../../../src/benchmark/dlio/run/python-json.ts'
import {
  checkpointSummary,
  type RunSummary,
  rankMetrics,
  summarize,
} from '../../../../src/benchmark/dlio/run/summary.ts'
import { GOLDEN_RUNS, type GoldenRun, goldenEpochs, goldenRun, micros } from './golden.ts'

const textOf = (value: PythonValue) => [...pythonJson(value)].join('')

interface GoldenHost {
  readonly host_memory_GB: number | number[]
  readonly host_cpu_count: number | number[]
  readonly host_cpuinfo: Record<string, string>
  readonly host_meminfo: Record<string, string>
  readonly hostname: string
}

function hostOf(golden: GoldenHost): HostFacts {
  return {
    hostname: golden.hostname,
    memoryGb: [golden.host_memory_GB].flat()[0] as number,
    cpus: [golden.host_cpu_count].flat()[0] as number,
    cpuinfo: new Map(Object.entries(golden.host_cpuinfo)),
    meminfo: new Map(Object.entries(golden.host_meminfo)),
  }
}

function summaryOf(run: GoldenRun): RunSummary {
  const ranks = Array.from({ length: run.ranks }, (_, rank) => rankMetrics(goldenEpochs(run, rank)))
  const epochs = goldenEpochs(run, 0)
  const save = checkpointSummary(epochs, 'save')
  const load = checkpointSummary(epochs, 'load')
  const { metric } = run.json<{ metric: { checkpoint_size_GB?: number } }>('summary.json')
  return {
    ...(save && { save }),
    ...(load && { load }),
    ...(metric.checkpoint_size_GB !== undefined && { checkpointGb: metric.checkpoint_size_GB }),
    ...summarize(ranks, run.recordBytes, 0.9, metricRules(run.profile)),
  }
}

describe.each(GOLDEN_RUNS.map(goldenRun))('the files of $name', (run) => {
  test('of each rank are written as DLIO writes them, byte for byte', () => {
    for (let rank = 0; rank < run.ranks; rank++) {
      const epochs = goldenEpochs(run, rank)
      expect(textOf(perEpochStats(epochs))).toBe(run.text(`${rank}_per_epoch_stats.json`))
      const host = hostOf(run.json<GoldenHost>(`${rank}_output.json`))
      expect(textOf(rankOutput(host, true, epochs))).toBe(run.text(`${rank}_output.json`))
    }
  })

  test('have a summary with the same keys, in the same order, of the same types', () => {
    const golden = run.json<GoldenHost & { start: string; end: string; [key: string]: unknown }>('summary.json')
    const host = hostOf(golden)
    const text = textOf(
      summaryOutput({
        start: micros(golden.start),
        end: micros(golden.end),
        ranks: run.ranks,
        host,
        hosts: [host],
        filesTrain: golden.num_files_train as number,
        filesValid: golden.num_files_eval as number,
        samplesPerFile: golden.num_samples_per_file as number,
        dataPerHostGb: golden.data_size_per_host_GB as number,
        epochs: golden.epochs as number,
        summary: summaryOf(run),
      }),
    )
    // Sums in another order may differ in their last digits.
    const rounded = (json: string) => json.replaceAll(/\d+\.\d{8,}(?!e)/g, (digits) => Number(digits).toFixed(8))
    expect(rounded(text)).toBe(rounded(run.text('summary.json')))
  })
})

// Several ranks of DLIO delete each other's log.
test.each(GOLDEN_RUNS.map(goldenRun).filter(({ log }) => log.length > 1))(
  'the log of $name ends with the same block of figures',
  (run) => {
    const { units } = metricRules(run.profile)
    const from = run.log.findIndex((line) => line.includes('Averaged metric'))
    const block = metricBlock(summaryOf(run), run.ranks, units, run.checkpoints)
    expect(`[OUTPUT] ${block.join('\n')}`.split('\n')).toEqual(run.log.slice(from, from + block.length))
  },
)

test('a partial summary says so behind all others', () => {
  const host: HostFacts = { hostname: 'h', memoryGb: 1, cpus: 1, cpuinfo: undefined, meminfo: undefined }
  const text = textOf(
    summaryOutput({
      start: 0,
      end: 0,
      ranks: 1,
      host,
      hosts: [host],
      filesTrain: 1,
      filesValid: 0,
      samplesPerFile: 1,
      dataPerHostGb: 2,
      epochs: 0,
      summary: {},
      partial: 'the run was interrupted',
    }),
  )
  expect(text).toContain('"metric": {},')
  expect(text).toContain('"potential_caching": [\n        0\n    ],')
  expect(text.endsWith('"partial": "the run was interrupted"\n}')).toBe(true)
})

test('time stamps have six digits behind the second', () => {
  const time = new Date(2026, 0, 2, 3, 4, 5).getTime() * 1000
  expect(isoLocal(time)).toBe('2026-01-02T03:04:05.000000')
  expect(isoLocal(time + 20_019)).toBe('2026-01-02T03:04:05.020019')
})

test("facts of the host are the last processor's, without its number", () => {
  const facts = factsOf('processor\t: 0\nflags\t\t: a b\nbugs\t:\nodd: line: here\n\nprocessor\t: 1\nflags\t\t: c\n')
  expect([...facts]).toEqual([
    ['flags', 'c'],
    ['bugs', ''],
  ])
})
