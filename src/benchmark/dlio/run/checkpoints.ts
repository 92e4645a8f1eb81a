import {
  type CheckpointFile,
  checkpointFiles,
  checkpointSize,
  loadCheckpoint,
  saveCheckpoint,
} from '../../../checkpoint/index.ts'
import { recoveryRank } from '../../../checkpoint/recovery.ts'
import { native } from '../../../native.ts'
import { openStore } from '../../../storage/open.ts'
import type { Store } from '../../../storage/types.ts'
import type { Phase } from '../types.ts'
import { secondsBetween, timestamp } from './clock.ts'
import type { RankContext } from './context.ts'
import { optionsFor } from './data-store.ts'
import { checkpointSpan, type EpochLog } from './epoch-log.ts'
import { GB } from './metrics.ts'
import { fixed } from './python-json.ts'

type CheckpointPhase = Extract<Phase, { kind: 'save' | 'load' }>

/** Names of files hold a model's part or an optimizer's. */
const OPTIMIZER = 'optim_states'

/** A rank's checkpoints, with their lines in the log. */
export class Checkpoints {
  readonly #context: RankContext
  readonly #store: Store
  /** What DLIO divides by seconds. */
  readonly bytes: number

  private constructor(context: RankContext, store: Store, bytes: number) {
    this.#context = context
    this.#store = store
    this.bytes = bytes
  }

  static async open(context: RankContext): Promise<Checkpoints> {
    const { workload, config, comm } = context
    const { url, spec, fsync } = workload.checkpoint
    const local = /^(?:file|direct):\/\/|^(?![a-z][a-z0-9+.-]*:\/\/)/i.test(url)
    const store = await openStore(url, local ? { sync: fsync ? 'always' : 'never' } : optionsFor(url, config))
    return new Checkpoints(context, store, checkpointSize(spec, comm.size).countedByDlio)
  }

  /** What is saved, in DLIO's words. */
  announce(): void {
    const { workload, log, comm, rules } = this.#context
    const { spec } = workload.checkpoint
    const { parameters } = checkpointSize(spec, comm.size)
    const gb = rules.units === 'binary' ? 'GiB' : 'GB'
    const sum = (files: readonly CheckpointFile[]) => files.reduce((bytes, file) => bytes + file.bytes, 0)
    const optimizer = Array.from({ length: comm.size }, (_, rank) =>
      sum(checkpointFiles(spec, rank, comm.size).filter(({ key }) => key.includes(OPTIMIZER))),
    ).reduce((all, bytes) => all + bytes, 0)
    const size = (bytes: number) => `${fixed(bytes / GB, 6)} ${gb} `
    if (parameters > 0) log.output(`Total number of parameters in the model: ${parameters}`)
    log.output(`Model size: ${size(this.bytes - optimizer)}`)
    if (parameters > 0) log.output(`Optimizer state size: ${size(optimizer)}`)
    log.output(`Total checkpoint size: ${size(this.bytes)}`)
  }

  async run(epoch: EpochLog, phase: CheckpointPhase, afterTraining: boolean): Promise<void> {
    const { workload, comm, log, progress, rules, signal, plan } = this.#context
    const { spec, timeBetween, rankSync, recoveryRankShift, randomizeTensor } = workload.checkpoint
    const saving = phase.kind === 'save'
    if (!afterTraining && timeBetween > 0) await this.#pause(timeBetween)
    if (comm.size > 1) await comm.barrier({ signal })
    const name = `${saving ? 'saving' : 'loading'} checkpoint ${phase.number}`
    const logged = afterTraining ? Math.min(phase.step, plan.stepsPerEpoch) : phase.step
    const start = timestamp()
    log.output(`Starting ${name} after total step ${logged} for epoch ${phase.epoch}`, start)
    const local = Math.max(1, comm.localSize)
    const from = !saving && recoveryRankShift ? recoveryRank(comm.rank, comm.size, local) : comm.rank
    const files = checkpointFiles(spec, from, comm.size, phase)
    progress.begin(
      saving ? 'saving' : 'loading',
      phase.epoch,
      files.reduce((bytes, file) => bytes + file.bytes, 0),
    )
    let before = 0
    for (const part of ['model', 'optimizer'] as const) {
      const of = files.filter(({ key }) => key.includes(OPTIMIZER) === (part === 'optimizer'))
      if (of.length === 0) continue
      const base = before
      const options = {
        store: this.#store,
        files: of,
        signal,
        onProgress: ({ bytes }: { readonly bytes: number }) => progress.update(base + bytes),
      }
      const report = saving
        ? await saveCheckpoint({ ...options, randomize: randomizeTensor })
        : await loadCheckpoint(options)
      before += report.bytes
      if (spec.model.kind === 'transformer' || spec.model.layers > 0)
        log.output(`${saving ? 'Saved' : 'Loaded'} ${part} checkpoint in ${fixed(report.seconds, 4)} seconds`)
    }
    if (rankSync && comm.size > 1) await comm.barrier({ signal })
    const end = timestamp()
    const span = checkpointSpan(`${phase.kind}_ckpt${phase.number}`, start, end, this.bytes)
    epoch.spans.push(span)
    const gb = rules.units === 'binary' ? 'GiB' : 'GB'
    const seconds = fixed(secondsBetween(start, end), 4)
    const rate = fixed(span.throughput, 4)
    log.output(`Finished ${name} for epoch ${phase.epoch} in ${seconds} s; Throughput: ${rate} ${gb}/s`, end)
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  async #pause(seconds: number): Promise<void> {
    const end = native.monotonic() + seconds * 1000
    const { signal } = this.#context
    while (native.monotonic() < end && !signal.aborted)
      await new Promise((resolve) => setTimeout(resolve, Math.min(50, end - native.monotonic())))
  }
}
