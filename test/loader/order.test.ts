import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LoaderState } from '../../src/loader/index.ts'
import { type LoadOptions, load, normalize, randomHorizontalFlip, randomResizedCrop } from '../../src/vision/index.ts'
import { type PhotoCache, photoCache } from './photo-cache.ts'

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(53)
})
afterAll(() => photos.remove())

const TRAIN = [randomResizedCrop(32), randomHorizontalFlip()] as const

interface Seen {
  readonly id: number
  readonly pixels: string
  readonly label: number
}

/** Every sample of an epoch or more, in order: its id and a hash of its pixels. */
async function run(
  options: LoadOptions,
  stopAfter = Number.POSITIVE_INFINITY,
): Promise<{ seen: Seen[]; sizes: number[]; padding: number[]; state: LoaderState }> {
  const loader = load(photos.cache, {
    image: TRAIN,
    seed: 7,
    shuffle: true,
    ...options,
    rank: options.rank ?? 0,
    worldSize: options.worldSize ?? 1,
  })
  const seen: Seen[] = []
  const sizes: number[] = []
  const padding: number[] = []
  let state = loader.state()
  for await (const { image, label, meta } of loader) {
    const stride = image.data.length / Math.max(1, meta.size)
    for (let row = 0; row < meta.size; row++)
      seen.push({
        id: Number(meta.index.data[row]),
        pixels: createHash('sha256')
          .update(image.data.slice(row * stride, (row + 1) * stride))
          .digest('hex'),
        label: Number(label.data[row]),
      })
    sizes.push(meta.size)
    padding.push(meta.padding)
    state = loader.state()
    if (sizes.length === stopAfter) break
  }
  loader.close()
  return { seen, sizes, padding, state }
}

describe('batches are the same bytes', () => {
  it('whatever the batch size, thread count and prefetch', async () => {
    const { seen: expected } = await run({ batchSize: 8, threads: 1, prefetch: 1 })
    expect(new Set(expected.map(({ id }) => id)).size).toBe(53)
    for (const options of [
      { batchSize: 1 },
      { batchSize: 7, threads: 2 },
      { batchSize: 53, threads: 4, prefetch: 3 },
      { batchSize: 100 },
    ])
      expect((await run(options)).seen, JSON.stringify(options)).toEqual(expected)
  })

  it.each([2, 3, 4])('when %i ranks share the global batch', async (worldSize) => {
    const { seen: expected } = await run({ batchSize: 12, tail: 'short' })
    const ranks = await Promise.all(
      [...Array(worldSize).keys()].map((rank) => run({ batchSize: 12 / worldSize, rank, worldSize, tail: 'short' })),
    )
    const together: Seen[] = []
    const at = ranks.map(() => 0)
    for (let step = 0; step < Math.ceil(53 / 12); step++)
      ranks.forEach(({ seen, sizes }, rank) => {
        const size = sizes[step] ?? 0
        together.push(...seen.slice(at[rank], (at[rank] as number) + size))
        at[rank] = (at[rank] as number) + size
      })
    expect(together).toEqual(expected)
  })

  it('when a plan that was printed is replayed', async () => {
    const options = {
      image: [...TRAIN, normalize([0.5, 0.5, 0.5], [0.2, 0.2, 0.2])],
      seed: 7,
      shuffle: true,
      batchSize: 10,
      rank: 0,
      worldSize: 1,
    } as const
    const loader = load(photos.cache, options)
    const plan = JSON.parse(JSON.stringify(await loader.planStep(3, 2)))
    // Another seed: everything must come from the plan.
    using replayed = await load(photos.cache, { ...options, seed: 99 }).replay(plan)
    loader.setEpoch(3)
    let step = 0
    for await (const { image, meta } of loader) {
      if (step++ < 2) continue
      expect([...meta.index.data].map(Number)).toEqual(plan.ids)
      expect(
        Buffer.from(replayed.image.data.buffer, replayed.image.data.byteOffset, replayed.image.data.byteLength),
      ).toEqual(Buffer.from(image.data.buffer, image.data.byteOffset, image.data.byteLength))
      break
    }
    expect(step).toBe(3)
  })

  it('but other pixels in another epoch, of another seed, in another view', async () => {
    const { seen: first } = await run({ batchSize: 8 })
    const pixelsOf = (seen: Seen[]) => new Map(seen.map(({ id, pixels }) => [id, pixels]))
    const base = pixelsOf(first)
    for (const options of [{ epoch: 1 }, { seed: 8 }]) {
      const { seen } = await run({ batchSize: 8, ...options })
      expect(seen.map(({ id }) => id)).not.toEqual(first.map(({ id }) => id))
      const same = seen.filter(({ id, pixels }) => base.get(id) === pixels).length
      expect(same).toBeLessThan(3)
    }
  })
})

