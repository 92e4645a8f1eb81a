import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDataset, type TfrecordOptions, type Tfrecords, tfrecord } from '../../src/datasets/index.ts'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { frameHead, frameTail } from '../../src/formats/tfrecord/frame.ts'
import { crc32c } from '../../src/storage/crc.ts'
import { openStore } from '../../src/storage/open.ts'
import { failing } from '../storage/conformance.ts'
import { type RecordingProxy, recordingProxy } from './recording-proxy.ts'

const fixtures = fileURLToPath(new URL('../fixtures/tfrecord', import.meta.url))

/** What TensorFlow reads. */
interface Golden {
  readonly record: string
  readonly name: string
  readonly label: string
  readonly wide: readonly string[]
  readonly vector: readonly number[]
  readonly weight: number
  readonly boxes: readonly number[]
  readonly 'image/encoded': string
}
const golden = JSON.parse(readFileSync(join(fixtures, 'samples.json'), 'utf8')).samples as readonly Golden[]

const folder = mkdtempSync(join(tmpdir(), 'headrace-tfrecord-'))
beforeAll(() => {
  process.env.HEADRACE_CACHE_DIR = join(folder, 'cache')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const path = (name: string) => join(fixtures, `${name}.tfrecord`)
const hex = (value: unknown) => Buffer.from(value as Uint8Array).toString('hex')
const floats = (value: unknown) => {
  const bytes = value as Uint8Array
  return [...new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))]
}
const integers = (value: unknown) => {
  const bytes = value as Uint8Array
  return [...new BigInt64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))]
}
const frame = (message: Uint8Array) => Buffer.concat([frameHead(message.length), message, frameTail(crc32c(message))])

let made = 0
function written(bytes: Uint8Array): string {
  const file = join(folder, `${made++}.tfrecord`)
  writeFileSync(file, bytes)
  return file
}

async function using<T>(
  url: string,
  options: TfrecordOptions,
  use: (dataset: Tfrecords) => T | Promise<T>,
): Promise<T> {
  const dataset = await tfrecord(url, options)
  try {
    return await use(dataset)
  } finally {
    await dataset.close()
  }
}

const ids = [9, 0, 4, 5, 3, 8, 1, 2, 7, 6]

describe.each(['plain', 'gzip', 'zlib'])('a TFRecord file, %s', (packing) => {
  it("has TensorFlow's records, in any order", async () => {
    await using(path(packing), {}, async (dataset) => {
      expect([dataset.length, dataset.schema, dataset.randomAccess]).toEqual([
        10,
        { record: { kind: 'bytes' } },
        packing === 'plain',
      ])
      for (const id of ids) expect(hex((await dataset.read(id)).record)).toBe(golden[id]?.record)
      const together = await Promise.all(ids.map((id) => dataset.read(id)))
      expect(together.map(({ record }) => hex(record))).toEqual(ids.map((id) => golden[id]?.record))
      const sizes = new Float64Array(10)
      dataset.sizes?.(Float64Array.from(ids), 'record', sizes)
      expect([...sizes]).toEqual(ids.map((id) => (golden[id]?.record.length ?? 0) / 2))
      const into = new Uint8Array(sizes[2] ?? 0)
      await dataset.readInto?.(4, 'record', into)
      expect(hex(into)).toBe(golden[4]?.record)
      expect(dataset.describe(4)).toBe(`${packing}.tfrecord: record 4`)
    })
  })

  it('has the features that TensorFlow finds, by name', async () => {
    const features = ['label', 'name', 'wide', 'vector', 'weight', 'image/encoded']
    await using(path(packing), { features }, async (dataset) => {
      expect(dataset.schema).toEqual({
        label: { kind: 'number', dtype: 'int64' },
        name: { kind: 'bytes' },
        wide: { kind: 'tensor', dtype: 'int64', shape: [6] },
        vector: { kind: 'tensor', dtype: 'float32', shape: [3] },
        weight: { kind: 'number', dtype: 'float32' },
        'image/encoded': { kind: 'image' },
      })
      for (const id of ids) {
        const sample = await dataset.read(id)
        const wanted = golden[id] as Golden
        expect([sample.label, sample.weight]).toEqual([BigInt(wanted.label), wanted.weight])
        expect(Buffer.from(sample.name as Uint8Array).toString()).toBe(wanted.name)
        expect(integers(sample.wide)).toEqual(wanted.wide.map(BigInt))
        expect(floats(sample.vector)).toEqual(wanted.vector)
        expect(hex(sample['image/encoded'])).toBe(wanted['image/encoded'])
      }
      expect(Object.keys(await dataset.read(0, { fields: ['label'] }))).toEqual(['label'])
    })
  })
})

