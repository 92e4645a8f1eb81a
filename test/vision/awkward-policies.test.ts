import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ImageFolder, imageFolder } from '../../src/datasets/index.ts'
import type { Dataset } from '../../src/datasets/types.ts'
import {
  buildImageCache,
  decode,
  type ImageCache,
  type LoadOptions,
  load,
  openImageCache,
  randomResizedCrop,
  resizeCenterCrop,
} from '../../src/vision/index.ts'
import { type AwkwardFolder, awkwardFolder, only } from './awkward-set.ts'

/** 41 samples of which these cannot be decoded without tolerance: damaged data, an end that is missing. */
const BAD = [4, 11, 36, 37]
const REASONS: Readonly<Record<number, readonly [key: string, reason: string]>> = {
  4: ['set/corrupt_entropy.jpg', 'Corrupt JPEG data: premature end of data segment'],
  11: ['set/no_eoi.jpg', 'Premature end of JPEG file'],
  36: ['set/truncated_60.jpg', 'Premature end of JPEG file'],
  37: ['set/truncated_progressive.jpg', 'Premature end of JPEG file'],
}
const GOOD = [...Array(41).keys()].filter((id) => !BAD.includes(id))

let set: AwkwardFolder
let cache: ImageCache
let folder: ImageFolder
beforeAll(async () => {
  set = await awkwardFolder()
  await buildImageCache(set.root, set.place('cache'), { onError: 'skip', tolerant: true })
  cache = await openImageCache(set.place('cache'))
  folder = await imageFolder(set.root)
})
afterAll(async () => {
  await Promise.all([cache.close(), folder.close()])
  await set.remove()
})

const whole = (tolerant = false) => [decode({ tolerant }), resizeCenterCrop(16, 16)] as const

interface Run {
  readonly ids: number[][]
  /** One hash a sample. */
  readonly pixels: string[]
  readonly report: ReturnType<ReturnType<typeof load>['report']>
}

async function run(dataset: Dataset, options: LoadOptions): Promise<Run> {
  const loader = load(dataset, { image: whole(), fields: ['image'], batchSize: 8, rank: 0, worldSize: 1, ...options })
  const ids: number[][] = []
  const pixels: string[] = []
  for await (const batch of loader) {
    const { data } = batch.image as unknown as { readonly data: Uint8Array }
    const size = batch.meta.size
    ids.push([...batch.meta.index.data].map(Number))
    for (let row = 0; row < size; row++)
      pixels.push(
        createHash('sha256')
          .update(data.subarray((row * data.length) / size, ((row + 1) * data.length) / size))
          .digest('hex'),
      )
  }
  loader.close()
  return { ids, pixels, report: loader.report() }
}

describe("onError: 'throw'", () => {
  it.each(BAD)('names sample %i, its path, its field and the reason', async (id) => {
    const [key, reason] = REASONS[id] as readonly [string, string]
    await expect(run(cache, { sampler: only(id) })).rejects.toMatchObject({
      name: 'HeadraceError',
      code: 'E_CORRUPT',
      message: `sample ${id} (${key}), field image: ${reason}`,
      details: { sample: id, key, field: 'image', hint: "onError: 'skip' or 'replace' goes on without such samples" },
    })
  })

  it.each([1, 4])('delivers what comes before and names the first bad sample, with %i threads', async (threads) => {
    const loader = load(cache, { image: whole(), batchSize: 4, threads, rank: 0, worldSize: 1 })
    const delivered: number[] = []
    const all = async () => {
      for await (const { meta } of loader) delivered.push(...[...meta.index.data].map(Number))
    }
    await expect(all()).rejects.toThrow('sample 4 (set/corrupt_entropy.jpg)')
    expect(delivered).toEqual([0, 1, 2, 3])
    expect(loader.state()).toMatchObject({ epoch: 0, position: 4 })
    loader.close()
  })

  it('says of a picture that is no JPEG that a cache makes it one', async () => {
    const id = Array.from({ length: folder.length }, (_, i) => folder.describe(i)).indexOf('set/webp_named.jpg')
    await expect(run(folder, { sampler: only(id) })).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: `sample ${id} (set/webp_named.jpg), field image: webp: only JPEG is decoded as it is; build a cache of the dataset first`,
    })
  })
})

