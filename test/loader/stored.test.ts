import { describe, expect, it } from 'vitest'
import type { Dataset, Sample } from '../../src/datasets/types.ts'
import type { StoredBytes } from '../../src/loader/index.ts'
import { type LoadOptions, load } from '../../src/vision/index.ts'
import { BYTES, own } from './own-dataset.ts'

const LARGEST = 100

/** Samples of 1 to 5 bytes, none of them 0, in rows of 128. */
function small(length: number, fields: readonly string[]): Dataset {
  const schema = Object.fromEntries(fields.map((name) => [name, { kind: name === 'x' ? 'number' : 'bytes' } as const]))
  const read = async (id: number): Promise<Sample> =>
    Object.fromEntries(fields.map((name) => [name, name === 'x' ? id : new Uint8Array(1 + (id % 5)).fill(200)]))
  return own(schema, length, read, { maxSize: () => LARGEST })
}

async function dirtyBytes(dataset: Dataset, options: LoadOptions): Promise<number> {
  const loader = load(dataset, { rank: 0, worldSize: 1, shuffle: true, epochs: 6, ...options })
  let dirty = 0
  for await (const batch of loader) {
    for (const [name, { kind }] of Object.entries(dataset.schema)) {
      if (kind !== 'bytes') continue
      const { data, shape, sizes } = batch[name] as unknown as StoredBytes
      for (const [row, size] of sizes.entries())
        dirty += data.subarray(row * shape[1] + size, (row + 1) * shape[1]).reduce((sum, byte) => sum + +(byte > 0), 0)
    }
  }
  loader.close()
  return dirty
}

describe('rows of stored bytes are zeros behind their end', () => {
  it.each([
    [['b'], 19, 8],
    [['b'], 91, 32],
    [['b', 'x'], 42, 32],
    [['x', 'b', 'c'], 59, 32],
    [['b', 'x', 'c'], 33, 13],
    [['b', 'c', 'd', 'x'], 10, 9],
  ])(
    'of %j, %i samples in batches of %i, where short batches lie otherwise in the slots',
    async (fields, length, batchSize) => {
      expect(await dirtyBytes(small(length, fields), { batchSize })).toBe(0)
      expect(await dirtyBytes(small(length, fields), { batchSize, prefetch: 1, ringBytes: 2 ** 21 })).toBe(0)
    },
  )

  it('also where bad samples make batches of every size', async () => {
    const bad = (id: number) => id % 3 === 1
    const dataset = small(50, ['b', 'x', 'c'])
    const read = async (id: number): Promise<Sample> =>
      bad(id) ? { b: 'no bytes', x: 0, c: 'none' } : dataset.read(id)
    expect(await dirtyBytes({ ...dataset, read }, { batchSize: 7, onError: 'skip' })).toBe(0)
  })
})

describe('what a dataset says of its bytes', () => {
  it.each([Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY])(
    'is refused where the largest has %d of them',
    async (said) => {
      const dataset = own(BYTES, 4, async () => ({ b: new Uint8Array(8) }), { maxSize: () => said })
      const loader = load(dataset, { rank: 0, worldSize: 1 })
      await expect(loader[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: 'E_USAGE',
        message: `maxSize("b") must be an integer of 0 or more, but got ${said}`,
      })
    },
  )
})
