import { fstatSync, readdirSync, readFileSync } from 'node:fs'

/** What a process holds at a moment when nothing is under way. */
export interface Footprint {
  /** Bytes. */
  readonly rss: number
  /** Bytes that are alive on the JavaScript heap and in its buffers. */
  readonly heap: number
  /** Open ones, used and idle. */
  readonly sockets: number
  /** Open files of all kinds, sockets among them. */
  readonly descriptors: number
}

function collect(): void {
  if (globalThis.gc === undefined) throw new Error('the heap is measured after collecting: node --expose-gc')
  globalThis.gc()
}

function isSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket()
  } catch {
    // The one that the list was read with.
    return false
  }
}

/** Of this process. */
export async function footprint(): Promise<Footprint> {
  // Finalizers of the first collection let go of memory that the second one sees.
  collect()
  await new Promise(setImmediate)
  collect()
  const { rss, heapUsed, external } = process.memoryUsage()
  const descriptors = readdirSync('/dev/fd').map(Number)
  return {
    rss,
    heap: heapUsed + external,
    sockets: descriptors.filter(isSocket).length,
    descriptors: descriptors.length,
  }
}

/** Of another process, where the system tells; what is alive on its heap nobody sees. */
export function footprintOf(pid: number): Pick<Footprint, 'rss' | 'descriptors'> | undefined {
  if (process.platform !== 'linux') return undefined
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return { rss: Number(kibibytes) * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length }
}
