import { Histogram, type Percentiles, percentilesOf } from '../../../histogram.ts'
import { type RankDigest, SPREAD_COLUMNS, type SpreadColumn } from './digest.ts'
import type { RunSummary } from './summary.ts'
import type { EpochUsage } from './usage.ts'
import { fromPageCache, type RunFigures, type Verdict, verdictOf } from './verdict.ts'

/** What a run came to, beyond DLIO's own files; plain data. */
export interface RunReport {
  readonly outputFolder: string
  readonly ranks: number
  /** Why it did not come to its end; its figures are those of what was done. */
  readonly partial?: string
  readonly summary: RunSummary
  /** Percent. */
  readonly auGoal: number
  readonly epochs: readonly EpochReport[]
  /** Over the steps that count, ms. */
  readonly steps: Readonly<Record<SpreadColumn, Percentiles | null>>
  readonly figures: RunFigures
  readonly fromPageCache: boolean
  /** What counted the device's bytes: "vda", "cgroup", "process", "memory". */
  readonly deviceSource?: string
  /** Samples that could not be read. */
  readonly faults: number
  readonly notes: readonly string[]
  readonly verdict: Verdict
}

/** Training in one epoch, all ranks together. */
export interface EpochReport {
  readonly epoch: number
  readonly steps: number
  readonly samples: number
  /** Seconds that its blocks took on the slowest rank. */
  readonly wall: number
  /** Samples a second, by DLIO's formula and by the clock. */
  readonly throughput: number
  readonly wallThroughput: number
  /** That was asked for, and what the device delivered; absent where nobody counts. */
  readonly askedBytes: number
  readonly deviceBytes?: number
}

/** DLIO's throughput misleads where it is off by more than so much. */
const MISLEADING = 0.1

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** Ranks on the host of rank 0, whose counters are looked at. */
function here(ranks: readonly RankDigest[]): readonly RankDigest[] {
  return ranks.filter(({ hostname }) => hostname === ranks[0]?.hostname)
}

/**
 * Bytes that really came in an epoch, or in all: the device counts what others read too, and processes what they alone
 * made it read; the truth is not more than the smaller.
 */
function deviceBytes(ranks: readonly RankDigest[], epoch?: number): number | undefined {
  const local = here(ranks)
  const of = (usage: readonly EpochUsage[], column: 'deviceBytes' | 'processBytes') => {
    const counts = usage.filter((each) => epoch === undefined || each.epoch === epoch).map((each) => each[column])
    return counts.length === 0 || counts.some((count) => count === undefined)
      ? Number.POSITIVE_INFINITY
      : sum(counts.map((count) => count ?? 0))
  }
  const device = of(local[0]?.usage ?? [], 'deviceBytes')
  const own = sum(local.map(({ usage }) => of(usage, 'processBytes')))
  const least = Math.min(device, own)
  return Number.isFinite(least) ? least : undefined
}

function epochReports(ranks: readonly RankDigest[], summary: RunSummary): EpochReport[] {
  const epochs = ranks[0]?.epochs ?? []
  return epochs.map(({ epoch }, i) => {
    const of = ranks.flatMap((rank) => rank.epochs.filter((each) => each.epoch === epoch))
    const samples = sum(of.map((each) => each.samples))
    const wall = Math.max(...of.map((each) => each.wall))
    const device = deviceBytes(ranks, epoch)
    const local = here(ranks).flatMap((rank) => rank.epochs.filter((each) => each.epoch === epoch))
    return {
      epoch,
      steps: Math.max(...of.map((each) => each.steps)),
      samples,
      wall,
      throughput: summary.train?.throughput[i] ?? 0,
      wallThroughput: wall === 0 ? 0 : samples / wall,
      askedBytes: sum(local.map((each) => each.bytes)),
      ...(device !== undefined && { deviceBytes: device }),
    }
  })
}

