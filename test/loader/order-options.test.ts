import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Dataset } from '../../src/datasets/types.ts'
import { LOADER_OPTIONS, orderOf } from '../../src/loader/index.ts'
import { randomSampler, replacementSampler } from '../../src/sampling/samplers.ts'
import { type LoadOptions, load, randomResizedCrop } from '../../src/vision/index.ts'
import { squares, stepsOf } from './numbers.ts'
import { photoCache } from './photo-cache.ts'

const dataset = squares(40, { chunks: { count: 4, start: (chunk) => chunk * 10 } })
const alone = { rank: 0, worldSize: 1 } as const
const ids = async (options: LoadOptions, from: Dataset = dataset): Promise<number[]> =>
  (await stepsOf(from, { batchSize: 8, seed: 5, ...options })).flatMap((step) => step.ids)

const refusal = (options: object, from: Dataset = dataset): unknown => {
  try {
    load(from, { ...alone, ...options } as LoadOptions)
  } catch (error) {
    return error
  }
  return undefined
}

describe('sampler', () => {
  it("'random' is what shuffle says, and overrides it", async () => {
    const shuffled = await ids({ shuffle: true })
    expect(await ids({ sampler: 'random', shuffle: false })).toEqual(shuffled)
    expect(await ids({ sampler: 'sequential', shuffle: true })).toEqual([...Array(40).keys()])
    const out = new Float64Array(40)
    randomSampler(40, 5).fill(0, 0, out)
    expect(shuffled).toEqual([...out])
  })

  it("'random' with replacement draws samples again, as often as samples says", async () => {
    const drawn = await ids({ sampler: 'random', replacement: true, samples: 100 })
    const out = new Float64Array(100)
    replacementSampler(40, 5, 100).fill(0, 0, out)
    expect(drawn).toEqual([...out])
    expect(new Set(drawn).size).toBeLessThan(40)
    expect((await ids({ shuffle: true, replacement: true })).length).toBe(40)
  })

  it('samples without replacement are the beginning of the whole order', async () => {
    expect(await ids({ shuffle: true, samples: 13 })).toEqual((await ids({ shuffle: true })).slice(0, 13))
  })

  it("'weighted' follows the weights, arrays of any kind", async () => {
    const weights = Array.from({ length: 40 }, (_, i) => (i === 3 ? 8 : i === 9 ? 2 : 0))
    const drawn = await ids({ sampler: 'weighted', weights, samples: 4000 })
    const of = (id: number) => drawn.filter((other) => other === id).length
    expect(of(3) + of(9)).toBe(4000)
    // 3,200 expected; 5 standard deviations are 126.
    expect(Math.abs(of(3) - 3200)).toBeLessThan(126)
    expect(await ids({ sampler: 'weighted', weights: Float32Array.from(weights), samples: 4000 })).toEqual(drawn)
    expect((await ids({ sampler: 'weighted', weights, replacement: false })).sort()).toEqual([3, 9])
  })

  it("'distributed' gives ranks disjoint shares of the random order, as many each", async () => {
    const ranks = await Promise.all(
      [0, 1, 2].map((rank) => ids({ sampler: 'distributed', batchSize: 4, rank, worldSize: 3 })),
    )
    expect(ranks.map((own) => own.length)).toEqual([16, 16, 16])
    expect(new Set(ranks.flat()).size).toBe(40)
    const { ids: whole } = orderOf(dataset, { shuffle: true, seed: 5, batchSize: 12, tail: 'pad', ...alone }).step(0, 0)
    expect(ranks.flatMap((own) => own.slice(0, 4))).toEqual([...whole])
    expect(orderOf(dataset, { sampler: 'distributed', ...alone, batchSize: 7 }).steps).toBe(6)
    expect(orderOf(dataset, { sampler: 'distributed', tail: 'drop', ...alone, batchSize: 7 }).steps).toBe(5)
  })

  describe("'distributed'", () => {
    afterEach(() => vi.unstubAllEnvs())

    it('takes rank and world size of the launcher, and is refused where nobody tells them', () => {
      for (const name of [
        'RANK',
        'WORLD_SIZE',
        'OMPI_COMM_WORLD_RANK',
        'OMPI_COMM_WORLD_SIZE',
        'PMI_RANK',
        'PMI_SIZE',
        'HEADRACE_RANK',
        'HEADRACE_WORLD_SIZE',
        'SLURM_PROCID',
        'SLURM_NTASKS',
      ])
        vi.stubEnv(name, undefined)
      expect(() => orderOf(dataset, { sampler: 'distributed' })).toThrow(
        "sampler 'distributed' needs rank and worldSize: no launcher tells them",
      )
      vi.stubEnv('RANK', '2')
      vi.stubEnv('WORLD_SIZE', '4')
      expect(orderOf(dataset, { sampler: 'distributed' })).toMatchObject({ rank: 2, worldSize: 4 })
    })
  })

  it('of your own may have a fingerprint, and a state of another is refused', () => {
    const sampler = (fingerprint?: string) => ({ ...randomSampler(40, 1), fingerprint: fingerprint as never })
    const { state } = { state: load(dataset, { sampler: sampler('a'), ...alone }).state() }
    expect(refusal({ sampler: sampler('a'), resume: state })).toBeUndefined()
    expect(refusal({ sampler: sampler('b'), resume: state })).toMatchObject({ code: 'E_STATE' })
    expect(refusal({ sampler: { ...sampler(), fingerprint: 5 } })).toMatchObject({
      code: 'E_USAGE',
      message: 'sampler.fingerprint must be a string, but got 5',
    })
  })
})

