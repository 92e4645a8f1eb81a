import { describe, expect, test } from 'vitest'
import { stepSpans } from '../../../../src/benchmark/dlio/run/epoch-log.ts'
import {
  computeSpread,
  epochMetrics,
  evalMetrics,
  type Metrics,
  metricRules,
  type StepTimes,
  trainMetrics,
} from '../../../../src/benchmark/dlio/run/metrics.ts'
import { checkpointSummary, rankMetrics, summarize } from '../../../../src/benchmark/dlio/run/summary.ts'
import { GOLDEN_RUNS, type GoldenRun, goldenEpochs, goldenRun } from './golden.ts'

const RUNS = GOLDEN_RUNS.map(goldenRun)
const trained = RUNS.filter(({ name }) => !name.startsWith('ck_'))
const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0)

/** The wall time that a golden's AU was counted with: only its digits in the log are known otherwise. */
function wallOf(
  times: StepTimes,
  { au }: Metrics,
  { excludeStartSteps, excludeEndSteps }: GoldenRun['window'],
  steps: number,
): number {
  const behind = Math.min(times.compute.length, steps - excludeEndSteps)
  const left = [...times.proc.subarray(0, excludeStartSteps), ...times.proc.subarray(behind)]
  return (100 * sum(times.compute.subarray(excludeStartSteps, behind))) / au + sum(left)
}

describe.each(trained)('the run $name', (run) => {
  const rules = metricRules(run.profile)

  test('has the AU and the throughput that follow from its times', () => {
    for (let rank = 0; rank < run.ranks; rank++)
      for (const epoch of goldenEpochs(run, rank)) {
        const spans = stepSpans(epoch)
        const planned = sum(spans.flatMap(({ name, times }) => (name === 'eval' ? [] : [times.compute.length])))
        for (const { name, times, metrics } of spans) {
          if (metrics.au === 0) continue
          const steps = name === 'eval' ? times.compute.length : planned
          const wall = wallOf(times, metrics, run.window, steps)
          // The clock was read again for the time stamps.
          expect(Math.abs(wall - times.wall)).toBeLessThan(0.02)
          const found =
            name === 'eval'
              ? evalMetrics({ ...times, wall }, run.batchSizeEval, run.window, steps, rules)
              : trainMetrics({ ...times, wall }, run.batchSize, run.window, steps, rules)
          expect(found.au).toBeCloseTo(metrics.au, 9)
          expect(found.throughput / metrics.throughput).toBeCloseTo(1, 9)
        }
      }
  })

  test('has the summary that follows from its epochs', () => {
    const ranks = Array.from({ length: run.ranks }, (_, rank) => rankMetrics(goldenEpochs(run, rank)))
    const { metric } = run.json<{ metric: Record<string, number | number[] | string> }>('summary.json')
    const { train, evaluation } = summarize(ranks, run.recordBytes, 0.9, rules)
    for (const [name, of] of [
      ['train', train],
      ['eval', evaluation],
    ] as const) {
      if (of === undefined) {
        expect(metric[`${name}_au_percentage`]).toBeUndefined()
        continue
      }
      const wanted = (key: string) => metric[`${name}_${key}`] as number
      expectClose(of.au, metric[`${name}_au_percentage`] as number[])
      expectClose(of.throughput, metric[`${name}_throughput_samples_per_second`] as number[])
      expectClose(
        [of.auMean, of.auStdev, of.throughputMean, of.throughputStdev, of.mbMean, of.mbStdev],
        [
          wanted('au_mean_percentage'),
          wanted('au_stdev_percentage'),
          wanted('throughput_mean_samples_per_second'),
          wanted('throughput_stdev_samples_per_second'),
          wanted('io_mean_MB_per_second'),
          wanted('io_stdev_MB_per_second'),
        ],
      )
      expect(metric[`${name}_au_meet_expectation`]).toBe(of.meets ? 'success' : 'fail')
    }
  })

  test('logs the computation time of the steps that count', () => {
    for (const epoch of goldenEpochs(run, 0))
      for (const { name, times } of stepSpans(epoch)) {
        if (name === 'eval') continue
        const planned = sum(
          stepSpans(epoch).flatMap((span) => (span.name === 'eval' ? [] : [span.times.compute.length])),
        )
        const { mean, stdev } = computeSpread(times.compute, run.window, planned, rules)
        const title = `Epoch ${epoch.epoch} - Block ${name.slice('block'.length)} [Training] Computation time`
        const line = run.log.find((each) => each.includes(title)) ?? ''
        const text = (value: number) => (Number.isNaN(value) ? 'nan' : value.toFixed(4))
        expect(line).toContain(`: ${text(mean)}+/-${text(stdev)} (set value: {`)
      }
  })
})

