import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TrialSchema } from '../../src/benchmark/vision/candidates.ts'
import { fidelities } from '../../src/benchmark/vision/fidelity.ts'
import {
  type BuildOptions,
  buildImageCache,
  decode,
  type ImageCache,
  load,
  openImageCache,
} from '../../src/vision/index.ts'
import { PHOTOS } from '../loader/photo-cache.ts'

let folder: string
const opened: ImageCache<TrialSchema>[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-fidelity-'))
})
afterAll(async () => {
  for (const cache of opened) await cache.close()
  await rm(folder, { recursive: true, force: true })
})

async function cacheOf(name: string, source: string, options: BuildOptions = {}): Promise<ImageCache<TrialSchema>> {
  const path = join(folder, name)
  await buildImageCache(source, path, { fields: ['image'], ...options })
  const cache = await openImageCache<TrialSchema>(path)
  opened.push(cache)
  return cache
}

/** All pixels of a cache, in order. */
async function pixelsOf(cache: ImageCache<TrialSchema>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  const loader = load(cache, { image: [decode()], batchSize: 1, rank: 0, worldSize: 1 })
  for await (const { image } of loader) parts.push(image.data.slice())
  loader.close()
  return Buffer.concat(parts)
}

/** A cache of one picture of one gray level. */
async function grayOf(level: number, width: number, height: number): Promise<ImageCache<TrialSchema>> {
  const name = `gray-${level}-${width}-${height}`
  await mkdir(join(folder, name, 'set'), { recursive: true })
  const background = { r: level, g: level, b: level }
  await sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toFile(join(folder, name, 'set', 'a.png'))
  return cacheOf(`${name}.cache`, join(folder, name), { quality: 100 })
}

const compare = (source: ImageCache<TrialSchema>, others: readonly ImageCache<TrialSchema>[], told: number[] = []) =>
  fidelities(source, others, 2, undefined, (images) => told.push(images))

describe('fidelity', () => {
  it('is exact where every pixel is the same; else it has the PSNR over all pixels and the largest difference', async () => {
    const told: number[] = []
    const source = await cacheOf('source', PHOTOS, { maxSide: 120 })
    const packed = await cacheOf('packed', join(folder, 'source'), { encoding: 'dct' })
    const rough = await cacheOf('rough', PHOTOS, { maxSide: 120, quality: 40 })
    const [first, second] = await compare(source, [packed, rough], told)
    expect(first).toEqual({ exact: true, maxDifference: 0, padded: 0 })
    const [a, b] = [await pixelsOf(source), await pixelsOf(rough)]
    const squares = a.reduce((sum, value, i) => sum + (value - (b[i] ?? 0)) ** 2, 0)
    const maxDifference = a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? 0))), 0)
    expect(second).toEqual({ exact: false, psnr: expect.any(Number), maxDifference, padded: 0 })
    expect(second?.psnr).toBeCloseTo(10 * Math.log10(255 ** 2 / (squares / a.length)), 9)
    expect(second?.psnr).toBeGreaterThan(20)
    expect(told).toEqual(Array.from({ length: source.length + 1 }, (_, images) => images))
  })

  it('of a picture that became larger is that of its own pixels, and not exact', async () => {
    const source = await grayOf(100, 31, 21)
    const found = await compare(source, [await grayOf(100, 32, 22), await grayOf(110, 32, 22)])
    expect(found).toEqual([
      { exact: false, maxDifference: 0, padded: 1 },
      { exact: false, psnr: 10 * Math.log10(255 ** 2 / 100), maxDifference: 10, padded: 1 },
    ])
  })

  it('is not told of caches of another length', async () => {
    const whole = await cacheOf('whole', PHOTOS, { maxSide: 64 })
    await expect(compare(whole, [await grayOf(1, 8, 8)])).rejects.toMatchObject({ code: 'E_STATE' })
  })
})