describe('features', () => {
  it('have the types that are asked for', async () => {
    const features = {
      name: { kind: 'string' },
      label: { kind: 'number', dtype: 'int8' },
      boxes: { kind: 'bytes' },
      raw: { kind: 'tensor', dtype: 'int16', shape: [2, 2] },
      vector: { kind: 'tensor', dtype: 'float64', shape: [3, 1] },
    } as const
    await using(path('plain'), { features }, async (dataset) => {
      for (const id of ids) {
        const { name, label, boxes, raw, vector } = await dataset.read(id)
        expect([name, label]).toEqual([golden[id]?.name, id - 5])
        expect(floats(boxes)).toEqual(golden[id]?.boxes)
        expect(hex(raw)).toBe(Buffer.from(Int16Array.from([id, id + 1, id + 2, id + 3]).buffer).toString('hex'))
        const doubles = vector as Uint8Array
        expect([...new Float64Array(doubles.slice().buffer)]).toEqual(golden[id]?.vector)
      }
    })
  })

  it('that are not as they should be are told with the record', async () => {
    const refused = (features: TfrecordOptions['features'], id: number, ...words: string[]) =>
      using(path('plain'), { features: features ?? [] }, (dataset) =>
        expect(dataset.read(id)).rejects.toEqual(failing('E_CORRUPT', ...words)),
      )
    await refused({ label: { kind: 'number', dtype: 'uint8' } }, 0, '"label"', '-5, which uint8 does not hold')
    await refused({ vector: { kind: 'tensor', dtype: 'float32', shape: [4] } }, 1, '3 values, not 4')
    await refused({ boxes: { kind: 'tensor', dtype: 'float32', shape: [4] } }, 2, '8 values, not 4')
    await refused({ label: { kind: 'string' } }, 0, 'a list of int64, not of bytes')
    await refused({ none: { kind: 'bytes' } }, 0, 'no feature "none"')
    await expect(tfrecord(path('plain'), { features: ['none'] })).rejects.toEqual(
      failing('E_CORRUPT', 'no feature "none"'),
    )
    for (const features of [
      [],
      {},
      'label',
      { label: { kind: 'number' } },
      { label: { kind: 'tensor', dtype: 'int8' } },
    ])
      await expect(tfrecord(path('plain'), { features } as never)).rejects.toEqual(failing('E_USAGE', 'features'))
  })

  it('are opened again by the spec, which says their types', async () => {
    const dataset = await tfrecord(path('plain'), { features: ['label', 'vector'] })
    expect(dataset.spec.features).toEqual(dataset.schema)
    const again = await openDataset(JSON.parse(JSON.stringify(dataset.spec)))
    expect(again.fingerprint).toBe(dataset.fingerprint)
    expect((await again.read(3)).label).toBe(-2n)
    await Promise.all([dataset.close(), again.close()])
  })
})

