import { setTimeout as sleep } from 'node:timers/promises'
import { availableCores } from '../../../cores.ts'
import { HeadraceError, isHeadraceError } from '../../../errors.ts'
import { recordFormat } from '../../../formats/records.ts'
import { generate } from '../../../generate/generate.ts'
import type { DataSetSpec, Split } from '../../../generate/types.ts'
import type { Store } from '../../../storage/types.ts'
import type { Phase } from '../types.ts'
import { Blocks } from './blocks.ts'
import { calibrate } from './calibration.ts'
import { Checkpoints } from './checkpoints.ts'
import { secondsBetween, type Timestamp, timestamp } from './clock.ts'
import type { RankContext } from './context.ts'
import { openData, optionsFor } from './data-store.ts'
import { dropFiles } from './drop-files.ts'
import { type EpochLog, newEpoch } from './epoch-log.ts'
import { readMemInfo } from './host.ts'
import { locateSet } from './locate.ts'
import type { OrderSpec } from './order.ts'
import { fixed } from './python-json.ts'
import { rankReaders } from './rank-readers.ts'
import type { RankResult } from './rank-result.ts'
import type { Readers } from './readers.ts'
import { removeFiles } from './remove-files.ts'
import { STOP } from './stop.ts'
import { Usage } from './usage.ts'

/** ms within which all ranks of a job hear that they are to stop. */
const SAME_TIME = 100

/** Everything that one rank does, from the data set to its own files. */
export class RankRun {
  readonly #context: RankContext
  readonly #start: Timestamp
  #store: Store | undefined
  #readers: Readers | undefined
  #checkpoints: Checkpoints | undefined
  #blocks: Blocks | undefined
  #order: OrderSpec | undefined
  readonly #usage: Usage

  constructor(context: RankContext) {
    this.#context = context
    this.#start = timestamp()
    // What a store of the caller's gets its bytes from, nobody knows.
    this.#usage = new Usage(context.store === undefined ? context.workload.data.url : undefined)
  }

  /** What it came to; also where it was interrupted or failed, as far as it came, with the failure in it. */
  async run(): Promise<RankResult> {
    const { workload, epochs, comm } = this.#context
    let failure: unknown
    let calibratedAu: number | undefined
    try {
      await this.#phases()
      calibratedAu = await this.#calibrate()
      if (!workload.keepFiles) await this.#remove()
    } catch (error) {
      failure = await this.#reasonOf(error)
      comm.abort(error instanceof Error ? error.message : String(error))
    } finally {
      await this.#close()
    }
    const now = timestamp()
    const last = epochs.at(-1)
    if (last !== undefined) last.end ??= now
    return {
      start: this.#start,
      epochs,
      steps: this.#blocks?.steps ?? [],
      usage: this.#usage.epochs,
      deviceSource: this.#usage.source,
      deviceUnknown: this.#usage.unknown,
      checkpointBytes: this.#checkpoints?.bytes,
      order: this.#order,
      calibratedAu,
      failure,
    }
  }

