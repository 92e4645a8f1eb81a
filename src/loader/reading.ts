import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import type { Dataset } from '../datasets/types.ts'
import { HeadraceError } from '../errors.ts'
import type { FlowSettings } from './flow-options.ts'
import { LocalReader, type ReadManner } from './local-reader.ts'
import { ReadGate } from './read-gate.ts'
import type { SampleReader } from './reader.ts'
import { WorkerCrew } from './workers/crew.ts'
import type { WorkerReport } from './workers/member.ts'

/** Threads of a loader that nobody has any more, and that nobody closed. */
const forgotten = new FinalizationRegistry<{ crew: WorkerCrew | undefined }>((held) => void held.crew?.close())

/** Who reads the samples of a loader: this thread, or worker threads that come and go. */
export class Reading {
  readonly #dataset: Dataset
  readonly #manner: ReadManner
  readonly #gate: ReadGate
  readonly #local: LocalReader
  readonly #held: { crew: WorkerCrew | undefined } = { crew: undefined }
  readonly #persistent: boolean
  #workers: number
  #last: readonly WorkerReport[] = []
  #leaving: Promise<void> = Promise.resolve()
  #load: EventLoopUtilization = performance.eventLoopUtilization()
  #numbered = 0
  /** Of crews that are gone. */
  #queuedBefore = 0

  /** E_UNSUPPORTED where there are to be workers and the dataset cannot be opened again. */
  constructor(dataset: Dataset, settings: FlowSettings) {
    const { parts, pageCache, inflight, workers, persistentWorkers } = settings
    this.#dataset = dataset
    this.#manner = { ...(parts && { parts }), ...(pageCache && { pageCache }) }
    this.#gate = new ReadGate(inflight)
    this.#local = new LocalReader(dataset, this.#gate, this.#manner)
    this.#workers = workers
    this.#persistent = persistentWorkers
    if (workers > 0 && !this.mayHaveWorkers) throw this.#unsupported()
    forgotten.register(this, this.#held)
  }

  /** Whether the dataset can be opened in worker threads. */
  get mayHaveWorkers(): boolean {
    return this.#dataset.spec !== undefined && this.#dataset.randomAccess !== false
  }

  /** Who reads now. Threads start when they are first asked for. */
  get reader(): SampleReader {
    if (this.#workers === 0) return this.#local
    this.#held.crew ??= this.#newCrew()
    return this.#held.crew
  }

  /** This thread's, whatever there is beside it. */
  get local(): SampleReader {
    return this.#local
  }

  get workers(): number {
    return this.#workers
  }

  set workers(workers: number) {
    this.#workers = workers
    if (workers === 0) this.#dismiss()
    else if (this.#held.crew !== undefined) this.#held.crew.workers = workers
  }

  get inflight(): number {
    return this.#gate.limit
  }

  set inflight(inflight: number) {
    this.#gate.limit = inflight
    if (this.#held.crew !== undefined) this.#held.crew.inflight = inflight
  }

  /** Milliseconds in which samples waited for others to be read. */
  get queuedMs(): number {
    return this.#gate.queuedMs + this.#queuedBefore + (this.#held.crew?.queuedMs ?? 0)
  }

  /** How busy the threads that read were since this was asked last, 0..1. */
  busy(): number {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#load)
    this.#load = now
    return this.#held.crew?.busy() ?? utilization
  }

  report(): readonly WorkerReport[] {
    return this.#held.crew?.report() ?? this.#last
  }

  /** An epoch begins: threads that have died are replaced. */
  begin(): void {
    if (this.#held.crew !== undefined) this.#held.crew.workers = this.#workers
  }

  /** An epoch has ended. */
  end(): void {
    if (!this.#persistent) this.#dismiss()
  }

  /** Ends the threads. Those that are still reading end then. */
  close(): Promise<void> {
    this.#dismiss()
    return this.#leaving
  }

  #newCrew(): WorkerCrew {
    const { spec } = this.#dataset
    if (spec === undefined) throw this.#unsupported()
    const crew = new WorkerCrew(spec, this.#manner, this.#gate.limit, this.#numbered)
    crew.workers = this.#workers
    return crew
  }

  #dismiss(): void {
    const { crew } = this.#held
    if (crew === undefined) return
    this.#last = crew.report()
    this.#numbered = crew.numbered
    this.#queuedBefore += crew.queuedMs
    this.#held.crew = undefined
    this.#leaving = Promise.all([this.#leaving, crew.close()]).then(() => {})
  }

  #unsupported(): HeadraceError {
    const why = this.#dataset.randomAccess === false ? 'its samples come in order only' : 'it has no spec'
    return new HeadraceError('E_UNSUPPORTED', `workers cannot open this dataset: ${why}`, {
      hint: 'take workers: 0; fromModule() gives a dataset of your own that workers can open',
    })
  }
}