describe('files of records', () => {
  it('are chunks of one dataset, in the order of their names; indexes beside them are none', async () => {
    const set = join(folder, 'set')
    mkdirSync(set)
    for (const name of ['b-00000-of-00001', 'a.tfrecord', 'a.tfrecord.idx', '_SUCCESS', '.crc'])
      copyFileSync(path('plain'), join(set, name))
    await using(set, {}, async (dataset) => {
      expect([dataset.length, dataset.chunks.count, dataset.chunks.start(1)]).toEqual([20, 2, 10])
      expect(dataset.describe(13)).toBe('b-00000-of-00001: record 3')
      expect(hex((await dataset.read(13)).record)).toBe(golden[3]?.record)
    })
    await using(set, { include: ['a.*'], exclude: ['*.idx'] }, ({ length }) => expect(length).toBe(10))
  })

  it('that are damaged are told with the place', async () => {
    const whole = readFileSync(path('plain'))
    const head = Buffer.from(whole)
    head[0] = (head[0] ?? 0) ^ 1
    await expect(tfrecord(written(head))).rejects.toEqual(
      failing('E_CORRUPT', 'checksum of a record length', 'at byte 0'),
    )
    await expect(tfrecord(written(whole.subarray(0, -1)))).rejects.toEqual(failing('E_CORRUPT', 'behind the end'))
    await expect(tfrecord(written(whole.subarray(0, -(whole.length - 7))))).rejects.toEqual(
      failing('E_CORRUPT', 'within a record'),
    )
    const body = Buffer.from(whole)
    body[40] = (body[40] ?? 0) ^ 1
    await using(written(body), {}, async (dataset) => {
      await expect(dataset.read(0)).rejects.toMatchObject({
        code: 'E_CORRUPT',
        message: expect.stringContaining("checksum of a record's bytes"),
        details: { sample: 0, offset: 12 },
      })
      expect(hex((await dataset.read(1)).record)).toBe(golden[1]?.record)
    })
    await expect(tfrecord(written(new Uint8Array()))).rejects.toEqual(failing('E_USAGE', 'no records'))
  })

  it('may hold records of no bytes and of any message', async () => {
    const file = written(Buffer.concat([frame(new Uint8Array()), frame(Buffer.from('not an Example'))]))
    await using(file, {}, async (dataset) => {
      expect(dataset.length).toBe(2)
      expect((await dataset.read(0)).record).toHaveLength(0)
      expect(Buffer.from((await dataset.read(1)).record as Uint8Array).toString()).toBe('not an Example')
    })
    await expect(tfrecord(written(frame(Buffer.from('not an Example'))), { features: ['a'] })).rejects.toEqual(
      failing('E_CORRUPT', 'no tf.train.Example'),
    )
  })

  it('of a hundred thousand records are looked through once and read by place', async () => {
    const message = (i: number) => Buffer.from(`record number ${i}`)
    const file = written(Buffer.concat(Array.from({ length: 100_000 }, (_, i) => frame(message(i)))))
    await using(file, {}, async (dataset) => {
      expect(dataset.length).toBe(100_000)
      for (const id of [99_999, 0, 65_536, 31_337]) expect(hex((await dataset.read(id)).record)).toBe(hex(message(id)))
    })
  })
})

describe('records in a bucket', () => {
  let server: S3Server
  let proxy: RecordingProxy
  beforeAll(async () => {
    server = await startS3Server()
    proxy = await recordingProxy(server.url)
    process.env.AWS_ENDPOINT_URL = proxy.url
    process.env.AWS_ACCESS_KEY_ID = 'testkey'
    process.env.AWS_SECRET_ACCESS_KEY = 'testsecret'
    const store = await openStore('s3://records')
    await store.createContainer?.()
    await store.put('set/plain.tfrecord', readFileSync(path('plain')))
    await store.close()
  })
  afterAll(async () => {
    await proxy.close()
    await server.close()
  })

  it('are fetched to the byte, neighbours together', async () => {
    await using('s3://records/set', {}, async (dataset) => {
      proxy.gets.length = 0
      await dataset.read(3)
      expect(proxy.gets.map(({ bytes }) => bytes)).toEqual([(golden[3]?.record.length ?? 0) / 2])
      proxy.gets.length = 0
      const all = await Promise.all([5, 4, 6].map((id) => dataset.read(id)))
      expect(all.map(({ record }) => hex(record))).toEqual([5, 4, 6].map((id) => golden[id]?.record))
      expect(proxy.gets).toHaveLength(1)
    })
  })
})
