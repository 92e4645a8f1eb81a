import { expect, it } from 'vitest'
import { fromSamples } from '../../src/datasets/index.ts'
import { load } from '../../src/vision/index.ts'

it('drop that would leave nothing of the dataset is refused, with the numbers', async () => {
  const three = await fromSamples([{ x: 1 }, { x: 2 }, { x: 3 }])
  const options = { tail: 'drop', rank: 0, worldSize: 2 } as const
  expect(load(three, { ...options, batchSize: 1 }).steps).toBe(1)
  expect(() => load(three, { ...options, batchSize: 2 })).toThrow(
    "tail 'drop' leaves nothing: a global batch of 4 is more than the 3 samples",
  )
})
