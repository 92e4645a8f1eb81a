import { DataSet } from '../../../generate/data-set.ts'
import { Histogram } from '../../../histogram.ts'
import { trainSteps } from '../plan.ts'
import type { RankContext } from './context.ts'
import { EpochOrder, rankShare } from './order.ts'
import type { RankResult } from './rank-result.ts'
import { columnSums } from './step-records.ts'
import { rankMetrics } from './summary.ts'

/** ms. */
export interface Quantiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** What one rank did, from its first step to its last; plain data. */
export interface RankFigures {
  readonly rank: number
  readonly ranks: number
  /** Milliseconds since 1970. */
  readonly started: number
  readonly ended: number
  readonly steps: number
  readonly samples: number
  readonly bytesRead: number
  /** Of checkpoints. */
  readonly bytesWritten: number
  /** Seconds: of its blocks and evaluations, and of everything in them. */
  readonly wall: number
  readonly load: number
  readonly compute: number
  readonly storage: number
  readonly decode: number
  /** Percent: mean over epochs. */
  readonly au: number
  /** Of loading and computing; of storage and of decoding in the reader; of steps. */
  readonly quantiles: Readonly<Record<'proc' | 'storage' | 'decode', Quantiles>>
  /** The first samples of the first epoch: "train/img_0_of_8.npz 0". */
  readonly firstSamples: readonly string[]
}

/** Samples of which the order is told. */
const TOLD = 10

function quantilesOf(columns: readonly Float64Array[]): Quantiles {
  const histogram = new Histogram()
  for (const column of columns) for (const value of column) histogram.record(value * 1000)
  return { p50: histogram.quantile(0.5), p95: histogram.quantile(0.95), p99: histogram.quantile(0.99) }
}

function firstSamples({ workload, comm, plan }: RankContext, result: RankResult): string[] {
  const { data, reader } = workload
  const { order } = result
  if (order === undefined || plan.stepsPerEpoch === 0) return []
  const length = trainSteps(workload, comm.size).files * data.samplesPerFile
  const { start, end } = rankShare(length, plan.stepsPerEpoch, reader.batchSize, comm.rank, comm.size)
  const files = new Float64Array(Math.max(0, Math.min(TOLD, end - start)))
  const samples = new Float64Array(files.length)
  new EpochOrder(order, 1).fill(start, files, samples)
  const set = new DataSet(data)
  return Array.from(files, (file, i) => `${set.key(file)} ${samples[i]}`)
}

export function rankFigures(context: RankContext, result: RankResult): RankFigures {
  const { comm, plan } = context
  const tables = result.steps.map(({ table }) => table)
  const sums = columnSums(tables)
  const { train, evaluation } = rankMetrics(result.epochs)
  const metrics = train.length > 0 ? train : evaluation
  const saves = plan.phases.filter(({ kind }) => kind === 'save').length
  const checkpoint = (plan.checkpointFiles[comm.rank] ?? []).reduce((bytes, file) => bytes + file.bytes, 0)
  return {
    rank: comm.rank,
    ranks: comm.size,
    started: result.start / 1000,
    ended: (result.epochs.at(-1)?.end ?? result.start) / 1000,
    steps: tables.reduce((steps, { load }) => steps + load.length, 0),
    samples: sums.samples,
    bytesRead: sums.bytes,
    bytesWritten: saves * checkpoint,
    wall: result.steps.reduce((seconds, { wall }) => seconds + wall, 0),
    load: sums.load,
    compute: sums.compute,
    storage: sums.storage,
    decode: sums.decode,
    au: metrics.length === 0 ? 0 : metrics.reduce((sum, { au }) => sum + au, 0) / metrics.length,
    quantiles: {
      proc: quantilesOf(tables.map(({ proc }) => proc)),
      storage: quantilesOf(tables.map(({ storage }) => storage)),
      decode: quantilesOf(tables.map(({ decode }) => decode)),
    },
    firstSamples: firstSamples(context, result),
  }
}