describe('window and locality', () => {
  it('window keeps samples near their place', async () => {
    const order = await ids({ shuffle: true, window: 6 })
    expect(order.every((id, position) => Math.abs(id - position) < 6)).toBe(true)
    expect(order).not.toEqual([...Array(40).keys()])
  })

  it("locality 'chunks' reads chunk by chunk", async () => {
    const order = await ids({ shuffle: true, locality: 'chunks', window: 1 })
    expect(order.map((id) => id % 10)).toEqual(order.map((_, position) => position % 10))
    expect(new Set(order.map((id) => Math.floor(id / 10)))).not.toEqual([0, 1, 2, 3])
  })

  it("locality 'chunks' mixes 8 chunks unless window says otherwise", async () => {
    const many = squares(400, { chunks: { count: 40, start: (chunk) => chunk * 10 } })
    const options = { shuffle: true, locality: 'chunks', ...alone } as const
    expect(orderOf(many, options).fingerprint).toBe(orderOf(many, { ...options, window: 80 }).fingerprint)
    expect(orderOf(many, options).fingerprint).not.toBe(orderOf(many, { ...options, window: 81 }).fingerprint)
  })
})

describe('a dataset that is read in order', () => {
  const stream = squares(5000, { randomAccess: false })

  it('is shuffled within windows of 1,024 unless window says otherwise', () => {
    const fingerprint = (options: LoadOptions) => orderOf(stream, { ...options, ...alone }).fingerprint
    expect(fingerprint({ shuffle: true })).toBe(fingerprint({ shuffle: true, window: 1024 }))
    expect(fingerprint({ shuffle: true })).not.toBe(fingerprint({ shuffle: true, window: 1000 }))
    const order = [...orderOf(stream, { shuffle: true, batchSize: 5000, ...alone }).step(0, 0).ids]
    expect(Math.max(...order.map((id, position) => Math.abs(id - position)))).toBeLessThan(1024)
  })

  it.each<[object, string]>([
    [{ sampler: 'random', replacement: true }, 'replacement'],
    [{ shuffle: true, samples: 5 }, 'samples'],
    [{ sampler: 'weighted', weights: [1] }, "sampler 'weighted'"],
    [{ sampler: randomSampler(5000, 1) }, 'a sampler of your own'],
    [{ onError: 'replace' }, "onError 'replace'"],
  ])('has no %j', (options, what) => {
    expect(refusal(options, stream)).toMatchObject({
      code: 'E_UNSUPPORTED',
      message: `${what} needs random access, and this dataset is read in order`,
    })
  })
})

