import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Dataset } from '../../src/datasets/types.ts'
import { buildImageCache, type ImageCache, load, openImageCache, randomResizedCrop } from '../../src/vision/index.ts'

const jpeg = readFileSync(new URL('../fixtures/awkward/odd_17x9.jpg', import.meta.url))
const sizes = { a: (id: number) => 20_000 + id, b: (id: number) => 500 + ((id * 37) % 9000) }

let folder: string
let cache: ImageCache
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-fields-'))
  const samples = Array.from({ length: 120 }, (_, id) => ({
    image: new Uint8Array(jpeg),
    a: new Uint8Array(sizes.a(id)).fill(1 + id),
    b: new Uint8Array(sizes.b(id)).fill(255 - id),
  }))
  await buildImageCache(samples, join(folder, 'c'))
  cache = await openImageCache(join(folder, 'c'))
})
afterAll(async () => {
  await cache.close()
  await rm(folder, { recursive: true, force: true })
})

describe('several stored fields in one batch keep apart', () => {
  it.each([[['a', 'b']], [['b', 'a']], [['b', 'image', 'a']]])(
    'in the order %j, next to decoded images, over epochs',
    async (fields) => {
      const image = fields.includes('image') ? { image: [randomResizedCrop(16)] } : {}
      const loader = load(cache as Dataset, {
        fields,
        batchSize: 50,
        threads: 2,
        epochs: 3,
        rank: 0,
        worldSize: 1,
        ...image,
      })
      let rows = 0
      for await (const batch of loader)
        for (const [row, id] of batch.meta.index.data.entries())
          for (const name of ['a', 'b'] as const) {
            const {
              data,
              shape,
              sizes: stored,
            } = batch[name] as unknown as { data: Uint8Array; shape: [number, number]; sizes: Uint32Array }
            const size = sizes[name](Number(id))
            const expected = Buffer.alloc(shape[1]).fill(name === 'a' ? 1 + Number(id) : 255 - Number(id), 0, size)
            expect(stored[row]).toBe(size)
            expect(Buffer.compare(data.subarray(row * shape[1], (row + 1) * shape[1]), expected)).toBe(0)
            rows++
          }
      expect(rows).toBe(2 * 3 * 120)
      loader.close()
    },
  )
})
