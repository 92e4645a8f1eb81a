import { locate } from '../../../storage/open.ts'
import { type ReadCounters, readCounters } from './device-bytes.ts'
import { cpuTimes, processSeconds } from './host.ts'

/** What an epoch took of the host. */
export interface EpochUsage {
  readonly epoch: number
  /** Seconds. */
  readonly wall: number
  /** Of this process, with all its threads: seconds of processors. */
  readonly own: number
  /** Of all processors together, seconds; absent where the system does not say. */
  readonly busy?: number
  readonly total?: number
  /** That the device delivered to anybody; absent where nobody counts. */
  readonly deviceBytes?: number
  /** That the system fetched for this process from any device; absent where nobody counts. */
  readonly processBytes?: number
}

/** A path on this machine that a URL's files lie at or below, for the device under it. */
function pathOf(url: string): string | undefined {
  if (!/^(?:file|direct):\/\//i.test(url) && /^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return undefined
  return `/${locate(url.replace(/^direct:/i, 'file:')).key}`
}

interface Moment {
  readonly wall: number
  readonly own: number
  readonly cpu: { readonly busy: number; readonly total: number } | undefined
  readonly device: number | undefined
  readonly process: number | undefined
}

function countersOf(path: string | undefined): ReadCounters {
  return path === undefined ? { unknown: 'the data does not lie on a file system of this machine' } : readCounters(path)
}

/** Looks at the counters of the system when epochs begin and end. */
export class Usage {
  readonly epochs: EpochUsage[] = []
  readonly #path: string | undefined
  #counters: ReadCounters | undefined
  #epoch = 0
  #since: Moment | undefined

  /** `url`: of the data set; undefined where its bytes come from nothing that counts. */
  constructor(url: string | undefined) {
    this.#path = url === undefined ? undefined : pathOf(url)
  }

  /** What counts bytes of the device: its name, "cgroup", or where neither does "process". */
  get source(): string | undefined {
    return (this.#counters?.device ?? this.#counters?.process)?.source
  }

  /** Why nobody counts them, in words. */
  get unknown(): string | undefined {
    return this.#counters?.unknown
  }

  begin(epoch: number): void {
    // Not before: the folder may have been made meanwhile.
    this.#counters ??= countersOf(this.#path)
    this.#epoch = epoch
    this.#since = this.#look()
  }

  /** Of the epoch that has begun, if one has. */
  end(): void {
    const before = this.#since
    if (before === undefined) return
    this.#since = undefined
    const now = this.#look()
    const between = (of: (moment: Moment) => number | undefined) => {
      const [first, last] = [of(before), of(now)]
      return first === undefined || last === undefined ? undefined : last - first
    }
    const [busy, total] = [between(({ cpu }) => cpu?.busy), between(({ cpu }) => cpu?.total)]
    const deviceBytes = between(({ device }) => device)
    const processBytes = between(({ process }) => process)
    this.epochs.push({
      epoch: this.#epoch,
      wall: now.wall - before.wall,
      own: now.own - before.own,
      ...(busy !== undefined && total !== undefined && { busy, total }),
      ...(deviceBytes !== undefined && { deviceBytes }),
      ...(processBytes !== undefined && { processBytes }),
    })
  }

  #look(): Moment {
    return {
      wall: performance.now() / 1000,
      own: processSeconds(),
      cpu: cpuTimes(),
      device: this.#counters?.device?.read(),
      process: this.#counters?.process?.read(),
    }
  }
}
