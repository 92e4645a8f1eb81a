import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { fromModule, load, openStore } from 'headrace'
import type { SizedObjects } from './sized-objects.ts'

/** One line of input. `gets`: no loader, the store's own gets into memory that is used again. */
export interface FeedTask {
  readonly way: 'gets' | 'in place' | 'copied'
  readonly objects: SizedObjects
  readonly batchSize: number
  readonly inflight: number
  readonly workers: number
  readonly persistentWorkers: boolean
  readonly epochs: number
}

/** One line of output: CPU of the whole process, by the clock, and what it came to. */
export interface FeedCost {
  /** Microseconds a sample. */
  readonly user: number
  readonly system: number
  readonly samplesPerSecond: number
  readonly rssMiB: number
  /** Milliseconds from an epoch's last batch to the next one's first, the median. */
  readonly epochGap: number | undefined
}

const PREFETCH = 4
const MODULE = fileURLToPath(new URL('sized-objects.js', import.meta.url))

/** Begins to count where the first epoch ends: what is compiled, connected and mapped once is not a sample's. */
class Meter {
  #start = 0
  #before = process.cpuUsage()
  readonly gaps: number[] = []

  begin(): void {
    this.#start = performance.now()
    this.#before = process.cpuUsage()
  }

  cost(samples: number): FeedCost {
    const { user, system } = process.cpuUsage(this.#before)
    return {
      user: user / samples,
      system: system / samples,
      samplesPerSecond: (1000 * samples) / (performance.now() - this.#start),
      rssMiB: process.memoryUsage.rss() / 2 ** 20,
      epochGap: this.gaps.sort((a, b) => a - b)[this.gaps.length >> 1],
    }
  }
}

async function gets({ objects, inflight, batchSize, epochs }: FeedTask): Promise<FeedCost> {
  const store = await openStore(objects.url, objects.store)
  // As much memory as the batches of a loader have.
  const places = Array.from({ length: batchSize * (PREFETCH + 1) }, () => new Uint8Array(objects.size))
  const meter = new Meter()
  for (let epoch = 0; epoch <= epochs; epoch++) {
    if (epoch === 1) meter.begin()
    let next = 0
    const lane = async () => {
      while (next < objects.count) {
        const id = next++
        await store.get(`${id}`, { into: places[id % places.length] as Uint8Array })
      }
    }
    await Promise.all(Array.from({ length: inflight }, lane))
  }
  const cost = meter.cost(objects.count * epochs)
  await store.close()
  return cost
}

async function batches({ objects, epochs, way: _, ...options }: FeedTask): Promise<FeedCost> {
  const dataset = await fromModule(MODULE, { options: objects })
  const loader = load(dataset, { ...options, epochs: epochs + 1, prefetch: PREFETCH, rank: 0, worldSize: 1 })
  const meter = new Meter()
  let last = 0
  let epoch = 0
  for await (const { meta } of loader) {
    const now = performance.now()
    if (meta.epoch > epoch) {
      meter.gaps.push(now - last)
      if (epoch === 0) meter.begin()
    }
    epoch = meta.epoch
    last = now
  }
  const cost = meter.cost(objects.count * epochs)
  await loader[Symbol.asyncDispose]()
  await dataset.close()
  return cost
}

for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line) as FeedTask
  process.stdout.write(`${JSON.stringify(await (task.way === 'gets' ? gets(task) : batches(task)))}\n`)
}
