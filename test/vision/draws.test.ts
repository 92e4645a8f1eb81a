import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Dataset } from '../../src/datasets/types.ts'
import { buildImageCache, load, openImageCache, randomResizedCrop } from '../../src/vision/index.ts'
import { awkward } from '../cache/sources.ts'

/** A lossless frame header between the last row and the end of the picture: only crops that reach the bottom read it. */
function oddEnd(jpeg: Buffer): Buffer {
  const frame = [0xff, 0xc3, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0]
  return Buffer.concat([jpeg.subarray(0, -2), Buffer.from(frame), jpeg.subarray(-2)])
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-draws-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('damage that some crops of a picture meet', () => {
  it.each(['jpeg', 'dct'] as const)('counts for them alone, whatever kind of damage it is: %s', async (encoding) => {
    const sound = awkward('baseline_420.jpg')
    const path = join(folder, encoding)
    const samples = Array.from({ length: 6 }, (_, id) => ({ image: id === 0 ? oddEnd(sound) : sound }))
    await buildImageCache(samples, path, { encoding, tolerant: true })
    const cache = (await openImageCache(path)) as unknown as Dataset
    const run = async (epoch: number, epochs: number) => {
      const options = { image: [randomResizedCrop(16)], batchSize: 6, rank: 0, worldSize: 1, onError: 'skip' } as const
      const loader = load(cache, { ...options, epoch, epochs })
      const seen: string[] = []
      for await (const { meta } of loader) seen.push(meta.index.data.join())
      loader.close()
      return seen
    }
    const went = await run(0, 24)
    const fresh: string[] = []
    for (let epoch = 0; epoch < 24; epoch++) fresh.push(...(await run(epoch, 1)))
    expect(went).toEqual(fresh)
    // Some crops of it are sound, others are not.
    expect(new Set(went).size).toBe(2)
    await cache.close()
  })
})
