import { viewKey } from '../../../sampling/random.ts'
import { evalSteps, trainSteps } from '../plan.ts'
import type { Distribution, Phase } from '../types.ts'
import { secondsBetween, timestamp } from './clock.ts'
import type { RankContext } from './context.ts'
import { isZero, meanOf, Times } from './distribution.ts'
import type { EpochLog, StepSpan } from './epoch-log.ts'
import { computeSpread, evalMetrics, type StepTimes, trainMetrics } from './metrics.ts'
import { PART } from './open-reader.ts'
import { rankShare } from './order.ts'
import { fixed } from './python-json.ts'
import type { Readers } from './readers.ts'
import { StepRecords, type StepTable } from './step-records.ts'
import { runSteps } from './trainer.ts'

/** Times of computation are drawn apart from everything else, and from each other. */
const COMPUTE = { train: viewKey('compute\0'), valid: viewKey('eval\0') } as const

/** A rank that does not come to a barrier may have waited for its batch, and may compute so many times longer than others. */
const SLOWER = 20

/** What steps left behind, of training and evaluations. */
export interface StepLog {
  readonly kind: 'train' | 'eval'
  readonly epoch: number
  readonly table: StepTable
  /** Seconds. */
  readonly wall: number
}

type TrainPhase = Extract<Phase, { kind: 'train' }>
type EvalPhase = Extract<Phase, { kind: 'evaluate' }>

/** The steps of a rank: blocks of training and evaluations, with their figures and lines in the log. */
export class Blocks {
  readonly steps: StepLog[] = []
  readonly #context: RankContext
  readonly #readers: Readers

  constructor(context: RankContext, readers: Readers) {
    this.#context = context
    this.#readers = readers
  }

  /** A block of an epoch, whose steps are `epochSteps`. */
  async train(epoch: EpochLog, phase: TrainPhase, epochSteps: number): Promise<void> {
    const { workload, log, rules, comm } = this.#context
    const { batchSize } = workload.reader
    const name = `block${phase.block}`
    const start = timestamp()
    log.output(`Starting block ${phase.block}`, start)
    const begin = performance.now()
    if (phase.firstStep === 1) await this.#begin('train', epoch.epoch, epochSteps)
    const { table, wall, failure } = await this.#run('train', epoch, phase.firstStep - 1, phase.steps, begin)
    const times = timesOf(table, wall)
    const metrics = trainMetrics(times, batchSize, workload.output, epochSteps, rules)
    const span: StepSpan = { kind: 'steps', name, start, end: timestamp(), times, metrics }
    epoch.spans.push(span)
    if (failure !== undefined) throw failure.error
    const seconds = fixed(secondsBetween(start, span.end), 2)
    const title = `Epoch ${epoch.epoch} - Block ${phase.block} [Training]`
    log.output(`Ending block ${phase.block} - ${table.load.length} steps completed in ${seconds} s`, span.end)
    log.output(`${title} Accelerator Utilization [AU] (%): ${fixed(metrics.au, 4)}`)
    log.output(`${title} Throughput (samples/second): ${fixed(metrics.throughput * comm.size, 4)}`)
    const { mean, stdev } = computeSpread(times.compute, workload.output, epochSteps, rules)
    const set = pythonDistribution(workload.train.computationTime)
    log.output(
      `${title} Computation time per step (second): ${fixed(mean, 4)}+/-${fixed(stdev, 4)} (set value: ${set})`,
    )
  }