test.each(RUNS.filter(({ name }) => name.startsWith('ck_')))('the checkpoints of $name sum up', (run) => {
  const { metric } = run.json<{ metric: Record<string, number> }>('summary.json')
  for (const kind of ['save', 'load'] as const) {
    const summary = checkpointSummary(goldenEpochs(run, 0), kind)
    expectClose(
      [summary?.rate.mean, summary?.rate.stdev, summary?.duration.mean, summary?.duration.stdev].flatMap(
        (v) => v ?? [],
      ),
      [
        metric[`${kind}_checkpoint_io_mean_GB_per_second`],
        metric[`${kind}_checkpoint_io_stdev_GB_per_second`],
        metric[`${kind}_checkpoint_duration_mean_seconds`],
        metric[`${kind}_checkpoint_duration_stdev_seconds`],
      ].flatMap((v) => v ?? []),
    )
  }
})

function expectClose(found: readonly number[], wanted: readonly number[]): void {
  expect(found).toHaveLength(wanted.length)
  for (const [i, value] of found.entries())
    expect(Math.abs(value - (wanted[i] as number))).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(value)))
}

describe('where the lines of DLIO differ', () => {
  const steps = (count: number): StepTimes => ({
    load: new Float64Array(count).fill(0.1),
    proc: new Float64Array(count).fill(0.2),
    compute: new Float64Array(count).fill(0.1),
    wall: count * 0.2,
  })
  const window = { excludeStartSteps: 1, excludeEndSteps: 1 }

  test('throughput counts the steps of the window, or all but two', () => {
    const of = (profile: Parameters<typeof metricRules>[0]) =>
      trainMetrics(steps(10), 4, { excludeStartSteps: 1, excludeEndSteps: 0 }, 10, metricRules(profile)).throughput
    expect(of('default')).toBeCloseTo((9 / 1.8) * 4)
    expect(of('mlcommons-fork')).toBeCloseTo((9 / 1.8) * 4)
    expect(of('dlio')).toBeCloseTo((8 / 1.8) * 4)
    expect(of('mlperf-v2')).toBeCloseTo((8 / 1.8) * 4)
  })

  test('the end that does not count is that of the block, or of the epoch', () => {
    const of = (profile: Parameters<typeof metricRules>[0]) =>
      trainMetrics(steps(4), 1, window, 8, metricRules(profile))
    // Two of four steps: 0.2 of 0.4 s.
    expect(of('default').throughput).toBeCloseTo(2 / 0.4)
    // Three of four, of which DLIO counts two.
    expect(of('dlio').throughput).toBeCloseTo(2 / 0.6)
    expect(of('mlcommons-fork').throughput).toBeCloseTo(3 / 0.6)
  })

  test('a block that is shorter than what does not count, counts whole by default', () => {
    expect(trainMetrics(steps(2), 3, window, 2, metricRules('default'))).toEqual({
      au: expect.closeTo(50),
      throughput: expect.closeTo((2 / 0.4) * 3),
    })
    expect(trainMetrics(steps(2), 3, window, 2, metricRules('dlio'))).toEqual({ au: 0, throughput: 0 })
  })

  test('a block without steps has no figures by default, and a negative throughput in DLIO', () => {
    const empty = { ...steps(0), wall: 0.001 }
    expect(trainMetrics(empty, 2, window, 8, metricRules('default'))).toEqual({ au: 0, throughput: 0 })
    expect(trainMetrics(empty, 2, window, 8, metricRules('dlio'))).toEqual({ au: 0, throughput: -4000 })
  })

  test('evaluations of two ranks are one figure an epoch by default', () => {
    const ranks = [1, 2].map((rank) => ({
      train: [],
      evaluation: [
        { au: 40 * rank, throughput: rank },
        { au: 30, throughput: 10 * rank },
      ],
    }))
    expect(summarize(ranks, 1, 0.9, metricRules('default')).evaluation).toMatchObject({
      au: [60, 30],
      throughput: [3, 30],
    })
    expect(summarize(ranks, 1, 0.9, metricRules('dlio')).evaluation).toMatchObject({
      au: [20, 15, 40, 15],
      throughput: [1, 10, 2, 20],
    })
  })
})

test('an epoch is the mean of its blocks by their steps', () => {
  const block = (au: number, throughput: number, count: number) => ({ metrics: { au, throughput }, steps: count })
  expect(epochMetrics([block(90, 10, 3), block(50, 2, 1), block(0, -7, 0)])).toEqual({ au: 80, throughput: 8 })
  expect(epochMetrics([])).toEqual({ au: 0, throughput: 0 })
})
