import { secondsBetween } from './clock.ts'
import type { EpochLog } from './epoch-log.ts'
import { stepSpans } from './epoch-log.ts'
import { epochMetrics, MB, type MetricRules, type Metrics, spread } from './metrics.ts'

/** Of training or of evaluations, over the run. */
export interface PhaseSummary {
  /** Percent, one an epoch. */
  readonly au: readonly number[]
  readonly auMean: number
  readonly auStdev: number
  readonly meets: boolean
  /** Samples a second of all ranks, one an epoch. */
  readonly throughput: readonly number[]
  readonly throughputMean: number
  readonly throughputStdev: number
  /** 2^20 bytes a second. */
  readonly mbMean: number
  readonly mbStdev: number
}

export interface Spread {
  readonly mean: number
  readonly stdev: number
}

export interface CheckpointSummary {
  /** 2^30 bytes a second. */
  readonly rate: Spread
  /** Seconds. */
  readonly duration: Spread
}

export interface RunSummary {
  readonly save?: CheckpointSummary
  readonly load?: CheckpointSummary
  /** Of 2^30 bytes. */
  readonly checkpointGb?: number
  readonly train?: PhaseSummary
  readonly evaluation?: PhaseSummary
}

/** What one rank knows of the run when it is over: its epochs, in order. */
export interface RankMetrics {
  readonly train: readonly Metrics[]
  readonly evaluation: readonly Metrics[]
}

export function rankMetrics(epochs: readonly EpochLog[]): RankMetrics {
  const train: Metrics[] = []
  const evaluation: Metrics[] = []
  for (const epoch of epochs) {
    const spans = stepSpans(epoch)
    const blocks = spans.filter(({ name }) => name !== 'eval')
    if (blocks.length > 0)
      train.push(epochMetrics(blocks.map(({ metrics, times }) => ({ metrics, steps: times.compute.length }))))
    for (const { name, metrics } of spans) if (name === 'eval') evaluation.push(metrics)
  }
  return { train, evaluation }
}

/** `auGoal`: percent. `recordBytes`: of a sample, as the config has it. */
function phaseSummary(
  au: readonly number[],
  throughput: readonly number[],
  recordBytes: number,
  auGoal: number,
): PhaseSummary {
  const ofAu = spread(au)
  const rate = spread(throughput)
  return {
    au,
    auMean: ofAu.mean,
    auStdev: ofAu.stdev,
    meets: ofAu.mean >= auGoal,
    throughput,
    throughputMean: rate.mean,
    throughputStdev: rate.stdev,
    mbMean: (rate.mean * recordBytes) / MB,
    mbStdev: (rate.stdev * recordBytes) / MB,
  }
}

/** The ranks' epochs side by side: AU is their mean, throughput their sum. */
function together(ranks: readonly (readonly Metrics[])[]): { readonly au: number[]; readonly throughput: number[] } {
  const epochs = Math.min(...ranks.map((each) => each.length))
  const au: number[] = []
  const throughput: number[] = []
  for (let epoch = 0; epoch < epochs; epoch++) {
    const all = ranks.flatMap((each) => each[epoch] ?? [])
    au.push(all.reduce((sum, each) => sum + each.au, 0) / all.length)
    throughput.push(all.reduce((sum, each) => sum + each.throughput, 0))
  }
  return { au, throughput }
}

/** DLIO strings the ranks' evaluations together, and divides by the number of ranks all the same. */
function strungTogether(ranks: readonly (readonly Metrics[])[]) {
  const all = ranks.flat()
  return { au: all.map(({ au }) => au / ranks.length), throughput: all.map(({ throughput }) => throughput) }
}

/** Training and evaluation of all ranks. `auGoal`: 0 to 1. */
export function summarize(
  ranks: readonly RankMetrics[],
  recordBytes: number,
  auGoal: number,
  rules: MetricRules,
): Pick<RunSummary, 'train' | 'evaluation'> {
  const train = together(ranks.map((rank) => rank.train))
  const evaluations = ranks.map((rank) => rank.evaluation)
  const evaluation = rules.evaluations === 'rank' ? strungTogether(evaluations) : together(evaluations)
  const of = ({ au, throughput }: { au: number[]; throughput: number[] }) =>
    phaseSummary(au, throughput, recordBytes, auGoal * 100)
  return {
    ...(train.au.length > 0 && { train: of(train) }),
    ...(evaluation.au.length > 0 && { evaluation: of(evaluation) }),
  }
}

/** Of one rank's checkpoints of a kind; undefined where there are none. */
export function checkpointSummary(epochs: readonly EpochLog[], kind: 'save' | 'load'): CheckpointSummary | undefined {
  const spans = epochs.flatMap((epoch) =>
    epoch.spans.flatMap((span) => (span.kind === 'checkpoint' && span.name.startsWith(`${kind}_`) ? [span] : [])),
  )
  if (spans.length === 0) return undefined
  return {
    rate: spread(spans.map(({ throughput }) => throughput)),
    duration: spread(spans.map(({ start, end }) => secondsBetween(start, end))),
  }
}
