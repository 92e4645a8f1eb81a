import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RecordedPlan } from '../../src/loader/index.ts'
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

const open = (seed = 0) => load(photos.cache, { ...ONE, image: [randomResizedCrop(16)], seed })

/** A plan as it comes out of a file. */
interface Editable {
  seed: unknown
  fields: { image?: unknown }
}
interface Crop {
  clip: { x: number; width: number }
  box: { x: number; width: number }
}
async function edited(change: (plan: Editable, crops: (Crop | null)[]) => unknown): Promise<RecordedPlan> {
  const plan = JSON.parse(JSON.stringify(await open(3).planStep(0, 1)))
  change(plan, plan.fields.image.image)
  return plan
}

describe('a plan', () => {
  it('decides all: a loader of another seed makes the same batch of it', async () => {
    const plan = await edited(() => {})
    const [one, other] = await Promise.all([open(3).replay(plan), open(4).replay(plan)])
    expect(Buffer.compare(Buffer.from(one.image.data), Buffer.from(other.image.data))).toBe(0)
    one.release()
    other.release()
  })

  it.each<[string, (plan: Editable, crops: (Crop | null)[]) => unknown, string]>([
    ['without fields', (plan) => Object.assign(plan, { fields: {} }), 'replay: the plan has nothing about field image'],
    [
      'with nothing for a field',
      (plan) => Object.assign(plan.fields, { image: null }),
      'the plan has nothing about field image',
    ],
    [
      'with text for a field',
      (plan) => Object.assign(plan.fields, { image: 'crops' }),
      "the plan's crops of image/image must be 4, one a sample",
    ],
    [
      'with a seed that is none',
      (plan) => Object.assign(plan, { seed: -1 }),
      'replay: seed must be an integer from 0 to',
    ],
    ['with a crop too few', (_, crops) => crops.pop(), "the plan's crops of image/image must be 4, one a sample"],
    ['with a crop that is none', (_, crops) => crops.fill(null, 1, 2), 'number 1 is no crop: null'],
    [
      'with an endless box',
      (_, crops) => Object.assign((crops[0] as Crop).box, { width: 1e9 }),
      "the plan's crops of image/image: number 0 is no crop",
    ],
    ['with a box far away', (_, crops) => Object.assign((crops[3] as Crop).box, { x: -1e9 }), 'number 3 is no crop'],
    [
      'with a clip outside its picture',
      (_, crops) => Object.assign((crops[2] as Crop).clip, { x: 5000 }),
      'number 2 does not lie in its picture',
    ],
  ])('%s is E_STATE, and says what is wrong', async (_, change, message) => {
    await expect(open().replay(await edited(change))).rejects.toMatchObject({
      code: 'E_STATE',
      message: expect.stringContaining(message),
    })
  })
})
