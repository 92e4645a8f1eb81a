import { locate } from '../../../storage/open.ts'
import { type ReadCounter, readCounter } from './device-bytes.ts'
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
}

/** A path on this machine that a URL's files lie at or below, for the device under it. */
function pathOf(url: string): string | undefined {
  if (!/^(?:file|direct):\/\//i.test(url) && /^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return undefined
  return `/${locate(url.replace(/^direct:/i, 'file:')).key}`
}

/** Looks at the counters of the system when epochs begin and end. */
export class Usage {
  readonly epochs: EpochUsage[] = []
  /** What counts bytes of the device. */
  readonly source: string | undefined
  readonly #counter: ReadCounter | undefined
  #epoch: number | undefined
  #at: { wall: number; own: number; busy: number | undefined; total: number; device: number } | undefined

  constructor(url: string) {
    const path = pathOf(url)
    this.#counter = path === undefined ? undefined : readCounter(path)
    this.source = this.#counter?.source
  }

  begin(epoch: number): void {
    this.#epoch = epoch
    this.#at = this.#look()
  }

  /** Of the epoch that has begun, if one has. */
  end(): void {
    const before = this.#at
    if (before === undefined || this.#epoch === undefined) return
    const now = this.#look()
    this.#at = undefined
    this.epochs.push({
      epoch: this.#epoch,
      wall: now.wall - before.wall,
      own: now.own - before.own,
      ...(now.busy !== undefined &&
        before.busy !== undefined && { busy: now.busy - before.busy, total: now.total - before.total }),
      ...(this.#counter !== undefined && { deviceBytes: now.device - before.device }),
    })
  }

  #look() {
    const host = cpuTimes()
    return {
      wall: performance.now() / 1000,
      own: processSeconds(),
      busy: host?.busy,
      total: host?.total ?? 0,
      device: this.#counter?.read() ?? 0,
    }
  }
}