describe('what does not go together is refused', () => {
  it.each<[object, string]>([
    [
      { sampler: 'shuffled' },
      'sampler must be one of "sequential", "random", "weighted", "distributed", but got "shuffled"',
    ],
    [{ sampler: 'weighted' }, "sampler 'weighted' needs weights, one a sample"],
    [{ sampler: 'weighted', weights: [1, 2] }, 'weights must be one a sample (40), but are 2'],
    [{ sampler: 'weighted', weights: 'label' }, 'weights must be an array of numbers, but got "label"'],
    [{ sampler: 'weighted', weights: Array(40).fill(0) }, 'weights must not all be 0'],
    [
      { sampler: 'weighted', weights: Array(40).fill(1).with(7, -2) },
      'weights[7] must be a finite number of 0 or more, but got -2',
    ],
    [
      { sampler: 'weighted', weights: Array(40).fill(Number.NaN) },
      'weights[0] must be a finite number of 0 or more, but got NaN',
    ],
    [{ sampler: 'weighted', weights: Array(40).fill(1), window: 3 }, "sampler 'weighted' has no window"],
    [{ shuffle: true, weights: Array(40).fill(1) }, "sampler 'random' has no weights"],
    [{ replacement: true }, 'the sequential order has no replacement'],
    [{ window: 4 }, 'the sequential order has no window'],
    [{ locality: 'chunks' }, 'the sequential order has no locality'],
    [{ sampler: randomSampler(40, 1), samples: 3 }, 'a sampler of your own has no samples'],
    [{ sampler: 'distributed', replacement: true }, "sampler 'distributed' has no replacement"],
    [
      { sampler: 'distributed', tail: 'short' },
      "sampler 'distributed' gives every rank as many samples: tail must be pad or drop",
    ],
    [{ shuffle: true, samples: 41 }, 'samples must be at most the 40 of the dataset without replacement, but got 41'],
    [{ shuffle: true, samples: 0 }, 'samples must be a positive integer, but got 0'],
    [{ shuffle: true, replacement: true, window: 3 }, 'replacement and window exclude each other'],
    [{ shuffle: true, samples: 3, locality: 'chunks' }, "samples and locality 'chunks' exclude each other"],
    [{ shuffle: true, replacement: 1 }, 'replacement must be true or false, but got 1'],
    [{ shuffle: true, window: 0 }, 'window must be a positive integer, but got 0'],
    [{ shuffle: true, locality: 'shards' }, 'locality must be one of "samples", "chunks", but got "shards"'],
    [{ rank: 3, worldSize: 3 }, 'rank must be less than worldSize (3), but got 3'],
    [{ generatorSeed: 0.5 }, 'generatorSeed must be an integer of 0 or more, but got 0.5'],
  ])('%j', (options, message) => {
    expect(refusal(options)).toMatchObject({ code: 'E_USAGE', message })
  })

  it("locality 'chunks' of a dataset that has none", () => {
    expect(refusal({ shuffle: true, locality: 'chunks' }, squares(40))).toMatchObject({
      code: 'E_UNSUPPORTED',
      message: "locality 'chunks': this dataset has no chunks",
    })
    const short = squares(40, { chunks: { count: 1, start: (chunk) => chunk * 39 } })
    expect(refusal({ shuffle: true, locality: 'chunks' }, short)).toMatchObject({
      message: "the dataset's chunks have 39 samples, but the dataset has 40",
    })
  })

  it('but what says nothing is no contradiction', () => {
    expect(refusal({ replacement: false, locality: 'samples' })).toBeUndefined()
    expect(LOADER_OPTIONS).toContain('generatorSeed')
  })
})

describe('generatorSeed', () => {
  it('moves crops and not the order; its state keeps it', async () => {
    const photos = await photoCache(12, 64)
    try {
      const options = { image: [randomResizedCrop(16)], batchSize: 12, shuffle: true, seed: 3, ...alone } as const
      const plan = (more: LoadOptions) => load(photos.cache, { ...options, ...more }).planStep(1, 0)
      const [plain, same, other] = await Promise.all([plan({}), plan({ generatorSeed: 3 }), plan({ generatorSeed: 4 })])
      expect(same).toEqual(plain)
      expect(other?.ids).toEqual(plain?.ids)
      expect(other?.fields).not.toEqual(plain?.fields)
      // The crops are those of a loader with that seed.
      const seeded = await plan({ seed: 4, sampler: 'sequential' })
      const drawn = await plan({ generatorSeed: 4, sampler: 'sequential' })
      expect(drawn.fields).toEqual(seeded.fields)

      expect(load(photos.cache, options).state()).not.toHaveProperty('generatorSeed')
      const state = load(photos.cache, { ...options, generatorSeed: 4 }).state()
      expect(state).toMatchObject({ seed: 3, generatorSeed: 4 })
      const { batchSize: _, ...rest } = options
      expect(await load(photos.cache, { ...rest, resume: state }).planStep(1, 0)).toEqual(other)
    } finally {
      await photos.remove()
    }
  })
})
