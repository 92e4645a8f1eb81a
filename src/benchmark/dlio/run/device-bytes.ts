import { readFileSync, statSync } from 'node:fs'

/** Bytes that were really read, as the kernel counts them. */
export interface ReadCounter {
  /** What counts: "vda", "cgroup", "process". */
  readonly source: string
  /** Since some time in the past. */
  read(): number
}

/** Bytes of a sector in /sys/dev/block and /proc/diskstats, whatever the device's own are. */
const SECTOR = 512

/** Field of a line of /sys/dev/block/M:m/stat: sectors read. */
const SECTORS_READ = 2

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Linux's numbers of a device: 12 and 20 bits, and 8 more of the second. */
function deviceNumbers(dev: number): string {
  const device = BigInt(dev)
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn)
  return `${major}:${minor}`
}

/** The counter of the block device that a path lies on; undefined where there is none: a network, memory, an overlay. */
export function deviceCounter(path: string, root = '/'): ReadCounter | undefined {
  let numbers: string
  try {
    numbers = deviceNumbers(statSync(path).dev)
  } catch {
    return undefined
  }
  const file = `${root}sys/dev/block/${numbers}/stat`
  const read = () => Number((text(file) ?? '').trim().split(/\s+/)[SECTORS_READ]) * SECTOR
  if (!Number.isFinite(read())) return undefined
  const [, name = numbers] = /^DEVNAME=(.*)$/m.exec(text(`${root}sys/dev/block/${numbers}/uevent`) ?? '') ?? []
  return { source: name, read }
}

/** Of all devices, by the process's own group (cgroup v2). */
export function cgroupCounter(root = '/'): ReadCounter | undefined {
  const [, group] = /^0::(.*)$/m.exec(text(`${root}proc/self/cgroup`) ?? '') ?? []
  if (group === undefined) return undefined
  // Inside a container the own group is the mount's root.
  const file = [`${root}sys/fs/cgroup${group}/io.stat`, `${root}sys/fs/cgroup/io.stat`].find(
    (each) => text(each) !== undefined,
  )
  if (file === undefined) return undefined
  const read = () => [...(text(file) ?? '').matchAll(/\brbytes=(\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0)
  return { source: 'cgroup', read }
}

/** What this process alone made the kernel fetch; also from servers of files. */
export function processCounter(root = '/'): ReadCounter | undefined {
  const read = () => Number(/^read_bytes: (\d+)$/m.exec(text(`${root}proc/self/io`) ?? '')?.[1] ?? Number.NaN)
  return Number.isFinite(read()) ? { source: 'process', read } : undefined
}

/** What counts the bytes that come from under a path: its device, or where it has none of its own, this process's group. */
export function readCounter(path: string, root = '/'): ReadCounter | undefined {
  return deviceCounter(path, root) ?? cgroupCounter(root)
}
