import { type ImageCache, load, openImageCache, randomResizedCrop } from 'headrace'
import { type DecodeJob, loadAddon } from './addon.ts'
import { median } from './statistics.ts'

const SIDE = 224
const PIXELS = SIDE * SIDE * 3
/** Batches under way at once, in the loader and without it. */
const PREFETCH = 2

export interface Overhead {
  readonly images: number
  readonly pairs: number
  readonly loaderSeconds: number
  readonly bareSeconds: number
  /** (loader - bare) / bare of the median pair. */
  readonly wall: number
  readonly cpu: number
}

interface Elapsed {
  readonly seconds: number
  readonly cpuSeconds: number
}

/** What the loader records of a crop. */
interface RecordedBox {
  readonly clip: Rectangle
  readonly box: Rectangle
  readonly flip: boolean
}

interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

async function timed(work: () => Promise<void>): Promise<Elapsed> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { seconds, cpuSeconds: (user + system) / 1e6 }
}

function boxRow({ clip, box, flip }: RecordedBox): number[] {
  const rectangles = [clip, box].flatMap(({ x, y, width, height }) => [x, y, width, height])
  return [...rectangles, flip ? 1 : 0]
}

/** The native call of one step, exactly as the loader makes it. */
function jobOf(cache: ImageCache, ids: readonly number[], boxes: readonly RecordedBox[], slot: object): DecodeJob {
  const count = ids.length
  const offset = new Float64Array(count)
  const size = new Float64Array(count)
  const height = new Uint32Array(count)
  const width = new Uint32Array(count)
  const source = cache.locate(Float64Array.from(ids), 'image', { offset, size, height, width })
  return {
    source,
    sourceOffsets: offset,
    sourceSizes: size,
    heights: height,
    widths: width,
    views: [
      {
        width: SIDE,
        height: SIDE,
        layout: 'NHWC',
        dtype: 'uint8',
        scale: [1, 1, 1],
        bias: [0, 0, 0],
        offsets: Float64Array.from(ids, (_, row) => row * PIXELS),
      },
    ],
    boxes: Float64Array.from(boxes.flatMap(boxRow)),
    slot,
    threads: 1,
    group: 0,
    encoding: cache.encodingOf('image') ?? 'jpeg',
    table: cache.frequenciesOf('image'),
    dct: 'islow',
    fancyUpsampling: true,
    tolerant: false,
    maxPixels: 2 ** 31,
  }
}

/** One epoch through the loader against its native calls alone, in turn, in this process. */
export async function overhead(path: string, batchSize: number, pairs: number): Promise<Overhead> {
  const cache = await openImageCache(path)
  const addon = loadAddon()
  const loader = load(cache, {
    batchSize,
    threads: 1,
    prefetch: PREFETCH,
    fields: ['image'],
    rank: 0,
    worldSize: 1,
    image: [randomResizedCrop(SIDE)],
  })
  const slots = Array.from({ length: PREFETCH + 1 }, () => addon.createSlot(batchSize * PIXELS))
  const jobs: DecodeJob[] = []
  for (let step = 0; step < loader.steps; step++) {
    const { ids, fields } = await loader.planStep(0, step)
    const { image } = fields.image as { readonly image: readonly RecordedBox[] }
    jobs.push(jobOf(cache, ids, image, slots[step % slots.length] as object))
  }
  const throughLoader = async () => {
    loader.setEpoch(0)
    for await (const batch of loader) if (batch.image.data.length === 0) throw new Error('an empty batch')
  }
  const bare = async () => {
    const ahead: Promise<readonly object[]>[] = []
    for (const job of jobs) {
      ahead.push(addon.decodeImages(job))
      if (ahead.length >= PREFETCH) await ahead.shift()
    }
    await Promise.all(ahead)
  }
  await throughLoader()
  await bare()
  const results: { readonly loader: Elapsed; readonly bare: Elapsed }[] = []
  for (let pair = 0; pair < pairs; pair++) {
    // Who comes first changes: the second finds warmer caches.
    if (pair % 2 === 0) results.push({ loader: await timed(throughLoader), bare: await timed(bare) })
    else {
      const first = await timed(bare)
      results.push({ loader: await timed(throughLoader), bare: first })
    }
  }
  loader.close()
  for (const slot of slots) addon.destroySlot(slot)
  await cache.close()
  return {
    images: cache.length,
    pairs,
    loaderSeconds: median(results.map((pair) => pair.loader.seconds)),
    bareSeconds: median(results.map((pair) => pair.bare.seconds)),
    wall: median(results.map((pair) => pair.loader.seconds / pair.bare.seconds - 1)),
    cpu: median(results.map((pair) => pair.loader.cpuSeconds / pair.bare.cpuSeconds - 1)),
  }
}