describe("onError: 'skip'", () => {
  it('makes shorter batches, moves no other sample and counts', async () => {
    const { ids, report } = await run(cache, { onError: 'skip' })
    expect(ids).toEqual([
      [0, 1, 2, 3, 5, 6, 7],
      [8, 9, 10, 12, 13, 14, 15],
      [16, 17, 18, 19, 20, 21, 22, 23],
      [24, 25, 26, 27, 28, 29, 30, 31],
      [32, 33, 34, 35, 38, 39],
      [40],
    ])
    expect(report).toMatchObject({ skipped: 4, replaced: 0 })
    expect(report.faults).toEqual(
      BAD.map((sample) => {
        const [key, reason] = REASONS[sample] as readonly [string, string]
        return { sample, key, field: 'image', code: 'E_CORRUPT', reason }
      }),
    )
  })

  it('goes on where every sample of a step is bad; among several ranks that step has an empty batch', async () => {
    const order = { onError: 'skip', sampler: only(4, 36, 0, 37, 11, 1) } as const
    expect((await run(cache, { ...order, batchSize: 2 })).ids).toEqual([[0], [1]])
    const rank = { ...order, batchSize: 1, rank: 0, worldSize: 2 }
    expect((await run(cache, rank)).ids).toEqual([[], [0], []])
  })

  it('counts a step that was left out: the next batch has the number after it', async () => {
    const loader = load(cache, {
      image: whole(),
      onError: 'skip',
      sampler: only(0, 4, 1),
      batchSize: 1,
      rank: 0,
      worldSize: 1,
    })
    const seen: number[][] = []
    for await (const { meta } of loader) seen.push([meta.step, loader.state().position])
    expect(seen).toEqual([
      [0, 1],
      [2, 0],
    ])
    expect(loader.report().skipped).toBe(1)
  })

  it('counts again in the next epoch, and lists each sample once', async () => {
    const { report } = await run(cache, { onError: 'skip', epochs: 3 })
    expect(report.skipped).toBe(12)
    expect(report.faults.map(({ sample }) => sample)).toEqual(BAD)
  })

  it('keeps damaged pictures where decode is tolerant, all but one that libjpeg gives up', async () => {
    const { ids, report } = await run(cache, { onError: 'skip', image: whole(true) })
    expect(ids.flat()).toEqual([...Array(41).keys()].filter((id) => id !== 4))
    expect(report.faults).toMatchObject([{ sample: 4, reason: 'Unsupported marker type 0x0c' }])
  })

  it('loads a folder without a cache: every JPEG that decodes, and a fault for each other file', async () => {
    const { ids, report } = await run(folder, { onError: 'skip' })
    expect(ids.flat().length).toBe(26)
    expect(report).toMatchObject({ skipped: 20, replaced: 0 })
    expect(report.faults.length).toBe(20)
  })
})

describe("onError: 'replace'", () => {
  it('puts sound samples into the places of the bad ones and into no others', async () => {
    const { ids, report } = await run(cache, { onError: 'replace' })
    expect(ids.map((batch) => batch.length)).toEqual([8, 8, 8, 8, 8, 1])
    const flat = ids.flat()
    for (const id of GOOD) expect(flat[id]).toBe(id)
    for (const id of BAD) expect(GOOD).toContain(flat[id])
    expect(report).toMatchObject({ skipped: 0, replaced: 4 })
  })

  it('chooses the same samples and crops for any thread count, batch size, prefetch and run', async () => {
    const options: LoadOptions = {
      onError: 'replace',
      shuffle: true,
      seed: 5,
      image: [randomResizedCrop(16, { scale: [0.5, 1] })],
    }
    const expected = await run(cache, { ...options, threads: 1, prefetch: 1 })
    for (const other of [{}, { threads: 4, prefetch: 3 }, { threads: 2, batchSize: 1 }, { batchSize: 41 }]) {
      const { ids, pixels } = await run(cache, { ...options, ...other })
      expect(ids.flat()).toEqual(expected.ids.flat())
      expect(pixels).toEqual(expected.pixels)
    }
  })

  it('is E_CORRUPT where every other sample is bad too', async () => {
    const samples = BAD.map((id) => cache.read(id))
    const bad: Dataset = {
      length: 4,
      schema: { image: { kind: 'image' } },
      fingerprint: 'bad',
      describe: (id) => `bad ${id}`,
      read: async (id) => samples[id] as Promise<{ image: Uint8Array }>,
      async close() {},
    }
    await expect(run(bad, { onError: 'replace' })).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: expect.stringMatching(/^no sample to replace [0-3] with: 16 others are bad too$/),
    })
  })
})

describe('what a loader has learnt', () => {
  // Small crops: many lie above the damage of a picture that is cut off, and are delivered.
  const image = [randomResizedCrop(16, { scale: [0.02, 0.1] })]

  it.each(['skip', 'replace'] as const)(
    'changes no result: under %s, epoch by epoch as in one run',
    async (onError) => {
      const options: LoadOptions = { image, onError, seed: 3, sampler: only(36, 1, 37, 2, 36, 4), batchSize: 6 }
      const together = await run(cache, { ...options, epochs: 12 })
      const apart = await Promise.all([...Array(12).keys()].map((epoch) => run(cache, { ...options, epoch })))
      expect(together.ids).toEqual(apart.map(({ ids }) => ids[0]))
      expect(together.pixels).toEqual(apart.flatMap(({ pixels }) => pixels))
      // Sample 36 is bad in one epoch and sound in another.
      const has36 = new Set(together.ids.map((ids) => ids[0] === 36))
      expect([...has36].sort()).toEqual([false, true])
    },
  )
})
