import { readFileSync } from 'node:fs'
import { cpus, hostname, totalmem } from 'node:os'
import { GB } from './metrics.ts'

/** What DLIO's files say of the host that a rank runs on. */
export interface HostFacts {
  readonly hostname: string
  /** Of 2^30 bytes. */
  readonly memoryGb: number
  /** Processors that the system has on. */
  readonly cpus: number
  readonly cpuinfo: ReadonlyMap<string, string> | undefined
  readonly meminfo: ReadonlyMap<string, string> | undefined
}

export function hostFacts(): HostFacts {
  return {
    hostname: hostname(),
    memoryGb: totalmem() / GB,
    cpus: cpus().length,
    cpuinfo: readFacts('/proc/cpuinfo'),
    meminfo: readMemInfo(),
  }
}

export function readMemInfo(): ReadonlyMap<string, string> | undefined {
  return readFacts('/proc/meminfo')
}

/** Lines "name : value"; of several processors the last one's, without its number, as in DLIO's files. */
export function factsOf(text: string): ReadonlyMap<string, string> {
  const facts = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [name, value, ...more] = line.split(':')
    if (name === undefined || value === undefined || more.length > 0) continue
    if (name.trim() !== 'processor') facts.set(name.trim(), value.trim())
  }
  return facts
}

function readFacts(path: string): ReadonlyMap<string, string> | undefined {
  try {
    return factsOf(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** Seconds that the processors which this process may use were busy and idle, all together, since the system started; waiting for I/O is idle. */
export interface CpuTimes {
  readonly busy: number
  readonly total: number
}

/** Numbers of a list such as "0-2,5". */
function numbersOf(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split('-').map(Number)
    return Number.isNaN(last) ? [] : Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

/** `stat`: /proc/stat. `status`: /proc/self/status, which names the processors. Undefined where they do not say. */
export function cpuTimesOf(stat: string, status: string): CpuTimes | undefined {
  const allowed = new Set(numbersOf(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? ''))
  let busy = 0
  let total = 0
  for (const [, number, line = ''] of stat.matchAll(/^cpu(\d+) +(.*)$/gm)) {
    if (!allowed.has(Number(number))) continue
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is in user already. Hundredths of a second.
    const fields = line.split(' ').slice(0, 8).map(Number)
    const all = fields.reduce((sum, each) => sum + each, 0)
    total += all / 100
    busy += (all - (fields[3] ?? 0) - (fields[4] ?? 0)) / 100
  }
  return total === 0 ? undefined : { busy, total }
}

export function cpuTimes(): CpuTimes | undefined {
  try {
    return cpuTimesOf(readFileSync('/proc/stat', 'utf8'), readFileSync('/proc/self/status', 'utf8'))
  } catch {
    return undefined
  }
}

/** User and system time of this process with all its threads, seconds. */
export function processSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
