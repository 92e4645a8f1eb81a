import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { centerCrop, decode, type LoadOptions, load, randomResizedCrop } from '../../src/vision/index.ts'
import { type PhotoCache, photoCache } from './photo-cache.ts'

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(8, 64)
})
afterAll(() => photos.remove())

const ONE = { batchSize: 4, rank: 0, worldSize: 1 } as const

async function replay(plannedWith: LoadOptions, playedWith: LoadOptions): Promise<unknown> {
  const planner = load(photos.cache, { ...ONE, ...plannedWith })
  const plan = JSON.parse(JSON.stringify(await planner.planStep(0, 1)))
  const player = load(photos.cache, { ...ONE, ...playedWith })
  try {
    const batch = await player.replay(plan)
    batch.release()
    return undefined
  } catch (error) {
    return error
  } finally {
    planner.close()
    player.close()
  }
}

const crop = { image: [randomResizedCrop(32)] }
const OPERATIONS = 'replay it with a loader that has the operations that the plan was made with'

describe('a plan is refused by a loader that has', () => {
  it.each([
    ['no crop, where it has some', crop, { image: [decode()] }, /number 0 is a crop, but the loader has no crop$/],
    [
      'no operations, where it has crops',
      crop,
      {},
      /^replay: the plan has crops of field image, but the loader has no/,
    ],
    ['operations, where it has no crops', {}, crop, /^replay: the plan has nothing about field image, but the loader/],
    ['views, where it has none', crop, { views: { a: [centerCrop(8)] } }, /crops of image\/a must be 4, one a sample/],
  ] as const)('%s', async (_, plannedWith, playedWith, message) => {
    expect(await replay(plannedWith, playedWith)).toMatchObject({
      code: 'E_STATE',
      message: expect.stringMatching(message),
      details: { hint: OPERATIONS },
    })
  })

  it('another order, with a hint', async () => {
    expect(await replay({ ...crop, shuffle: true }, crop)).toMatchObject({
      code: 'E_STATE',
      message: 'replay: the plan was made over another dataset or order',
      details: { hint: 'pass the dataset and the shuffle or sampler option that the plan was made with' },
    })
  })
})

it('a plan without crops is replayed where there are none, and one of whole pictures by decode()', async () => {
  expect(await replay({}, {})).toBeUndefined()
  expect(await replay({ image: [decode()] }, { image: [decode()] })).toBeUndefined()
})
