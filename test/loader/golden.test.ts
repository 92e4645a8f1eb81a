import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Dataset } from '../../src/datasets/types.ts'
import {
  centerCrop,
  decode,
  directRandomResizedCrop,
  type ImageOperation,
  type LoadOptions,
  load,
  type RecordedPlan,
  randomHorizontalFlip,
  randomResizedCrop,
  resizeCenterCrop,
} from '../../src/vision/index.ts'

/**
 * Orders and crops are frozen: a training run must be the same with every later version. These hashes were computed
 * once and never change; a change that makes one of them fail is a change that must not be made.
 */

/** Sizes alone; nothing is decoded. */
const dataset: Dataset<{ readonly image: { readonly kind: 'image' } }> = {
  length: 53,
  schema: { image: { kind: 'image' } },
  fingerprint: 'golden',
  describe: (id) => `picture ${id}`,
  read: () => Promise.reject(new Error('nothing is read')),
  locate(ids, _, { offset, size, width, height }) {
    ids.forEach((id, row) => {
      offset[row] = id
      size[row] = 1
      width[row] = id === 52 ? 1 : 200 + ((id * 37) % 301)
      height[row] = id === 51 ? 1 : 150 + ((id * 91) % 271)
    })
    return { handle: {}, bytes: 53 }
  },
  async close() {},
}

async function plans(options: LoadOptions, epochs: readonly number[]) {
  const loader = load(dataset, { batchSize: 8, rank: 0, worldSize: 1, ...options })
  const made = []
  for (const epoch of epochs)
    for (let step = 0; step < loader.steps; step++) made.push(await loader.planStep(epoch, step))
  loader.close()
  return made
}

const hashOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32)

describe('the order', () => {
  it('of seed 7 begins with these samples in epochs 0 and 1', async () => {
    const [first, second] = await plans({ image: [decode()], shuffle: true, seed: 7, batchSize: 53 }, [0, 1])
    expect([first?.ids.slice(0, 12), second?.ids.slice(0, 12)]).toEqual([
      [9, 14, 34, 16, 42, 41, 40, 51, 38, 15, 12, 22],
      [9, 20, 16, 25, 0, 23, 45, 19, 15, 28, 44, 50],
    ])
  })

  it.each([
    ['sequential', false, 7, 0, 'e669128cff610ab95a581150c0b8faaf'],
    ['shuffled', true, 0, 0, '777306f984f166aea2fd34040f91603e'],
    ['shuffled', true, 0, 1, '0a630cd11ee649eeb4409424b91b48d7'],
    ['shuffled', true, 7, 0, '448b3ce57953a0b6fbea72f8c4df1da4'],
    ['shuffled', true, 7, 4_294_967_294, 'fd5f997ec9c7dea1b029840cdaadf403'],
    ['shuffled', true, 2 ** 53 - 1, 3, '0b1beccbfd040d6ea2bfc334d71db08d'],
  ] as const)('%s (%s), seed %i, epoch %i is what it always was', async (_, shuffle, seed, epoch, golden) => {
    expect(
      hashOf(
        (await plans({ image: [decode()], shuffle, seed }, [epoch])).map(({ ids, repeats }) => ({ ids, repeats })),
      ),
    ).toBe(golden)
  })

  it('of a padded last batch on the last of three ranks is what it always was', async () => {
    const made = await plans({ image: [decode()], shuffle: true, seed: 7, batchSize: 5, rank: 2, worldSize: 3 }, [0])
    expect(made.at(-1)).toMatchObject({ step: 3, padding: 5, ids: [34, 16, 42, 41, 40], repeats: [1, 1, 1, 1, 1] })
  })
})

const OPERATIONS: readonly (readonly [name: string, image: readonly ImageOperation[], golden: string])[] = [
  ['decode', [decode()], '81aeb458ce3002410bb1bcbcc56efd01'],
  ['randomResizedCrop', [randomResizedCrop(224)], '294cd9056f2b7ca5e13219c92ac60920'],
  [
    'randomResizedCrop of other scales',
    [randomResizedCrop([96, 128], { scale: [0.25, 0.9], ratio: [0.5, 2] })],
    '7f81e312725e4797975e3bd6bc4462e8',
  ],
  [
    "randomResizedCrop, slipstream's law",
    [randomResizedCrop(224, { law: 'slipstream' })],
    '467949e85c86670652cdfe648c48e6e2',
  ],
  ['directRandomResizedCrop', [directRandomResizedCrop(224)], 'b11551e551b7646045a8e2b54fbfbb0c'],
  ['centerCrop', [centerCrop(224)], '2c3d1e539b40329015a0e2420593ccc2'],
  ["centerCrop, FFCV's ratio", [centerCrop(224, { ratio: 224 / 256 })], 'b5c0f83a05c4b8f8e7bfb4bfc038a8d6'],
  ['resizeCenterCrop', [resizeCenterCrop(256, 224)], '3e6684b709155efe84de55383f299e7e'],
  ['randomHorizontalFlip', [randomResizedCrop(224), randomHorizontalFlip()], 'cf39400e6bb3574fc13f58fa744d17a8'],
  [
    'randomHorizontalFlip of one in ten',
    [centerCrop(224), randomHorizontalFlip(0.1)],
    '6478e39596229179838aa67da2944290',
  ],
]

describe('crops and flips', () => {
  it('of sample 5 in epoch 2 of seed 7 are these', async () => {
    const [plan] = await plans({ image: [randomResizedCrop(224), randomHorizontalFlip()], seed: 7, batchSize: 6 }, [2])
    const { image } = (plan as RecordedPlan).fields.image as { readonly image: readonly unknown[] }
    expect(image[5]).toEqual({
      clip: { x: 11, y: 25, width: 319, height: 309 },
      box: { x: 11, y: 25, width: 319, height: 309 },
      flip: true,
    })
  })

  it.each(OPERATIONS)('%s: the same as ever for every sample of two seeds and two epochs', async (_, image, golden) => {
    const made = [
      ...(await plans({ image, seed: 0 }, [0, 1])),
      ...(await plans({ image, seed: 2 ** 53 - 1, shuffle: true }, [0, 1000])),
    ]
    expect(hashOf(made.map(({ ids, fields }) => ({ ids, fields })))).toBe(golden)
  })

  it('of named views: the same as ever', async () => {
    const views = {
      global: [randomResizedCrop(224)],
      local: [randomResizedCrop(96, { scale: [0.05, 0.3] }), randomHorizontalFlip()],
    }
    expect(
      hashOf((await plans({ views, seed: 7, shuffle: true }, [0])).map(({ ids, fields }) => ({ ids, fields }))),
    ).toBe('abd238766b9b39032da7cb1516f972e8')
  })
})
