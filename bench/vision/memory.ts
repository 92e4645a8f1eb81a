import { readFileSync } from 'node:fs'
import { load, openImageCache, randomResizedCrop } from 'headrace'

/** Batches at whose end memory is read: 200 from early on, and 200 when V8 has compiled all it will. */
const MARKS = { early: 50, earlyEnd: 250, late: 450, lateEnd: 650 } as const

interface Growth {
  /** Bytes, after garbage collection. */
  readonly heap: number
  /** Of the process's own pages; those of the mapped cache are counted apart. */
  readonly rss: number
}

export interface Memory {
  readonly batch: number
  readonly batches: number
  /** From batch 50 to batch 250. */
  readonly early: Growth
  /** From batch 450 to batch 650. */
  readonly late: Growth
  readonly peakRss: number
  /** What the peak is made of: before the loader was made, its slots, its scratch, and mapped files. */
  readonly startRss: number
  readonly slotBytes: number
  readonly scratchBytes: number
  readonly mappedBytes: number
}

interface Snapshot {
  readonly heap: number
  readonly own: number
  readonly mapped: number
}

/** Memory in bytes by /proc/self/status, or all of it as own where the system has none. */
function snapshot(): Snapshot {
  const collect = (globalThis as { gc?: () => void }).gc
  if (collect === undefined) throw new Error('run node with --expose-gc')
  // Finalizers of one collection leave garbage for the next.
  for (let i = 0; i < 3; i++) collect()
  const { heapUsed, rss } = process.memoryUsage()
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    const bytes = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1])
    return { heap: heapUsed, own: bytes('RssAnon') + bytes('RssShmem'), mapped: bytes('RssFile') }
  } catch {
    return { heap: heapUsed, own: rss, mapped: 0 }
  }
}

/** Batch after batch over many epochs: does anything stay? */
export async function memory(path: string, batchSize: number): Promise<Memory> {
  const cache = await openImageCache(path)
  const start = snapshot()
  const loader = load(cache, {
    batchSize,
    shuffle: true,
    threads: 2,
    epochs: MARKS.lateEnd,
    rank: 0,
    worldSize: 1,
    image: [randomResizedCrop(224)],
  })
  const marks: readonly number[] = Object.values(MARKS)
  const seen = new Map<number, Snapshot>()
  let batches = 0
  let slotBytes = 0
  let scratchBytes = 0
  for await (const batch of loader) {
    if (batch.meta.size === 0) throw new Error('an empty batch')
    batches++
    if (marks.includes(batches)) seen.set(batches, snapshot())
    if (batches < MARKS.lateEnd) continue
    slotBytes = loader.slotBytes
    scratchBytes = loader.scratchBytes
    break
  }
  const at = (mark: number): Snapshot => {
    const found = seen.get(mark)
    if (found === undefined) throw new Error(`only ${batches} batches`)
    return found
  }
  const growth = (from: number, to: number): Growth => ({
    heap: at(to).heap - at(from).heap,
    rss: at(to).own - at(from).own,
  })
  const peakRss = process.resourceUsage().maxRSS * 1024
  loader.close()
  await cache.close()
  return {
    batch: batchSize,
    batches,
    early: growth(MARKS.early, MARKS.earlyEnd),
    late: growth(MARKS.late, MARKS.lateEnd),
    peakRss,
    startRss: start.own + start.mapped,
    slotBytes,
    scratchBytes,
    mappedBytes: Math.max(0, at(MARKS.lateEnd).mapped - start.mapped),
  }
}
