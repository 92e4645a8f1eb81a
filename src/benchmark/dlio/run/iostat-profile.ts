import { readFileSync } from 'node:fs'
import { cpus, hostname, machine, release, type as systemName } from 'node:os'

/** What `iostat -mdxtcy -o JSON 1` would write, from the same counters of the kernel: DLIO's profiler of that name. */

/** ms between two samples. */
const INTERVAL = 1000
/** Samples that are kept: a day of seconds. */
const MOST = 86_400

/** Counters of a device, as /proc/diskstats has them. */
interface DeviceCounts {
  readonly reads: number
  readonly readsMerged: number
  readonly sectorsRead: number
  readonly readMs: number
  readonly writes: number
  readonly writesMerged: number
  readonly sectorsWritten: number
  readonly writeMs: number
  readonly busyMs: number
  /** ms, each counted once for every request under way. */
  readonly queuedMs: number
}

/** Ticks of all processors. */
interface CpuCounts {
  readonly user: number
  readonly nice: number
  readonly system: number
  readonly idle: number
  readonly iowait: number
  readonly steal: number
}

export interface Counters {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly cpu: CpuCounts
  readonly devices: ReadonlyMap<string, DeviceCounts>
}

/** `diskstats` and `stat`: the texts of these files in /proc. */
export function countersOf(diskstats: string, stat: string, time: number): Counters {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = (
    /^cpu +(.*)$/m.exec(stat)?.[1] ?? ''
  )
    .split(' ')
    .map(Number)
  const devices = diskstats.split('\n').flatMap((line): [string, DeviceCounts][] => {
    const [, , name, ...fields] = line.trim().split(/\s+/)
    if (name === undefined) return []
    const [reads = 0, readsMerged = 0, sectorsRead = 0, readMs = 0, writes = 0, writesMerged = 0] = fields.map(Number)
    const [sectorsWritten = 0, writeMs = 0, , busyMs = 0, queuedMs = 0] = fields.slice(6).map(Number)
    const counts = {
      reads,
      readsMerged,
      sectorsRead,
      readMs,
      writes,
      writesMerged,
      sectorsWritten,
      writeMs,
      busyMs,
      queuedMs,
    }
    return [[name, counts]]
  })
  return { time, cpu: { user, nice, system: system + irq + softirq, idle, iowait, steal }, devices: new Map(devices) }
}

const two = (value: number) => Math.round(value * 100) / 100
const ratio = (value: number, of: number) => (of === 0 ? 0 : two(value / of))

/** Of 512 bytes, in 2^20 bytes. */
const MB_PER_SECTOR = 512 / 2 ** 20
const KB_PER_SECTOR = 512 / 2 ** 10

function deviceStatistics(name: string, before: DeviceCounts, now: DeviceCounts, seconds: number): object {
  const of = (column: keyof DeviceCounts) => now[column] - before[column]
  const rate = (column: keyof DeviceCounts, scale = 1) => ratio(of(column) * scale, seconds)
  return {
    disk_device: name,
    'r/s': rate('reads'),
    'w/s': rate('writes'),
    'rMB/s': rate('sectorsRead', MB_PER_SECTOR),
    'wMB/s': rate('sectorsWritten', MB_PER_SECTOR),
    'rrqm/s': rate('readsMerged'),
    'wrqm/s': rate('writesMerged'),
    rrqm: ratio(100 * of('readsMerged'), of('reads') + of('readsMerged')),
    wrqm: ratio(100 * of('writesMerged'), of('writes') + of('writesMerged')),
    r_await: ratio(of('readMs'), of('reads')),
    w_await: ratio(of('writeMs'), of('writes')),
    'rareq-sz': ratio(of('sectorsRead') * KB_PER_SECTOR, of('reads')),
    'wareq-sz': ratio(of('sectorsWritten') * KB_PER_SECTOR, of('writes')),
    'aqu-sz': ratio(of('queuedMs'), 1000 * seconds),
    util: Math.min(100, ratio(of('busyMs'), 10 * seconds)),
  }
}

/** What happened between two looks. `names`: of devices; of none, all that did something since the system started. */
export function iostatSample(before: Counters, now: Counters, names: readonly string[]): object {
  const seconds = (now.time - before.time) / 1000
  const columns = ['user', 'nice', 'system', 'iowait', 'steal', 'idle'] as const
  const ticks = columns.reduce((sum, column) => sum + now.cpu[column] - before.cpu[column], 0)
  const cpu = columns.map((column) => [column, ratio(100 * (now.cpu[column] - before.cpu[column]), ticks)])
  const wanted = ([name, { reads, writes }]: [string, DeviceCounts]) =>
    names.length > 0 ? names.includes(name) : reads + writes > 0
  return {
    timestamp: new Date(now.time - new Date(now.time).getTimezoneOffset() * 60_000).toISOString().slice(0, 19),
    'avg-cpu': Object.fromEntries(cpu),
    disk: [...now.devices]
      .filter(wanted)
      .map(([name, counts]) => deviceStatistics(name, before.devices.get(name) ?? counts, counts, seconds)),
  }
}

function look(): Counters | undefined {
  try {
    return countersOf(readFileSync('/proc/diskstats', 'utf8'), readFileSync('/proc/stat', 'utf8'), Date.now())
  } catch {
    return undefined
  }
}

/** Looks once a second, until it is ended. */
export class IostatProfile {
  readonly #names: readonly string[]
  readonly #samples: object[] = []
  readonly #timer: NodeJS.Timeout
  #before = look()

  constructor(names: readonly string[]) {
    this.#names = names
    this.#timer = setInterval(() => this.#sample(), INTERVAL).unref()
  }

  /** The document; undefined where the system does not count. */
  end(): string | undefined {
    clearInterval(this.#timer)
    if (this.#before === undefined) return undefined
    this.#sample()
    const host = {
      nodename: hostname(),
      sysname: systemName(),
      release: release(),
      machine: machine(),
      'number-of-cpus': cpus().length,
      date: new Date().toISOString().slice(0, 10),
      statistics: this.#samples,
    }
    return `${JSON.stringify({ sysstat: { hosts: [host] } }, undefined, 1)}\n`
  }

  #sample(): void {
    const now = look()
    if (now === undefined || this.#before === undefined || now.time <= this.#before.time) return
    this.#samples.push(iostatSample(this.#before, now, this.#names))
    if (this.#samples.length > MOST) this.#samples.shift()
    this.#before = now
  }
}