function figuresOf(ranks: readonly RankDigest[], summary: RunSummary, auGoal: number, readThreads: number): RunFigures {
  const columns = (name: 'load' | 'compute' | 'asked' | 'barrier' | 'storage' | 'decode' | 'preprocess' | 'idle') =>
    sum(ranks.map(({ sums }) => sums[name]))
  const local = here(ranks)
  const usage = local[0]?.usage ?? []
  const cores = local[0]?.cores ?? 1
  const total = sum(usage.map((each) => each.total ?? 0))
  const busy = sum(usage.map((each) => each.busy ?? 0))
  const wall = sum(usage.map((each) => each.wall))
  const own = sum(local.map((rank) => sum(rank.usage.map((each) => each.own))))
  const device = deviceBytes(ranks)
  const calibrated = ranks.flatMap(({ calibratedAu }) => calibratedAu ?? [])
  return {
    ranks: ranks.length,
    au: summary.train?.auMean ?? summary.evaluation?.auMean ?? 0,
    goal: auGoal,
    load: columns('load'),
    compute: columns('compute'),
    asked: columns('asked'),
    barrier: columns('barrier'),
    engine: sum(ranks.map(({ engine }) => engine)),
    steps: sum(ranks.map(({ steps }) => steps)),
    readThreads,
    storage: columns('storage'),
    decode: columns('decode'),
    preprocess: columns('preprocess'),
    idle: columns('idle'),
    rankSteps: ranks.map(({ sums, steps }) => (steps === 0 ? 0 : (sums.load + sums.compute) / steps)),
    cores,
    ...(total > 0 && wall > 0 && cpuShares(busy / total, own / (wall * cores))),
    askedBytes: sum(local.map(({ asked }) => asked)),
    ...(device !== undefined && { deviceBytes: device }),
    ...(calibrated.length > 0 && { calibratedAu: sum(calibrated) / calibrated.length }),
  }
}

/** Of the processors that there are for the run. A group's quota may be used up while they idle. */
function cpuShares(busy: number, own: number): { readonly hostCpu: number; readonly ownCpu: number } {
  const ownCpu = Math.min(1, own)
  return { hostCpu: Math.max(busy, ownCpu), ownCpu }
}

/** Where DLIO's formula and the clock disagree. */
function misleading(epochs: readonly EpochReport[], ranks: readonly RankDigest[]): string[] {
  return epochs.flatMap(({ epoch, steps, samples, wall, throughput, wallThroughput }) => {
    if (wallThroughput === 0 || Math.abs(throughput / wallThroughput - 1) <= MISLEADING) return []
    const first = ranks[0]?.epochs.find((each) => each.epoch === epoch)?.firstStep ?? 0
    const share = Math.round((100 * first) / wall)
    const why = share >= 5 ? `: the first step, which the formula leaves out, took ${share} % of the time` : ''
    return [
      `Epoch ${epoch}: by DLIO's formula ${throughput.toFixed(1)} samples/s, but ${samples} samples took ${wall.toFixed(2)} s, which is ${wallThroughput.toFixed(1)} samples/s; with ${steps} steps the formula misleads${why}.`,
    ]
  })
}

/** AU counts computation that took longer as computation. */
function slowComputation({ asked, compute, steps }: RunFigures): string[] {
  if (asked === 0 || compute / asked < 1 + MISLEADING) return []
  const each = (seconds: number) => `${((1000 * seconds) / steps).toFixed(2)} ms`
  return [
    `Computation took ${each(compute)} a step where ${each(asked)} were asked for: its thread had no processor in time, and AU is higher than it should be.`,
  ]
}

/** Where nobody counts what the device delivers, why. */
function uncounted(ranks: readonly RankDigest[], { askedBytes }: RunFigures): string[] {
  const unknown = ranks[0]?.deviceUnknown
  return unknown === undefined || askedBytes === 0 ? [] : [`What the device delivered is not known: ${unknown}.`]
}

export interface ReportOptions {
  readonly outputFolder: string
  /** 0 to 1. */
  readonly auGoal: number
  readonly readThreads: number
  readonly partial?: string
}

export function reportOf(ranks: readonly RankDigest[], summary: RunSummary, options: ReportOptions): RunReport {
  const { outputFolder, readThreads, partial } = options
  const auGoal = options.auGoal * 100
  const epochs = epochReports(ranks, summary)
  const figures = figuresOf(ranks, summary, auGoal, readThreads)
  const spreadOf = (name: SpreadColumn) => {
    const histogram = new Histogram()
    for (const { spreads } of ranks) histogram.add(spreads[name])
    return percentilesOf(histogram) ?? null
  }
  const source = ranks[0]?.deviceSource
  return {
    outputFolder,
    ranks: ranks.length,
    ...(partial !== undefined && { partial }),
    summary,
    auGoal,
    epochs,
    steps: Object.fromEntries(SPREAD_COLUMNS.map((name) => [name, spreadOf(name)])) as RunReport['steps'],
    figures,
    fromPageCache: fromPageCache(figures),
    ...(source !== undefined && { deviceSource: source }),
    faults: sum(ranks.map(({ faults }) => faults)),
    notes: [...misleading(epochs, ranks), ...slowComputation(figures), ...uncounted(ranks, figures)],
    verdict: verdictOf(figures),
  }
}
