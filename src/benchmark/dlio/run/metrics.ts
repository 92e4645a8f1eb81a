import type { Profile } from '../types.ts'

/**
 * DLIO's figures as pure functions of the times of steps. All times are seconds.
 *
 * AU of a block: the computation of the steps that count, over the block's wall time without the steps that do not count.
 * Throughput: samples over the same time. What counts is a window that leaves out steps at the start and the end.
 */

/** The steps of a block or of an evaluation. */
export interface StepTimes {
  /** Waiting for the batch. */
  readonly load: Float64Array
  /** `load` and computation. */
  readonly proc: Float64Array
  readonly compute: Float64Array
  /** Of the whole block, from before its first step to behind its last barrier. */
  readonly wall: number
}

export interface Window {
  readonly excludeStartSteps: number
  readonly excludeEndSteps: number
}

export interface MetricRules {
  /** `block`: the end that is left out is the block's own. `epoch`: it is counted in steps of the epoch, as in DLIO. */
  readonly endOf: 'block' | 'epoch'
  /** Steps that throughput counts: those of the window, or (in DLIO) all but two whatever the window is. */
  readonly throughput: 'window' | 'all-but-two'
  /** Whether a block that is shorter than what is left out counts whole. */
  readonly shortBlocksCount: boolean
  /** Evaluations of several ranks: one figure an epoch, or (in DLIO) one a rank and epoch. */
  readonly evaluations: 'epoch' | 'rank'
  /** What the console calls 2^20 and 2^30 bytes. */
  readonly units: 'decimal' | 'binary'
}

const UPSTREAM: MetricRules = {
  endOf: 'epoch',
  throughput: 'all-but-two',
  shortBlocksCount: false,
  evaluations: 'rank',
  units: 'decimal',
}

const RULES: Readonly<Record<Profile, MetricRules>> = {
  default: {
    endOf: 'block',
    throughput: 'window',
    shortBlocksCount: true,
    evaluations: 'epoch',
    units: 'decimal',
  },
  dlio: UPSTREAM,
  'mlperf-v2': UPSTREAM,
  'mlcommons-fork': { ...UPSTREAM, throughput: 'window', units: 'binary' },
}

export function metricRules(profile: Profile): MetricRules {
  return RULES[profile]
}

export interface Metrics {
  /** Percent. */
  readonly au: number
  /** Samples a second, of one rank. */
  readonly throughput: number
}

/** First step that counts, and the one behind the last. */
function windowOf(steps: number, { excludeStartSteps, excludeEndSteps }: Window, rules: MetricRules, planned: number) {
  const behind = (rules.endOf === 'epoch' ? planned : steps) - excludeEndSteps
  const first = Math.min(excludeStartSteps, steps)
  const last = Math.max(first, Math.min(behind, steps))
  return first === last && rules.shortBlocksCount ? { first: 0, last: steps } : { first, last }
}

function sum(values: Float64Array): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** Time and computation of the window. */
function windowTimes(
  times: StepTimes,
  first: number,
  last: number,
): { readonly time: number; readonly compute: number } {
  const { wall, proc, compute } = times
  return {
    time: wall - sum(proc.subarray(0, first)) - sum(proc.subarray(last)),
    compute: sum(compute.subarray(first, last)),
  }
}

/** `planned`: steps of the epoch. */
export function trainMetrics(
  times: StepTimes,
  batchSize: number,
  window: Window,
  planned: number,
  rules: MetricRules,
): Metrics {
  const steps = times.compute.length
  const { first, last } = windowOf(steps, window, rules, planned)
  const { time, compute } = windowTimes(times, first, last)
  const counted = rules.throughput === 'window' ? last - first : steps - 2
  return {
    au: compute === 0 ? 0 : (100 * compute) / time,
    throughput: counted === 0 ? 0 : (counted / time) * batchSize,
  }
}

/** Throughput of an evaluation is that of all its steps, over all its wall time. */
export function evalMetrics(
  times: StepTimes,
  batchSize: number,
  window: Window,
  planned: number,
  rules: MetricRules,
): Metrics {
  const steps = times.compute.length
  const { first, last } = windowOf(steps, window, rules, planned)
  const { time, compute } = windowTimes(times, first, last)
  return {
    au: compute === 0 ? 0 : (100 * compute) / time,
    throughput: steps === 0 ? 0 : (steps / times.wall) * batchSize,
  }
}

/** Of the computation that counts, for the log; NaN where nothing does. */
export function computeSpread(
  compute: Float64Array,
  window: Window,
  planned: number,
  rules: MetricRules,
): { readonly mean: number; readonly stdev: number } {
  const { first, last } = windowOf(compute.length, window, rules, planned)
  return spread(compute.subarray(first, last))
}

/** An epoch from its blocks: means, weighted by steps. */
export function epochMetrics(blocks: readonly { readonly metrics: Metrics; readonly steps: number }[]): Metrics {
  let steps = 0
  let au = 0
  let throughput = 0
  for (const block of blocks) {
    steps += block.steps
    au += block.metrics.au * block.steps
    throughput += block.metrics.throughput * block.steps
  }
  return steps === 0 ? { au: 0, throughput: 0 } : { au: au / steps, throughput: throughput / steps }
}

/** Mean and standard deviation of the population; NaN where there is none. */
export function spread(values: ArrayLike<number>): { readonly mean: number; readonly stdev: number } {
  const all = Float64Array.from(values)
  const mean = sum(all) / all.length
  return { mean, stdev: Math.sqrt(sum(all.map((value) => (value - mean) ** 2)) / all.length) }
}

/** 2^20 bytes. */
export const MB = 2 ** 20
/** 2^30 bytes. */
export const GB = 2 ** 30
