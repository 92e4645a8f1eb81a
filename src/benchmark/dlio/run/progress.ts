import { BATCH } from './ring.ts'

/** What a rank is at. */
export const PHASES = [
  'starting',
  'generating',
  'training',
  'evaluating',
  'saving',
  'loading',
  'calibrating',
  'ending',
] as const
export type PhaseName = (typeof PHASES)[number]

/** Numbers of the shared memory. */
const COLUMNS = {
  phase: 0,
  epoch: 1,
  /** Of the phase: steps, files or bytes. */
  done: 2,
  total: 3,
  /** Of the run's steps, seconds. */
  load: 4,
  compute: 5,
  barrier: 6,
  bytes: 7,
  samples: 8,
  faults: 9,
  /** Since when a batch is waited for, on the clock of `native.monotonic`; 0: none is. */
  waiting: 10,
} as const

export interface RunProgress {
  readonly phase: PhaseName
  readonly epoch: number
  readonly done: number
  readonly total: number
  /** Computation over everything that steps spent so far, 0 to 1; undefined before the first one. */
  readonly au: number | undefined
  /** Of steps so far. */
  readonly bytes: number
  readonly samples: number
  readonly faults: number
  /** That steps took so far. */
  readonly seconds: number
}

/** How far a rank is, in memory that other threads read while its own is blocked. */
export class Progress {
  readonly memory: SharedArrayBuffer
  readonly #numbers: Float64Array

  constructor(memory = new SharedArrayBuffer(8 * Object.keys(COLUMNS).length)) {
    this.memory = memory
    this.#numbers = new Float64Array(memory)
  }

  begin(phase: PhaseName, epoch: number, total: number): void {
    this.#numbers[COLUMNS.phase] = PHASES.indexOf(phase)
    this.#numbers[COLUMNS.epoch] = epoch
    this.#numbers[COLUMNS.done] = 0
    this.#numbers[COLUMNS.total] = total
  }

  update(done: number, total?: number): void {
    this.#numbers[COLUMNS.done] = done
    if (total !== undefined) this.#numbers[COLUMNS.total] = total
  }

  /** The trainer waits for a batch from then on; 0: it has it. */
  waits(since: number): void {
    this.#numbers[COLUMNS.waiting] = since
  }

  get waitingSince(): number {
    return this.#numbers[COLUMNS.waiting] as number
  }

  /** One more step, in ms; `batch`: the numbers of its slot. */
  step(load: number, compute: number, barrier: number, batch: Float64Array): void {
    const add = (column: number, value: number) => {
      this.#numbers[column] = (this.#numbers[column] as number) + value
    }
    add(COLUMNS.done, 1)
    add(COLUMNS.load, load / 1000)
    add(COLUMNS.compute, compute / 1000)
    add(COLUMNS.barrier, barrier / 1000)
    add(COLUMNS.bytes, batch[BATCH.bytes] as number)
    add(COLUMNS.samples, batch[BATCH.samples] as number)
    add(COLUMNS.faults, batch[BATCH.faults] as number)
  }

  read(): RunProgress {
    const at = (column: keyof typeof COLUMNS) => this.#numbers[COLUMNS[column]] as number
    const seconds = at('load') + at('compute') + at('barrier')
    return {
      phase: PHASES[at('phase')] ?? 'starting',
      epoch: at('epoch'),
      done: at('done'),
      total: at('total'),
      au: seconds === 0 ? undefined : at('compute') / seconds,
      bytes: at('bytes'),
      samples: at('samples'),
      faults: at('faults'),
      seconds,
    }
  }
}
