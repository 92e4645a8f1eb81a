import { formatBytes } from '../../../bytes.ts'

/** What kept accelerators from working. */
export type Limit =
  | 'nothing'
  | 'storage'
  | 'host CPU'
  | 'decode'
  | 'preprocessing'
  | 'tool'
  | 'page cache'
  | 'slow rank'

/** Seconds of all steps of a run, and who spent them; all ranks together unless it says otherwise. */
export interface RunFigures {
  readonly ranks: number
  /** Percent, mean over epochs and ranks. */
  readonly au: number
  /** Percent that the workload asks for. */
  readonly goal: number
  /** Of the trainers: waiting for batches, computing, waiting for other ranks, everything between these. */
  readonly load: number
  readonly compute: number
  /** The computation that the workload asks for. */
  readonly asked: number
  readonly barrier: number
  readonly engine: number
  readonly steps: number
  /** Threads that read, of a rank; 0: the trainer itself. */
  readonly readThreads: number
  /** Of the readers: waiting for storage, decoding, the workload's own preprocessing, waiting for room. */
  readonly storage: number
  readonly decode: number
  readonly preprocess: number
  readonly idle: number
  /** Seconds a step that each rank spent on loading and computing. */
  readonly rankSteps: readonly number[]
  /** Shares of the processors that the run may use, 0 to 1: in use at all, and by its ranks. */
  readonly hostCpu?: number
  readonly ownCpu?: number
  readonly cores: number
  /** That readers asked storage for. */
  readonly askedBytes: number
  /** That the device delivered meanwhile; absent where nobody counts. */
  readonly deviceBytes?: number
  /** Percent: the same plan with storage that answers at once. */
  readonly calibratedAu?: number
}

export interface Verdict {
  readonly limit: Limit
  /** One sentence with the figures that it rests on. */
  readonly text: string
}

/** Shares of the time of steps. Below so much nothing is worth naming. */
const IDLE_ENOUGH = 0.03
/** Of the bytes asked for: below so much came from the device, the rest from memory. */
const FROM_DEVICE = 0.5
/** Of all processors: from so much on a thread that wants one waits. */
const CPU_FULL = 0.9
/** Of all processors, used by others. */
const CPU_OF_OTHERS = 0.2
/** A rank is slow where its steps take so many times the median rank's. */
const SLOW_RANK = 1.25

const percent = (share: number) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? 0

/** Whether memory, and not the device, gave most of the bytes. */
export function fromPageCache({ askedBytes, deviceBytes }: RunFigures): boolean {
  return deviceBytes !== undefined && askedBytes > 0 && deviceBytes < FROM_DEVICE * askedBytes
}

function slowestRank({ rankSteps }: RunFigures): { readonly rank: number; readonly times: number } | undefined {
  if (rankSteps.length < 2) return undefined
  const slowest = Math.max(...rankSteps)
  const others = rankSteps.filter((_, rank) => rank !== rankSteps.indexOf(slowest))
  const times = slowest / median(others)
  return times < SLOW_RANK ? undefined : { rank: rankSteps.indexOf(slowest), times }
}

/** What a run was limited by: a pure function of its figures. */
export function verdictOf(figures: RunFigures): Verdict {
  const { load, compute, barrier, engine } = figures
  const time = load + compute + barrier + engine
  if (figures.steps === 0 || time === 0) return { limit: 'nothing', text: 'Limited by nothing: there were no steps.' }
  const share = (seconds: number) => seconds / time
  const slow = slowestRank(figures)
  if (slow !== undefined && share(barrier) > IDLE_ENOUGH && barrier > load * 0.5)
    return {
      limit: 'slow rank',
      text: `Limited by rank ${slow.rank}: its steps take ${slow.times.toFixed(2)} times as long as those of the others, which wait for it ${percent(share(barrier))} of the time.`,
    }
  const busy = share(compute) > 1 - 2 * IDLE_ENOUGH ? undefined : cpuOfOthers(figures, share)
  if (busy !== undefined) return busy
  if (share(load) < IDLE_ENOUGH && share(barrier) < 2 * IDLE_ENOUGH)
    return share(engine) < IDLE_ENOUGH ? notLimited(figures, share(compute)) : byTool(figures, share(engine + load))
  return waiting(figures, share)
}

