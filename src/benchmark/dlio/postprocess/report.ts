import { type IostatStatistics, iostatStatistics } from './iostat.ts'
import type { RunFolder } from './run-folder.ts'
import { type ColumnStatistics, statisticsOf } from './statistics.ts'

/** What a report says of a run; plain data. */
export interface PostprocessReport {
  readonly name: string
  readonly ranks: number
  readonly batchSize: number
  /** Absent where there were no evaluations. */
  readonly batchSizeEval?: number
  /** Local time, as the run's files have it. */
  readonly started: string
  readonly ended: string
  /** Seconds. */
  readonly duration: number
  readonly overall: PhaseTables
  readonly epochs: readonly EpochTables[]
}

export interface PhaseTables {
  /** Absent where there are none: checkpoints. */
  readonly samplesPerSecond?: ColumnStatistics | undefined
  /** 2^20 bytes. */
  readonly mbPerSecond?: ColumnStatistics | undefined
  readonly iostat?: IostatStatistics
}

export interface PhaseReport extends PhaseTables {
  /** "Block 3", "Eval 1", "Checkpoint 2", counted over all epochs. */
  readonly title: string
  readonly started: string
  readonly ended: string
  readonly duration: number
  /** Seconds, mean over ranks; absent for checkpoints. */
  readonly loading?: number
  readonly processing?: number
}

export interface EpochTables {
  readonly epoch: number
  readonly started: string
  readonly ended: string
  readonly duration: number
  readonly phases: readonly PhaseReport[]
}

export interface RunFacts {
  readonly name: string
  readonly batchSize: number
  readonly batchSizeEval: number
  /** Bytes of a sample. */
  readonly recordBytes: number
}

const MB = 2 ** 20
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const milliseconds = (iso: string) => new Date(iso).getTime()

/** Samples a second of each step, all ranks together. */
function rates(folder: RunFolder, epoch: number, phase: string, batchSize: number): number[] {
  const ranks = folder.ranks.map((rank) => rank.get(epoch)?.proc[phase] ?? [])
  const steps = Math.min(...ranks.map((times) => times.length))
  return Array.from({ length: Number.isFinite(steps) ? steps : 0 }, (_, step) =>
    sum(ranks.map((times) => batchSize / (times[step] as number))),
  )
}

function throughput(samples: readonly number[], recordBytes: number): PhaseTables {
  return {
    samplesPerSecond: statisticsOf(samples),
    mbPerSecond: statisticsOf(samples.map((rate) => (rate * recordBytes) / MB)),
  }
}

function between(folder: RunFolder, start: string, end: string): Pick<PhaseTables, 'iostat'> {
  if (folder.iostat === undefined) return {}
  return { iostat: iostatStatistics(folder.iostat, milliseconds(start), milliseconds(end)) }
}

class Titles {
  readonly #counts = new Map<string, number>()

  next(phase: string): string {
    const kind = /^block\d+$/.test(phase) ? 'Block' : /^eval/.test(phase) ? 'Eval' : 'Checkpoint'
    const known = /^(?:block\d+|eval\d*|(?:save_|load_)?ckpt\d+)$/.test(phase)
    if (!known) return phase
    const count = (this.#counts.get(kind) ?? 0) + 1
    this.#counts.set(kind, count)
    const doing = phase.startsWith('load_') ? ' (loaded)' : ''
    return `${kind} ${count}${doing}`
  }
}

/** The tables of a run's phases. Phases that were not ended have none. */
export function postprocessReport(folder: RunFolder, facts: RunFacts): PostprocessReport {
  const titles = new Titles()
  let evaluated = false
  const epochs = [...folder.epochs].map(([epoch, marks]): EpochTables => {
    const started = String(marks.start)
    const phases = Object.entries(marks).flatMap(([phase, span]): PhaseReport[] => {
      if (typeof span === 'string' || span.end === undefined) return []
      const evaluation = /^eval/.test(phase)
      evaluated ||= evaluation
      const has = folder.ranks[0]?.get(epoch)?.load[phase] !== undefined
      const mean = (of: 'load' | 'proc') =>
        sum(folder.ranks.map((rank) => sum([...(rank.get(epoch)?.[of][phase] ?? [])]))) / folder.ranks.length
      const samples = rates(folder, epoch, phase, evaluation ? facts.batchSizeEval : facts.batchSize)
      return [
        {
          title: titles.next(phase),
          started: span.start,
          ended: span.end,
          duration: Number(span.duration ?? 0),
          ...(has && { loading: mean('load'), processing: mean('proc'), ...throughput(samples, facts.recordBytes) }),
          ...between(folder, span.start, span.end),
        },
      ]
    })
    const ended = typeof marks.end === 'string' ? marks.end : (phases.at(-1)?.ended ?? started)
    const duration = Number(marks.duration ?? Number.NaN)
    const whole = (milliseconds(ended) - milliseconds(started)) / 1000
    return { epoch, started, ended, duration: Number.isNaN(duration) ? whole : duration, phases }
  })
  const started = epochs[0]?.started ?? folder.summary.start
  const ended = epochs.at(-1)?.ended ?? started
  return {
    name: facts.name,
    ranks: folder.ranks.length,
    batchSize: facts.batchSize,
    ...(evaluated ? { batchSizeEval: facts.batchSizeEval } : {}),
    started,
    ended,
    duration: (milliseconds(ended) - milliseconds(started)) / 1000,
    overall: {
      ...throughput(folder.summary.metric.train_throughput_samples_per_second ?? [], facts.recordBytes),
      ...between(folder, started, ended),
    },
    epochs,
  }
}