describe('resume', () => {
  it.each([1, 3, 6])('goes on behind batch %i with the same samples and pixels', async (stopAfter) => {
    const { seen: whole } = await run({ batchSize: 8 })
    const { seen: before, state } = await run({ batchSize: 8 }, stopAfter)
    const { seen: after } = await run({ resume: JSON.parse(JSON.stringify(state)) })
    expect([...before, ...after]).toEqual(whole)
  })

  it('goes on at any step with another world size', async () => {
    const { seen: whole } = await run({ batchSize: 12, tail: 'short' })
    const { seen: before, state } = await run({ batchSize: 12, tail: 'short' }, 2)
    expect(state).toMatchObject({ version: 1, seed: 7, epoch: 0, position: 24, tail: 'short', globalBatch: 12 })
    const ranks = await Promise.all([0, 1].map((rank) => run({ resume: state, rank, worldSize: 2 })))
    const [a, b] = ranks as [(typeof ranks)[number], (typeof ranks)[number]]
    expect([...a.seen.slice(0, 6), ...b.seen.slice(0, 6)]).toEqual(whole.slice(24, 36))
    expect(new Set([...before, ...a.seen, ...b.seen].map(({ id }) => id)).size).toBe(53)
  })

  it('after the last batch begins the next epoch', async () => {
    const { state } = await run({ batchSize: 8 }, 7)
    expect(state).toMatchObject({ epoch: 1, position: 0 })
    expect((await run({ resume: state })).seen).toEqual((await run({ batchSize: 8, epoch: 1 })).seen)
  })

  it('refuses a state of another order, seed or division', async () => {
    const { state } = await run({ batchSize: 8 }, 1)
    await expect(run({ resume: state, shuffle: false })).rejects.toMatchObject({ code: 'E_STATE' })
    await expect(run({ resume: state, seed: 1 })).rejects.toThrow(
      'the state was made with seed 7, but seed 1 is asked for',
    )
    await expect(run({ resume: state, rank: 0, worldSize: 3 })).rejects.toThrow(
      "the state's global batch of 8 cannot be divided among worldSize 3",
    )
    await expect(run({ resume: { ...state, position: 5 } })).rejects.toThrow(
      'position 5 is not a multiple of the global batch (8)',
    )
    await expect(run({ resume: { ...state, version: 2 } as never })).rejects.toThrow('version must be 1, but got 2')
  })
})

describe('the tail', () => {
  it('short: every sample exactly once', async () => {
    const { seen, sizes, padding } = await run({ batchSize: 8, tail: 'short' })
    expect(sizes).toEqual([8, 8, 8, 8, 8, 8, 5])
    expect(padding).toEqual([0, 0, 0, 0, 0, 0, 0])
    expect(seen.map(({ id }) => id).sort((a, b) => a - b)).toEqual([...Array(53).keys()])
  })

  it('drop: only full global batches', async () => {
    expect((await run({ batchSize: 8, tail: 'drop' })).sizes).toEqual([8, 8, 8, 8, 8, 8])
  })

  it('pad: equal steps on every rank; the repeats are the first samples with crops of their own', async () => {
    const ranks = await Promise.all([0, 1, 2].map((rank) => run({ batchSize: 4, rank, worldSize: 3 })))
    expect(ranks.map(({ sizes }) => sizes)).toEqual(Array(3).fill([4, 4, 4, 4, 4]))
    expect(ranks.map(({ padding }) => padding[4])).toEqual([0, 3, 4])
    const first = (await run({ batchSize: 12 })).seen
    const [, b, c] = ranks.map(({ seen }) => seen) as [Seen[], Seen[], Seen[]]
    const repeats = [...b.slice(17), ...c.slice(16)]
    expect(repeats.map(({ id }) => id)).toEqual(first.slice(0, 7).map(({ id }) => id))
    repeats.forEach(({ pixels }, i) => {
      expect(pixels).not.toBe(first[i]?.pixels)
    })
  })
})

describe('epochs', () => {
  it('follow each other when the loader is iterated again, and setEpoch sets them', async () => {
    const loader = load(photos.cache, { image: TRAIN, seed: 7, shuffle: true, batchSize: 53, rank: 0, worldSize: 1 })
    const epochs: number[] = []
    const orders: string[] = []
    const once = async () => {
      for await (const { meta } of loader) {
        epochs.push(meta.epoch)
        orders.push([...meta.index.data].join())
      }
    }
    await once()
    await once()
    loader.setEpoch(0)
    await once()
    expect(epochs).toEqual([0, 1, 0])
    expect(orders[0]).not.toBe(orders[1])
    expect(orders[2]).toBe(orders[0])
    loader.close()
  })

  it('come several in one loop with epochs: n', async () => {
    expect((await run({ batchSize: 20, epochs: 3 })).sizes).toEqual([20, 20, 13, 20, 20, 13, 20, 20, 13])
  })
})