  /** What another rank's failure has stopped here is that failure; where all are being stopped it is nobody's. */
  async #reasonOf(error: unknown): Promise<unknown> {
    const { comm, stop } = this.#context
    const cancelled = isHeadraceError(error, 'E_CANCELLED')
    if (!comm.broken.aborted || !(cancelled || isHeadraceError(error, 'E_PEER'))) return error
    await sleep(SAME_TIME)
    if (new Uint32Array(stop)[0] === STOP.user)
      return cancelled ? error : new HeadraceError('E_CANCELLED', 'the run was stopped', { cause: error })
    return comm.broken.reason
  }

  async #phases(): Promise<void> {
    const { plan, workload, comm, signal } = this.#context
    this.#announce()
    const phases = plan.phases.filter(({ kind }) => kind !== 'generate')
    if (phases.length < plan.phases.length) await this.#generate()
    const steps = phases.filter(hasSteps)
    if (steps.length > 0) await this.#openReaders(steps.some(({ kind }) => kind === 'evaluate'))
    if (workload.workflow.checkpoint) {
      this.#checkpoints = await Checkpoints.open(this.#context)
      this.#checkpoints.announce()
    }
    if (steps.length > 0) this.#announceSteps()
    if (comm.size > 1) await comm.barrier({ signal })
    let epoch: EpochLog | undefined
    for (const [i, phase] of phases.entries()) {
      if (phase.kind === 'generate') continue
      if (epoch === undefined || epoch.epoch !== phase.epoch) {
        if (epoch !== undefined) this.#endEpoch(epoch)
        epoch = await this.#startEpoch(phase.epoch, phases)
      }
      await this.#phase(epoch, phase, phases, i)
    }
    if (epoch !== undefined) this.#endEpoch(epoch)
  }

  async #phase(epoch: EpochLog, phase: Exclude<Phase, { kind: 'generate' }>, phases: readonly Phase[], i: number) {
    const blocks = this.#blocks
    if (phase.kind === 'train') await blocks?.train(epoch, phase, epochSteps(phases, epoch.epoch) ?? 0)
    else if (phase.kind === 'evaluate') {
      this.#endTraining(epoch)
      await blocks?.evaluate(epoch, phase)
    } else {
      const { log, workload } = this.#context
      const doing = phase.kind === 'save' ? 'write' : 'read'
      const before = phases[i - 1]?.kind
      if (epoch.stepless && before !== phase.kind) log.output(`Checkpointing ${doing} started`)
      await this.#checkpoints?.run(epoch, phase, !epoch.stepless)
      if (!epoch.stepless || phases[i + 1]?.kind === phase.kind) return
      // DLIO's own words at the end of reading are those of the beginning of writing.
      const ended = phase.kind === 'load' && workload.profile !== 'default' ? 'write started' : `${doing} finished`
      log.output(`Checkpointing ${ended}`)
    }
  }

  #announce(): void {
    const { workload, log, comm, host, dataPerHostGb } = this.#context
    const { generate_data, train, evaluation, checkpoint } = workload.workflow
    const doing = [
      ...(generate_data ? ['Generating data'] : []),
      ...(train ? ['Training'] : []),
      ...(evaluation ? ['Evaluation'] : []),
      ...(checkpoint ? ['Checkpointing'] : []),
    ].join(' & ')
    log.output(`Running DLIO [${doing}] with ${comm.size} process(es)`)
    if (train && dataPerHostGb <= host.memoryGb)
      log.warning(
        'The amount of dataset is smaller than the host memory; data might be cached after the first epoch. Increase the size of dataset to eliminate the caching effect!!!',
      )
  }

  #announceSteps(): void {
    const { workload, log, comm, plan } = this.#context
    const { data, reader } = workload
    const of = (files: number, batch: number, name: string) =>
      `${data.samplesPerFile} * ${files} / ${batch} / ${comm.size} (samples per file * num files / ${name} / comm size)`
    log.output(`Max steps per epoch: ${plan.stepsPerEpoch} = ${of(data.filesTrain, reader.batchSize, 'batch size')}`)
    if (workload.workflow.evaluation)
      log.output(`Steps per eval: ${plan.evalSteps} = ${of(data.filesValid, reader.batchSizeEval, 'batch size eval')}`)
  }

  async #generate(): Promise<void> {
    const { workload, config, store: given, log, comm, progress, signal } = this.#context
    log.output('Starting data generation')
    // Worker threads open the store by its URL, which does not say what the config alone knows.
    const own = given !== undefined || Object.keys(optionsFor(workload.data.url, config)).length > 0
    const threads = Math.max(1, Math.floor(availableCores() / comm.localSize))
    await generate(workload.data, {
      rank: comm.rank,
      size: comm.size,
      ...(own ? { store: await this.#openStore() } : { threads }),
      signal,
      onProgress: ({ files, totalFiles }) => {
        progress.begin('generating', 0, totalFiles)
        progress.update(files)
      },
    })
    if (comm.size > 1) await comm.barrier({ signal })
    log.output('Generation done')
  }

  async #openReaders(evaluates: boolean): Promise<void> {
    const { workload, log } = this.#context
    const store = await this.#openStore()
    const format = await recordFormat(workload.data.format)
    const splits: readonly Split[] = evaluates ? ['train', 'valid'] : ['train']
    let located: DataSetSpec = workload.data
    if (!store.url.startsWith('null:')) {
      const { spec, warnings } = await locateSet(store, workload.data, format, splits)
      located = spec
      for (const warning of warnings) log.warning(warning)
    }
    const { readers, order } = await rankReaders(this.#context, store, located)
    this.#readers = readers
    this.#order = order
    this.#blocks = new Blocks(this.#context, this.#readers)
  }

  async #openStore(): Promise<Store> {
    if (this.#store !== undefined) return this.#store
    this.#store = await openData(this.#context)
    return this.#store
  }

  async #startEpoch(number: number, phases: readonly Phase[]): Promise<EpochLog> {
    const { epochs, log, settings, workload, plan } = this.#context
    const steps = epochSteps(phases, number)
    const stepless = !phases.some((phase) => hasSteps(phase) && phase.epoch === number)
    if (settings.dropCaches && this.#store !== undefined) await dropFiles(this.#context, this.#store)
    const start = timestamp()
    const epoch = newEpoch(number, start, stepless, readMemInfo())
    epochs.push(epoch)
    if (steps !== undefined) {
      const expected =
        workload.train.totalSteps > 0
          ? `Overriding number of steps to ${steps}.`
          : `${plan.stepsPerEpoch} steps expected`
      log.output(`Starting epoch ${number}: ${expected}`, start)
    }
    this.#usage.begin(number)
    return epoch
  }

  #endTraining(epoch: EpochLog): void {
    if (epoch.trained !== undefined || epoch.stepless) return
    const now = timestamp()
    epoch.trained = now
    const steps = epoch.spans.reduce((sum, span) => sum + (span.kind === 'steps' ? span.times.load.length : 0), 0)
    const seconds = fixed(secondsBetween(epoch.start, now), 2)
    this.#context.log.output(`Ending epoch ${epoch.epoch} - ${steps} steps completed in ${seconds} s`, now)
  }

  #endEpoch(epoch: EpochLog): void {
    this.#endTraining(epoch)
    epoch.end = timestamp()
    this.#usage.end()
  }

  async #calibrate(): Promise<number | undefined> {
    const { settings, workload } = this.#context
    if (!settings.calibrate || this.#readers === undefined || !workload.workflow.train) return undefined
    return calibrate(this.#context, this.#readers)
  }

  async #remove(): Promise<void> {
    const { comm, signal } = this.#context
    if (comm.size > 1) await comm.barrier({ signal })
    if (this.#store !== undefined && comm.rank === 0) await removeFiles(this.#context, this.#store)
  }

  async #close(): Promise<void> {
    this.#usage.end()
    const closing = [this.#readers?.close(), this.#checkpoints?.close()]
    await Promise.allSettled(closing)
    await this.#store?.close().catch(() => {})
  }
}

function hasSteps(phase: Phase): phase is Extract<Phase, { kind: 'train' | 'evaluate' }> {
  return phase.kind === 'train' || phase.kind === 'evaluate'
}

/** Steps of an epoch; undefined where it has none. */
function epochSteps(phases: readonly Phase[], epoch: number): number | undefined {
  const ends = phases.flatMap((phase) =>
    phase.kind === 'train' && phase.epoch === epoch ? [phase.firstStep + phase.steps - 1] : [],
  )
  return ends.length === 0 ? undefined : Math.max(...ends)
}
