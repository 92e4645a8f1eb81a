import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Dataset } from '../../src/datasets/types.ts'
import { startS3Server } from '../../src/dev/s3/index.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/types.ts'
import { load } from '../../src/vision/index.ts'
import { own } from './own-dataset.ts'
import { content, keyOf, putObjects, storeObjects } from './store-objects.ts'

/** Samples that are read to where they are delivered. */

const ONE = { rank: 0, worldSize: 1 } as const
const SIZES = Array.from({ length: 50 }, (_, id) => (id * 977) % 5000)

const running: { close(): Promise<unknown> | undefined }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
})

async function fileStore(): Promise<Store> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'headrace-in-place-'))
  const store = await openStore(folder, { sync: 'never' })
  running.push({ close: async () => fs.rmSync(folder, { recursive: true }) }, store)
  return store
}

async function s3Store(): Promise<Store> {
  const server = await startS3Server()
  const store = await openStore('s3://bucket', {
    endpoint: server.url,
    credentials: { accessKeyId: 'testkey', secretAccessKey: 'testsecret' },
  })
  running.push(server, store)
  await store.createContainer?.()
  return store
}

describe.each([
  ['memory', () => openStore('mem://in-place')],
  ['files', fileStore],
  ['the development S3 server', s3Store],
])('objects in %s', (_, open) => {
  it('are delivered byte for byte, with zeros behind the end of each row, in every batch', async () => {
    const store = await open()
    await putObjects(store, SIZES)
    const dataset = await storeObjects(store)
    const seen: number[] = []
    const loader = load(dataset, { ...ONE, batchSize: 8, shuffle: true, seed: 3, epochs: 3 })
    for await (const { data, key, meta } of loader) {
      expect(data.shape).toEqual([meta.size, data.data.length / meta.size])
      for (let row = 0; row < meta.size; row++) {
        const id = Number(meta.index.data[row])
        const size = SIZES[id] as number
        const [, stride] = data.shape
        const bytes = data.data.subarray(row * stride, (row + 1) * stride)
        expect(key[row]).toBe(keyOf(id))
        expect(data.sizes[row]).toBe(size)
        expect(Buffer.compare(bytes.subarray(0, size), content(id, size))).toBe(0)
        expect(bytes.subarray(size).every((byte) => byte === 0)).toBe(true)
        seen.push(id)
      }
      expect([...data.heights, ...data.widths].every((pixels) => pixels === 0)).toBe(true)
    }
    loader.close()
    expect(seen.length).toBe(150)
    expect(seen.slice(0, 50).sort((a, b) => a - b)).toEqual([...SIZES.keys()])
  })
})

describe('a field that is read in place', () => {
  const tensors = (more: Pick<Partial<Dataset>, 'sizes'> = {}) =>
    own({ x: { kind: 'tensor', dtype: 'float32', shape: [2, 3] } } as const, 10, async () => ({}), {
      sizes: (ids, _, out) => void out.fill(24, 0, ids.length),
      async readInto(id, _, into) {
        new Float32Array(into.buffer, into.byteOffset, 6).set(Array.from({ length: 6 }, (_, i) => id + i / 8))
      },
      ...more,
    })

  it('may be arrays of one shape', async () => {
    const all: number[] = []
    for await (const { x } of load(tensors(), { ...ONE, batchSize: 4 })) {
      expect(x).toMatchObject({ dtype: 'float32', shape: [x.shape[0], 2, 3] })
      all.push(...(x.data as Float32Array))
    }
    expect(all).toEqual(Array.from({ length: 60 }, (_, i) => Math.floor(i / 6) + (i % 6) / 8))
  })

  it('is a bad sample where its size is not that of the shape, or none', async () => {
    const sizes = (ids: Float64Array, _: string, out: Float64Array) =>
      out.set(ids.map((id) => (id === 3 ? 20 : id === 5 ? Number.NaN : 24)))
    const loader = load(tensors({ sizes }), { ...ONE, batchSize: 10, onError: 'skip' })
    for await (const { x } of loader) expect(x.shape).toEqual([8, 2, 3])
    expect(loader.report().faults.map(({ sample, reason }) => [sample, reason])).toEqual([
      [3, '20 bytes are no float32[2,3], which takes 24'],
      [5, 'NaN is no size of bytes'],
    ])
  })

  it('of more than 4 GiB is a bad sample', async () => {
    const dataset = own({ b: { kind: 'bytes' } } as const, 1, async () => ({}), {
      sizes: (_ids, _, out) => void out.fill(2 ** 32),
      async readInto() {},
    })
    await expect(load(dataset, ONE)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'E_LIMIT',
      message: expect.stringContaining('field b: 4 GiB are more than a row can have (4 GiB)'),
    })
  })

  it('takes the memory of its own batch where one sample of another is huge', async () => {
    const dataset = own({ b: { kind: 'bytes' } } as const, 64, async () => ({}), {
      sizes: (ids, _, out) => out.set(ids.map((id) => (id === 63 ? 2 ** 22 : 1000))),
      maxSize: () => 2 ** 22,
      async readInto() {},
    })
    const strides: number[] = []
    for await (const { b } of load(dataset, { ...ONE, batchSize: 16 })) strides.push(b.shape[1])
    expect(strides).toEqual([1024, 1024, 1024, 2 ** 22])
  })

  it('is read by nobody any more once its slot serves another batch', async () => {
    let late: Uint8Array | undefined
    const dataset = own({ b: { kind: 'bytes' } } as const, 8, async () => ({}), {
      sizes: (ids, _, out) => void out.fill(64, 0, ids.length),
      async readInto(id, _, into) {
        if (id === 1) {
          late = into
          throw new TypeError('broken')
        }
        await new Promise((resolve) => setTimeout(resolve, 20))
        into.fill(7)
      },
    })
    await expect(
      load(dataset, { ...ONE, batchSize: 8 })
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toMatchObject({
      code: 'E_SERVER',
      message: 'sample 1 (row 1): broken',
    })
    // What was handed out for writing is detached.
    expect(late?.length).toBe(0)
  })
})
