import { readFileSync, statfsSync, statSync } from 'node:fs'

/** Bytes that were really read, as the kernel counts them. */
export interface ReadCounter {
  /** What counts: "vda", "cgroup", "process", "memory". */
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

/** What is known of how the bytes of a file system come. */
export type FileSystemKind =
  /** From devices of its own, which the path's number does not name. */
  | 'local'
  /** From nowhere: they are in memory. */
  | 'memory'
  /** From servers, counted for the process that waits for them. */
  | 'network'
  /** Nobody counts them, or not surely; what it is called. */
  | { readonly uncounted: string }

/** Numbers of file systems, as statfs gives them. */
const KINDS: ReadonlyMap<number, FileSystemKind> = new Map<number, FileSystemKind>([
  [0x794c7630, 'local'], // overlay
  [0x9123683e, 'local'], // btrfs
  [0xca451a4e, 'local'], // bcachefs
  [0x01021994, 'memory'], // tmpfs
  [0x858458f6, 'memory'], // ramfs
  [0x6969, 'network'], // NFS
  [0xff534d42, 'network'], // CIFS
  [0xfe534d42, 'network'], // SMB2
  [0x00c36400, 'network'], // Ceph
  [0x65735546, { uncounted: 'FUSE' }],
  [0x01021997, { uncounted: '9p' }],
  [0x2fc12fc1, { uncounted: 'ZFS' }],
  [0x0bd00bd0, { uncounted: 'Lustre' }],
  [0x47504653, { uncounted: 'GPFS' }],
  [0x19830326, { uncounted: 'BeeGFS' }],
])

export function fileSystemKind(type: number): FileSystemKind {
  return KINDS.get(type >>> 0) ?? { uncounted: `a file system of type 0x${(type >>> 0).toString(16)}` }
}

/** What counts the bytes that come from under a path: to anybody, and to this process alone. */
export interface ReadCounters {
  readonly device?: ReadCounter
  readonly process?: ReadCounter
  /** Why nothing counts them, in words. */
  readonly unknown?: string
}

const UNSAID = 'this system does not tell what a process reads (/proc/self/io)'

/** `kind`: of the path's file system, where no block device is under it; asked for otherwise. */
export function readCounters(path: string, root = '/', kind?: FileSystemKind): ReadCounters {
  const own = processCounter(root)
  const device = deviceCounter(path, root)
  if (device !== undefined) return { device, ...(own && { process: own }) }
  const found = kind ?? kindAt(path)
  if (found === undefined) return { unknown: `no file system is known at ${path}` }
  if (found === 'memory') return { device: { source: 'memory', read: () => 0 } }
  if (typeof found === 'object') return { unknown: `the kernel keeps no sure count of reads from ${found.uncounted}` }
  const group = found === 'local' ? cgroupCounter(root) : undefined
  if (own === undefined && group === undefined) return { unknown: UNSAID }
  return { ...(group && { device: group }), ...(own && { process: own }) }
}

function kindAt(path: string): FileSystemKind | undefined {
  try {
    return fileSystemKind(statfsSync(path).type)
  } catch {
    return undefined
  }
}
