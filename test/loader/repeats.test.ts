import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Sampler } from '../../src/sampling/types.ts'
import { type LoadOptions, load, randomResizedCrop } from '../../src/vision/index.ts'
import { own } from './own-dataset.ts'
import { type PhotoCache, photoCache } from './photo-cache.ts'

/** A sampler of one's own: ids by position. */
const sampler = (length: number, id: (position: number, epoch: number) => number, unique?: boolean): Sampler => ({
  length,
  ...(unique === undefined ? {} : { unique }),
  prepare() {},
  fill(epoch, start, out) {
    for (let i = 0; i < out.length; i++) out[i] = id(start + i, epoch)
  },
})

const numbers = own({ x: { kind: 'number' } } as const, 6, async (id) => ({ x: id }))

async function repeatsOf(options: LoadOptions): Promise<number[]> {
  const loader = load(numbers, { batchSize: 4, rank: 0, worldSize: 1, ...options })
  const repeats: number[] = []
  for (let step = 0; step < loader.steps; step++) repeats.push(...(await loader.planStep(1, step)).repeats)
  return repeats
}

describe('how often a sample came before in its epoch', () => {
  it('is counted for a sampler that may give it again', async () => {
    // 0 1 2 0 0 1 2 0 0 1
    const again = sampler(10, (position) => ((position * 3) % 5 === 4 ? 0 : position % 4 === 3 ? 0 : position % 4))
    const ids = Array.from({ length: 10 }, (_, p) => ((p * 3) % 5 === 4 ? 0 : p % 4 === 3 ? 0 : p % 4))
    const expected = ids.map((id, p) => ids.slice(0, p).filter((other) => other === id).length)
    expect(await repeatsOf({ sampler: again })).toEqual(expected)
    expect(await repeatsOf({ sampler: { ...again, unique: false } })).toEqual(expected)
    expect(() => load(numbers, { sampler: { ...again, unique: 1 as never } })).toThrow(
      'sampler.unique must be true or false, but got 1',
    )
  })

  it('goes on over the padding at the end', async () => {
    const twice = sampler(5, (position) => position % 3)
    // 0 1 2 0 1, then from the start again: 0 1 2
    expect(await repeatsOf({ sampler: twice, tail: 'pad' })).toEqual([0, 0, 0, 1, 1, 2, 2, 1])
    expect(await repeatsOf({ sampler: sampler(5, (position) => position, true), tail: 'pad' })).toEqual([
      0, 0, 0, 0, 0, 1, 1, 1,
    ])
  })

  it('is the same on every rank and batch size', async () => {
    const twice = sampler(12, (position) => position % 5)
    const whole = await repeatsOf({ sampler: twice, batchSize: 12 })
    const ranks = await Promise.all(
      [0, 1].map((rank) => repeatsOf({ sampler: twice, batchSize: 6, rank, worldSize: 2 })),
    )
    expect(ranks.flat()).toEqual(whole)
  })

  it.each([-1, 6, 1.5, Number.NaN])('is nothing for the id %d: E_USAGE', async (id) => {
    await expect(repeatsOf({ sampler: sampler(4, () => id) })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: `the sampler's ids must be integers from 0 to 5, but got ${id}`,
    })
  })
})

describe('crops', () => {
  let photos: PhotoCache
  beforeAll(async () => {
    photos = await photoCache(20, 64)
  })
  afterAll(() => photos.remove())

  const crops = async (options: LoadOptions) => {
    const image = [randomResizedCrop(16)] as const
    const loader = load(photos.cache, { image, batchSize: 8, seed: 3, rank: 0, worldSize: 1, ...options })
    const boxes: unknown[] = []
    for (let step = 0; step < loader.steps; step++) boxes.push((await loader.planStep(2, step)).fields.image)
    return boxes
  }

  it('are those of the built-in order where a sampler gives the same one, whether it says that it is unique or not', async () => {
    const expected = await crops({ sampler: 'sequential' })
    expect(await crops({ sampler: sampler(20, (position) => position) })).toEqual(expected)
    expect(await crops({ sampler: sampler(20, (position) => position, true) })).toEqual(expected)
  })

  it('go on after a resume as they would have', async () => {
    const twice = sampler(40, (position) => (position * 7) % 20)
    const options = { sampler: twice, image: [randomResizedCrop(16)], batchSize: 8, rank: 0, worldSize: 1 } as const
    const first = load(photos.cache, options)
    const pixels: string[] = []
    let state = first.state()
    for await (const { image, meta } of first) {
      pixels.push(Buffer.from(image.data).toString('base64'))
      if (meta.step === 2) state = first.state()
    }
    const rest: string[] = []
    for await (const { image } of load(photos.cache, { ...options, resume: state }))
      rest.push(Buffer.from(image.data).toString('base64'))
    expect(rest).toEqual(pixels.slice(3))
    // Sample 0 comes at positions 0 and 20: other crops of it.
    expect(pixels[0]?.slice(0, 1000)).not.toBe(pixels[2]?.slice(4096, 5096))
  })
})