  async evaluate(epoch: EpochLog, phase: EvalPhase): Promise<void> {
    const { workload, log, rules, comm } = this.#context
    const { batchSizeEval } = workload.reader
    const start = timestamp()
    log.output(`Starting eval - ${phase.steps} steps expected`, start)
    const begin = performance.now()
    await this.#begin('eval', epoch.epoch, phase.steps)
    const { table, wall, failure } = await this.#run('eval', epoch, 0, phase.steps, begin)
    const times = timesOf(table, wall)
    const metrics = evalMetrics(times, batchSizeEval, workload.output, phase.steps, rules)
    const span: StepSpan = { kind: 'steps', name: 'eval', start, end: timestamp(), times, metrics }
    epoch.spans.push(span)
    if (failure !== undefined) throw failure.error
    const seconds = fixed(secondsBetween(start, span.end), 2)
    log.output(`Ending eval - ${phase.steps} steps completed in ${seconds} s`, span.end)
    const title = `Epoch ${epoch.epoch} [Eval]`
    log.output(`${title} Accelerator Utilization [AU] (%): ${fixed(metrics.au, 4)}`)
    log.output(`${title} Throughput (samples/second): ${fixed(metrics.throughput * comm.size, 4)}`)
  }

  /** Sets readers to an epoch's samples of a split. */
  async #begin(kind: 'train' | 'eval', epoch: number, batches: number): Promise<void> {
    const { workload, comm } = this.#context
    const { data, reader } = workload
    const train = kind === 'train'
    const batchSize = train ? reader.batchSize : reader.batchSizeEval
    const { files } = train ? trainSteps(workload, comm.size) : evalSteps(workload, comm.size)
    const length = files * data.samplesPerFile
    const share = rankShare(length, batches, batchSize, comm.rank, comm.size)
    await this.#readers.feed.begin({ part: train ? PART.train : PART.valid, epoch, batches, batchSize, ...share })
  }

  /** The steps, also those before a failure: what was measured is kept. */
  async #run(
    kind: StepLog['kind'],
    epoch: EpochLog,
    firstBatch: number,
    count: number,
    begin: number,
  ): Promise<Pick<StepLog, 'table' | 'wall'> & { readonly failure?: { readonly error: unknown } }> {
    const { workload, settings, comm, progress, signal, stop } = this.#context
    const training = kind === 'train'
    const distribution = training ? workload.train.computationTime : workload.evaluation.time
    const stream = training ? COMPUTE.train : COMPUTE.valid
    const times = isZero(distribution)
      ? undefined
      : new Times(distribution, workload.train.seed, epoch.epoch, (stream + comm.rank) >>> 0)
    const records = new StepRecords(count)
    const timeout = 1000 * (2 * settings.timeout + SLOWER * meanOf(distribution))
    const steps = { firstBatch, count, compute: times === undefined ? () => 0 : (batch: number) => times.at(batch) }
    progress.begin(training ? 'training' : 'evaluating', epoch.epoch, count)
    const failure = await runSteps(
      steps,
      {
        feed: this.#readers.feed,
        // DLIO's evaluations have no barrier.
        barrier: comm.size > 1 && training ? () => comm.barrier({ signal, timeout }) : undefined,
        hasPeers: comm.size > 1,
        stop: new Uint32Array(stop),
        progress,
      },
      records,
    ).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    const wall = (performance.now() - begin) / 1000
    const unreadable = this.#readers.collect()
    const table = records.table()
    this.steps.push({ kind, epoch: epoch.epoch, table, wall })
    // A reader that fails stops the trainer too: the reason is the reader's.
    return { table, wall, ...(failure && { failure: unreadable === undefined ? failure : { error: unreadable } }) }
  }
}

function timesOf({ load, proc, compute }: StepTable, wall: number): StepTimes {
  return { load, proc, compute, wall }
}

/** As Python shows the settings that DLIO keeps of it. */
export function pythonDistribution(distribution: Distribution): string {
  const { type } = distribution
  const named = (values: Readonly<Record<string, number>>) =>
    Object.entries(values).map(([name, value]) => `'${name}': ${value}`)
  if (type === 'constant') return `{${named({ mean: distribution.value })}}`
  if (type === 'normal') return `{${named({ mean: distribution.mean, stdev: distribution.stdev }).join(', ')}}`
  const { type: _, ...values } = distribution
  return `{${[`'type': '${type}'`, ...named(values)].join(', ')}}`
}
