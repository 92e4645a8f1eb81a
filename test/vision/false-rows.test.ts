import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  centerCrop,
  decode,
  directRandomResizedCrop,
  type ImageOperation,
  load,
  openImageCache,
  randomResizedCrop,
  resizeCenterCrop,
} from '../../src/vision/index.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'

/** Rows of a cache that say of their pictures what is not so. */

let photos: PhotoCache
let table: Buffer
beforeAll(async () => {
  photos = await photoCache(12, 64)
  table = await readFile(join(photos.path, 'image.meta.npy'))
})
afterAll(() => photos.remove())
beforeEach(() => writeFile(join(photos.path, 'image.meta.npy'), table))

async function say(samples: readonly number[], height: number, width: number): Promise<void> {
  const bytes = Buffer.from(table)
  for (const sample of samples) {
    const row = 10 + bytes.readUInt16LE(8) + 24 * sample
    bytes.writeUInt32LE(height, row + 16)
    bytes.writeUInt32LE(width, row + 20)
  }
  await writeFile(join(photos.path, 'image.meta.npy'), bytes)
}

async function faultsOf(image: readonly ImageOperation[], ringBytes = 2 ** 30) {
  const cache = await openImageCache(photos.path)
  const loader = load(cache, { image, batchSize: 12, rank: 0, worldSize: 1, onError: 'skip', ringBytes })
  const ids: number[] = []
  for await (const { meta } of loader) ids.push(...[...meta.index.data].map(Number))
  loader.close()
  await cache.close()
  return { ids, faults: loader.report().faults.map(({ sample, code, reason }) => [sample, code, reason]) }
}

const OTHERS = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]

describe('a picture of no size', () => {
  it.each([
    ['decode', [decode()]],
    ['randomResizedCrop', [randomResizedCrop(16)]],
    ["slipstream's", [randomResizedCrop(16, { law: 'slipstream' })]],
    ['directRandomResizedCrop', [directRandomResizedCrop(16)]],
    ['centerCrop', [centerCrop(16)]],
    ['centerCrop by ratio', [centerCrop(16, { ratio: 0.9 })]],
    ['resizeCenterCrop', [resizeCenterCrop(20, 16)]],
  ])('is a damaged row for %s, and no more', async (_, image) => {
    for (const [height, width] of [
      [0, 0],
      [0, 64],
      [64, 0],
    ] as const) {
      await say([3], height, width)
      const faults = [[3, 'E_CORRUPT', `${width}x${height} pixels are no size of a picture`]]
      expect(await faultsOf(image)).toEqual({ ids: OTHERS, faults })
    }
  })
})

describe('pictures that are said to be larger than they are', () => {
  it('are left out also where they would not fit into the memory of a batch', async () => {
    await say([3, 5], 13_000, 13_000)
    const { ids, faults } = await faultsOf([decode()], 2 ** 24)
    expect(ids).toEqual(OTHERS.filter((id) => id !== 5))
    expect(faults).toEqual([
      [3, 'E_CORRUPT', expect.stringMatching(/^the header says \d+x\d+ pixels, the metadata 13000x13000$/)],
      [5, 'E_CORRUPT', expect.stringMatching(/^the header says \d+x\d+ pixels, the metadata 13000x13000$/)],
    ])
  })

  it('are no excuse for a batch that is too large', async () => {
    await expect(faultsOf([decode()], 1000)).rejects.toMatchObject({ code: 'E_LIMIT' })
  })
})
