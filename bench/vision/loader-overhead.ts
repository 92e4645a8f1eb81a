import { createRequire } from 'node:module'
import { join } from 'node:path'
import { load, openImageCache, randomResizedCrop } from 'headrace'
import { type MadeSet, ROOT } from './sets.ts'
import { median } from './statistics.ts'

interface Addon {
  createSlot(bytes: number): object
  destroySlot(slot: object): void
  decodeImages(job: object): Promise<readonly unknown[]>
}

const BATCH = 250
const SIDE = 224

/** What the loader costs over decoding the same plans with nothing around, as a share of the latter; one thread. */
export async function loaderOverhead(set: MadeSet, rounds: number): Promise<{ wall: number; cpu: number }> {
  const addon = (createRequire(import.meta.url)('node-gyp-build') as (folder: string) => Addon)(ROOT)
  const cache = await openImageCache(set.cache)
  const options = { batchSize: BATCH, threads: 1, image: [randomResizedCrop(SIDE)], fields: ['image'], rank: 0, worldSize: 1 } as const
  const loader = load(cache, options)
  const slots = [0, 1, 2].map(() => addon.createSlot(BATCH * SIDE * SIDE * 3))
  const jobs: object[] = []
  for (let step = 0; step < loader.steps; step++) {
    const { ids, fields } = await loader.planStep(0, step)
    const count = ids.length
    const where = { offset: new Float64Array(count), size: new Float64Array(count), height: new Uint32Array(count), width: new Uint32Array(count) }
    const source = cache.locate(Float64Array.from(ids), 'image', where)
    const { image } = (fields as { image: { image: { clip: Box; box: Box; flip: boolean }[] } }).image
    const boxes = image.flatMap(({ clip, box, flip }) => [clip.x, clip.y, clip.width, clip.height, box.x, box.y, box.width, box.height, flip ? 1 : 0])
    const offsets = Float64Array.from({ length: count }, (_, i) => i * SIDE * SIDE * 3)
    jobs.push({
      source,
      sourceOffsets: where.offset,
      sourceSizes: where.size,
      heights: where.height,
      widths: where.width,
      views: [{ width: SIDE, height: SIDE, layout: 'NHWC', dtype: 'uint8', scale: [1, 1, 1], bias: [0, 0, 0], offsets }],
      boxes: Float64Array.from(boxes),
      slot: slots[step % slots.length],
      threads: 1,
      group: 1_000_000,
      dct: 'islow',
      fancyUpsampling: true,
      tolerant: false,
      maxPixels: 2 ** 40,
    })
  }
  // As many jobs under way as the loader has, so that both keep the thread busy.
  const bare = async () => {
    const under: Promise<unknown>[] = []
    for (const job of jobs) {
      under.push(addon.decodeImages(job))
      if (under.length === slots.length) await under.shift()
    }
    await Promise.all(under)
  }
  const loaded = async () => {
    loader.setEpoch(0)
    for await (const _ of loader);
  }
  const spent = { bare: { wall: [] as number[], cpu: [] as number[] }, loaded: { wall: [] as number[], cpu: [] as number[] } }
  await bare()
  await loaded()
  for (let round = 0; round < rounds; round++) {
    for (const [name, epoch] of [['bare', bare], ['loaded', loaded]] as const) {
      const cpu = process.cpuUsage()
      const start = performance.now()
      await epoch()
      spent[name].wall.push(performance.now() - start)
      const used = process.cpuUsage(cpu)
      spent[name].cpu.push(used.user + used.system)
    }
  }
  loader.close()
  for (const slot of slots) addon.destroySlot(slot)
  await cache.close()
  const share = (kind: 'wall' | 'cpu') => median(spent.loaded[kind]) / median(spent.bare[kind]) - 1
  return { wall: share('wall'), cpu: share('cpu') }
}

interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** A program of its own: `node loader-overhead.js`, because its figures are CPU time of the whole process. */
if (process.argv[1]?.endsWith(join('vision', 'loader-overhead.js'))) {
  const { made, SETS } = await import('./sets.ts')
  const set = SETS.find(({ name }) => name === process.argv[2]) ?? SETS[0]
  if (set !== undefined) console.log(JSON.stringify(await loaderOverhead(await made(set), Number(process.argv[3] ?? 5))))
}
