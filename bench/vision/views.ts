import { load, openImageCache, randomHorizontalFlip, randomResizedCrop } from 'headrace'
import { median } from './statistics.ts'

export interface Views {
  /** Seconds of an epoch with two views over seconds with one; the median pair. */
  readonly ratio: number
}

/** Epochs with one random crop of every picture, and with two, in turn, in this process with one thread. */
export async function views(path: string, batchSize: number, pairs: number): Promise<Views> {
  const cache = await openImageCache(path)
  const crop = [randomResizedCrop(224), randomHorizontalFlip()]
  const options = { batchSize, threads: 1, fields: ['image'], rank: 0, worldSize: 1 } as const
  const one = load(cache, { ...options, views: { a: crop } })
  const two = load(cache, { ...options, views: { a: crop, b: crop } })
  const secondsOf = async (loader: typeof one | typeof two): Promise<number> => {
    loader.setEpoch(0)
    const start = performance.now()
    for await (const batch of loader) if (batch.image.a.data.length === 0) throw new Error('an empty batch')
    return performance.now() - start
  }
  await secondsOf(one)
  await secondsOf(two)
  const ratios: number[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const single = await secondsOf(one)
    ratios.push((await secondsOf(two)) / single)
  }
  one.close()
  two.close()
  await cache.close()
  return { ratio: median(ratios) }
}
