import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parquet, records, tfrecord, webdataset } from '../../src/datasets/index.ts'
import type { Dataset, Sample } from '../../src/datasets/types.ts'
import type { Tensor } from '../../src/dtype.ts'
import { npz } from '../../src/formats/numpy/npz.ts'
import type { Batch, LoaderOptions } from '../../src/loader/index.ts'
import { centerCrop, load } from '../../src/vision/index.ts'
import { contentOf, recordsOf, writeFormat } from '../formats/memory-sink.ts'

const fixtures = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'headrace-shards-'))
beforeAll(() => {
  process.env.HEADRACE_CACHE_DIR = join(folder, 'cache')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a batch says of its row, by field: numbers, texts, or the bytes of a row. */
function rowOf(batch: Batch, field: string, row: number): unknown {
  const value = batch[field] as unknown
  if (Array.isArray(value)) return value[row]
  const { data, shape, sizes } = value as Tensor & { sizes?: Uint32Array }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const stride = bytes.length / (shape[0] ?? 1)
  const whole = bytes.slice(row * stride, row * stride + (sizes?.[row] ?? stride))
  return shape.length === 1 ? data[row] : Buffer.from(whole).toString('hex')
}

function asRow(value: Sample[string], dataset: Dataset, field: string): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return dataset.schema[field]?.dtype === 'uint64' || dataset.schema[field]?.dtype === 'int64' ? BigInt(value) : value
}

async function epochOf(dataset: Dataset, options: LoaderOptions): Promise<Map<number, Record<string, unknown>>> {
  const seen = new Map<number, Record<string, unknown>>()
  for await (const batch of load(dataset, options)) {
    const ids = [...(batch.meta.index.data as BigInt64Array)].map(Number)
    for (const [row, id] of ids.entries())
      seen.set(
        id,
        Object.fromEntries(Object.keys(dataset.schema).map((field) => [field, rowOf(batch as Batch, field, row)])),
      )
  }
  return seen
}

async function npzFolder(): Promise<string> {
  const layout = { samples: 6, shape: [5, 4], dtype: 'float32', options: {} } as const
  for (const name of ['a.npz', 'b.npz'])
    writeFileSync(join(folder, name), (await writeFormat(npz, layout, contentOf(recordsOf(layout)))).bytes)
  return folder
}

describe.each([
  ['webdataset', () => webdataset(fixtures('webdataset'))],
  ['compressed tfrecord', () => tfrecord(fixtures('tfrecord/gzip.tfrecord'))],
  [
    'tfrecord features',
    () => tfrecord(fixtures('tfrecord/plain.tfrecord'), { features: ['label', 'vector', 'wide', 'name'] }),
  ],
  ['parquet', () => parquet(fixtures('parquet'), { columns: ['id', 'text', 'four', 'blob', 'exact', 'flag'] })],
  ['records', async () => records(await npzFolder(), { include: ['*.npz'] })],
] as readonly (readonly [string, () => Promise<Dataset>])[])('a loader of %s', (_, open) => {
  it.each([[{ batchSize: 4 }], [{ batchSize: 7, shuffle: true, seed: 3 }]])(
    'delivers every sample as the dataset reads it: %j',
    async (options) => {
      const dataset = await open()
      const seen = await epochOf(dataset, options)
      expect(seen.size).toBe(dataset.length)
      for (const [id, row] of seen) {
        const sample = await dataset.read(id)
        expect(row).toEqual(
          Object.fromEntries(Object.entries(sample).map(([field, value]) => [field, asRow(value, dataset, field)])),
        )
      }
      await dataset.close()
    },
  )
})

it('pictures of shards are decoded', async () => {
  const dataset = await webdataset(fixtures('webdataset'), { extensions: { image: 'jpg', label: 'cls' } })
  let pictures = 0
  for await (const batch of load(dataset, { batchSize: 8, shuffle: true, image: [centerCrop(64)] })) {
    expect((batch.image as Tensor).shape).toEqual([8, 64, 64, 3])
    pictures += batch.meta.size
  }
  expect(pictures).toBe(24)
  await dataset.close()
})