function notLimited(figures: RunFigures, computing: number): Verdict {
  if (fromPageCache(figures))
    return byPageCache(figures, `accelerators computed ${percent(computing)} of the time, but`)
  return {
    limit: 'nothing',
    text: `Limited by nothing: accelerators computed ${percent(computing)} of the time.`,
  }
}

function byPageCache({ askedBytes, deviceBytes = 0 }: RunFigures, before: string): Verdict {
  const text = `${before} storage was not measured: of ${formatBytes(askedBytes)} asked for, the device delivered ${formatBytes(deviceBytes)} (${percent(deviceBytes / askedBytes)}), the page cache the rest.`
  return { limit: 'page cache', text: `Served from the page cache: ${text}` }
}

function byTool({ calibratedAu }: RunFigures, between: number): Verdict {
  const with_ =
    calibratedAu === undefined ? '' : `; with storage that answers at once it shows ${calibratedAu.toFixed(1)} % AU`
  return {
    limit: 'tool',
    text: `Limited by this tool: ${percent(between)} of the time went by between computation and the next batch, which was ready${with_}.`,
  }
}

/** Other processes leave no processor to readers, or to the trainer itself. */
function cpuOfOthers(figures: RunFigures, share: (seconds: number) => number): Verdict | undefined {
  const { load, barrier, engine, hostCpu, ownCpu, cores } = figures
  if (hostCpu === undefined || ownCpu === undefined) return undefined
  const others = hostCpu - ownCpu
  if (hostCpu <= CPU_FULL || others <= CPU_OF_OTHERS) return undefined
  return {
    limit: 'host CPU',
    text: `Limited by host CPU: ${percent(hostCpu)} of ${cores} cores are in use, ${percent(others)} by other processes; accelerators wait ${percent(share(load + barrier + engine))} of the time.`,
  }
}

/** Steps wait for batches, or for other ranks that do: what were readers doing? */
function waiting(figures: RunFigures, share: (seconds: number) => number): Verdict {
  const { load, barrier, storage, decode, preprocess, idle, hostCpu, cores, readThreads } = figures
  const waits = percent(share(load + barrier))
  const reading = storage + decode + preprocess
  // Readers had nothing to do while the trainer waited for them.
  if (reading === 0 || (readThreads > 0 && idle > 4 * reading)) return byTool(figures, share(load + figures.engine))
  const threads = `${readThreads === 0 ? 'no' : readThreads} reader thread${readThreads === 1 ? '' : 's'}`
  const work = (seconds: number) => percent(seconds / reading)
  const full = hostCpu !== undefined && hostCpu > CPU_FULL
  if (decode >= storage && decode >= preprocess)
    return {
      limit: 'decode',
      text: `Limited by decoding: readers spend ${work(decode)} of their time on it and ${work(storage)} on storage; accelerators wait ${waits} of the time (${threads}, ${full ? `no core of ${cores} is left` : 'more of them may help'}).`,
    }
  if (preprocess > storage)
    return {
      limit: 'preprocessing',
      text: `Limited by the workload's preprocess_time: readers spend ${work(preprocess)} of their time on it; accelerators wait ${waits} of the time (${threads}).`,
    }
  if (full)
    return {
      limit: 'host CPU',
      text: `Limited by host CPU: ${percent(hostCpu)} of ${cores} cores are in use; accelerators wait ${waits} of the time.`,
    }
  if (fromPageCache(figures)) return byPageCache(figures, `accelerators wait ${waits} of the time, and`)
  return {
    limit: 'storage',
    text: `Limited by storage: readers wait for it ${work(storage)} of their time, accelerators wait ${waits} of the time.`,
  }
}
