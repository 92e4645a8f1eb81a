import { availableCores } from '../../../cores.ts'
import { Histogram, type HistogramData } from '../../../histogram.ts'
import type { StepLog } from './blocks.ts'
import type { RankResult } from './rank-result.ts'
import { columnSums, STEP_COLUMNS, type StepColumn, type StepTable } from './step-records.ts'
import { type RankMetrics, rankMetrics } from './summary.ts'
import type { EpochUsage } from './usage.ts'

/** Values of a column that are sent as they are; of more, a histogram. */
const EXACT = 4096

/** Columns that are spread over steps, ms. */
export const SPREAD_COLUMNS: readonly SpreadColumn[] = ['load', 'compute', 'barrier', 'storage', 'decode', 'queue']
export type SpreadColumn = 'load' | 'compute' | 'barrier' | 'storage' | 'decode' | 'queue'

/** An epoch's training, as one rank saw it. */
export interface EpochDigest {
  readonly epoch: number
  readonly steps: number
  readonly samples: number
  readonly bytes: number
  /** Seconds: of its blocks, and of its first step. */
  readonly wall: number
  readonly firstStep: number
}

/** What rank 0 gets to know of a rank. */
export interface RankDigest {
  readonly hostname: string
  readonly cpus: number
  /** That the process may use: by its affinity, and by its group's quota. */
  readonly cores: number
  readonly memoryGb: number
  readonly localRank: number
  readonly metrics: RankMetrics
  readonly epochs: readonly EpochDigest[]
  /** Of the steps that count: sums of the columns, their number, and seconds of everything between them. */
  readonly sums: Readonly<Record<StepColumn, number>>
  readonly steps: number
  readonly engine: number
  /** Of all steps. */
  readonly asked: number
  readonly faults: number
  readonly usage: readonly EpochUsage[]
  readonly deviceSource: string | undefined
  readonly deviceUnknown: string | undefined
  readonly calibratedAu: number | undefined
  readonly spreads: Readonly<Record<SpreadColumn, HistogramData>>
}

/** Steps that count: all but the first ones of each block, where there are others. */
function counted({ table, wall }: StepLog, excluded: number): { readonly table: StepTable; readonly wall: number } {
  const rows = table.load.length
  const from = rows > excluded ? excluded : 0
  let before = 0
  for (let row = 0; row < from; row++) before += (table.proc[row] as number) + (table.barrier[row] as number)
  const rest = Object.fromEntries(STEP_COLUMNS.map((name) => [name, table[name].subarray(from)])) as Record<
    StepColumn,
    Float64Array
  >
  return { table: rest, wall: wall - before }
}

const total = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0)

function epochDigests(steps: readonly StepLog[]): EpochDigest[] {
  const epochs = new Map<number, EpochDigest>()
  for (const { kind, epoch, table, wall } of steps) {
    if (kind !== 'train') continue
    const before = epochs.get(epoch)
    epochs.set(epoch, {
      epoch,
      steps: (before?.steps ?? 0) + table.load.length,
      samples: (before?.samples ?? 0) + total(table.samples),
      bytes: (before?.bytes ?? 0) + total(table.bytes),
      wall: (before?.wall ?? 0) + wall,
      firstStep: before?.firstStep ?? table.proc[0] ?? 0,
    })
  }
  return [...epochs.values()]
}

export function digestOf(
  result: RankResult,
  host: { readonly hostname: string; readonly cpus: number; readonly memoryGb: number },
  localRank: number,
  excludedSteps: number,
): RankDigest {
  const spreads = Object.fromEntries(SPREAD_COLUMNS.map((name) => [name, new Histogram(EXACT)])) as Record<
    SpreadColumn,
    Histogram
  >
  // Evaluations have no barrier, and times of their own: where there is training, it is what counts.
  const trained = result.steps.filter(({ kind }) => kind === 'train')
  const steps = (trained.length > 0 ? trained : result.steps).map((log) => counted(log, excludedSteps))
  for (const { table } of steps)
    for (const name of SPREAD_COLUMNS) for (const value of table[name]) spreads[name].record(value * 1000)
  const sums = columnSums(steps.map(({ table }) => table))
  const wall = steps.reduce((sum, each) => sum + each.wall, 0)
  const all = columnSums(result.steps.map(({ table }) => table))
  return {
    ...host,
    cores: availableCores(),
    localRank,
    metrics: rankMetrics(result.epochs),
    epochs: epochDigests(result.steps),
    sums,
    steps: steps.reduce((count, { table }) => count + table.load.length, 0),
    engine: Math.max(0, wall - sums.proc - sums.barrier),
    asked: all.bytes,
    faults: all.faults,
    usage: result.usage,
    deviceSource: result.deviceSource,
    deviceUnknown: result.deviceUnknown,
    calibratedAu: result.calibratedAu,
    spreads: Object.fromEntries(SPREAD_COLUMNS.map((name) => [name, spreads[name].data()])) as Record<
      SpreadColumn,
      HistogramData
    >,
  }
}

/** Digests travel as JSON, arrays of numbers in it as lists; of a histogram's many zeros only where the others are. */
export function encodeDigest(digest: RankDigest): Uint8Array {
  const text = JSON.stringify(digest, (_, value: unknown) => {
    if (!(value instanceof Float64Array)) return value === Number.POSITIVE_INFINITY ? 'Infinity' : value
    const filled: [number, number][] = []
    for (const [i, each] of value.entries()) if (each !== 0) filled.push([i, each])
    return 2 * filled.length < value.length ? { length: value.length, filled } : { values: Array.from(value) }
  })
  return new TextEncoder().encode(text)
}

export function decodeDigest(bytes: Uint8Array): RankDigest {
  return JSON.parse(new TextDecoder().decode(bytes), (_, value: unknown) => {
    if (value === 'Infinity') return Number.POSITIVE_INFINITY
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    if ('values' in value && Object.keys(value).length === 1) return Float64Array.from(value.values as number[])
    if (!('filled' in value) || !('length' in value)) return value
    const array = new Float64Array(value.length as number)
    for (const [i, each] of value.filled as [number, number][]) array[i] = each
    return array
  }) as RankDigest
}
