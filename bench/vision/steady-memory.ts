import { load, normalize, imagenet, openImageCache, randomResizedCrop } from 'headrace'
import { type MadeSet, made, SETS } from './sets.ts'

/** What stays of a batch: growth of heap (after collection) and resident memory from batch 50 to batch 250. */
export async function steadyMemory(set: MadeSet): Promise<{ heapBytes: number; rssBytes: number; slotBytes: number }> {
  const collect = globalThis.gc
  if (collect === undefined) throw new Error('run with --expose-gc')
  const cache = await openImageCache(set.cache)
  const loader = load(cache, {
    batchSize: 64,
    shuffle: true,
    epochs: 1000,
    image: [randomResizedCrop(224), normalize(imagenet)],
    dtype: 'float16',
    rank: 0,
    worldSize: 1,
  })
  let batches = 0
  let before = { heap: 0, rss: 0 }
  const measure = async () => {
    for (let i = 0; i < 3; i++) {
      collect()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { heap: process.memoryUsage().heapUsed, rss: process.memoryUsage().rss }
  }
  for await (const _ of loader) {
    batches++
    if (batches === 50) before = await measure()
    if (batches === 250) break
  }
  const after = await measure()
  const { slotBytes } = loader
  loader.close()
  await cache.close()
  return { heapBytes: after.heap - before.heap, rssBytes: after.rss - before.rss, slotBytes }
}

const [set] = SETS
if (set !== undefined && process.argv[1]?.endsWith('steady-memory.js')) console.log(JSON.stringify(await steadyMemory(await made(set))))
