import { readFileSync } from 'node:fs'
import { load, openImageCache, randomResizedCrop } from 'headrace'

/** Batches until everything has its size, and the batch that is compared with it. */
const SETTLED = 50
const LAST = 250

export interface Memory {
  readonly batch: number
  readonly batches: number
  /** From batch 50 to batch 250, after garbage collection. */
  readonly heapGrowth: number
  /** Of the process's own pages; those of the mapped cache are counted apart. */
  readonly rssGrowth: number
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
    epochs: LAST,
    rank: 0,
    worldSize: 1,
    image: [randomResizedCrop(224)],
  })
  let settled: Snapshot | undefined
  let last: Snapshot | undefined
  let batches = 0
  let slotBytes = 0
  let scratchBytes = 0
  for await (const batch of loader) {
    if (batch.meta.size === 0) throw new Error('an empty batch')
    batches++
    if (batches === SETTLED) settled = snapshot()
    if (batches < LAST) continue
    last = snapshot()
    slotBytes = loader.slotBytes
    scratchBytes = loader.scratchBytes
    break
  }
  if (settled === undefined || last === undefined) throw new Error(`only ${batches} batches`)
  const peakRss = process.resourceUsage().maxRSS * 1024
  loader.close()
  await cache.close()
  return {
    batch: batchSize,
    batches,
    heapGrowth: last.heap - settled.heap,
    rssGrowth: last.own - settled.own,
    peakRss,
    startRss: start.own + start.mapped,
    slotBytes,
    scratchBytes,
    mappedBytes: Math.max(0, last.mapped - start.mapped),
  }
}
