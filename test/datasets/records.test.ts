import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDataset, type Records, type RecordsOptions, records } from '../../src/datasets/index.ts'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { npyHeader } from '../../src/formats/npy.ts'
import { npz } from '../../src/formats/numpy/npz.ts'
import { ZipWriter } from '../../src/formats/zip/writer.ts'
import { openStore } from '../../src/storage/open.ts'
import { digest, type Golden, goldenBytes, goldens } from '../formats/goldens.ts'
import { contentOf, recordsOf, writeFormat } from '../formats/memory-sink.ts'
import { failing } from '../storage/conformance.ts'

const fixtures = fileURLToPath(new URL('../fixtures/dlio', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'headrace-records-'))
beforeAll(() => {
  process.env.HEADRACE_CACHE_DIR = join(folder, 'cache')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function using<T>(url: string, options: RecordsOptions, use: (dataset: Records) => T | Promise<T>): Promise<T> {
  const dataset = await records(url, options)
  try {
    return await use(dataset)
  } finally {
    await dataset.close()
  }
}

/** A folder of one of DLIO's files, with what lies beside it. */
function folderOf({ case: of, file }: Golden): string {
  const at = join(mkdtempSync(join(folder, `${of}-`)), 'train')
  mkdirSync(at)
  for (const name of readdirSync(join(fixtures, of)).filter((each) => each.startsWith(file)))
    copyFileSync(join(fixtures, of, name), join(at, name))
  return at
}

class Collected {
  readonly pieces: Uint8Array[] = []
  async write(piece: Uint8Array): Promise<void> {
    this.pieces.push(piece.slice())
  }
}

/** What cannot say its records' shape and type is told. */
const TOLD = ['csv', 'indexed_binary', 'mmap_indexed_binary', 'tfrecord', 'parquet']

describe("DLIO's files", () => {
  it.each(goldens.map((golden) => [golden.case, golden] as const))('%s are its records', async (_, golden) => {
    const { shape, dtype, format } = golden
    const options = TOLD.includes(format) ? { shape, dtype } : {}
    await using(folderOf(golden), options, async (dataset) => {
      expect([dataset.format, dataset.length]).toEqual([format, golden.records.length])
      const labelled = format === 'npz' || format === 'hdf5'
      expect(Object.keys(dataset.schema)).toEqual(labelled ? ['data', 'label'] : ['data'])
      const found: string[] = []
      const order = [...golden.records.keys()].reverse()
      for (const sample of await Promise.all(order.map((id) => dataset.read(id)))) {
        found.unshift(digest(sample.data as Uint8Array))
        if (labelled) expect(sample.label).toBe(0n)
      }
      expect(found).toEqual(golden.records)
      const sizes = new Float64Array(1)
      dataset.sizes(Float64Array.of(0), 'data', sizes)
      const into = new Uint8Array(sizes[0] ?? 0)
      await dataset.readInto(0, 'data', into)
      expect(digest(into)).toBe(golden.records[0])
      const again = await openDataset(JSON.parse(JSON.stringify(dataset.spec)))
      expect([again.fingerprint, again.schema]).toEqual([dataset.fingerprint, dataset.schema])
      await again.close()
    })
  })
})

const layout = (samples: number, shape: readonly number[]) =>
  ({ samples, shape, dtype: 'float32', options: {} }) as const

async function writeNpz(path: string, samples: number, shape: readonly number[]): Promise<readonly string[]> {
  const made = recordsOf(layout(samples, shape))
  const { bytes } = await writeFormat(npz, layout(samples, shape), contentOf(made))
  writeFileSync(path, bytes)
  return made.map(digest)
}

describe('files of records', () => {
  it('are chunks; more of them than stay open are read in any order', async () => {
    const set = join(folder, 'many')
    mkdirSync(set)
    const all: string[] = []
    for (let i = 0; i < 12; i++)
      all.push(...(await writeNpz(join(set, `img_${String(i).padStart(2, '0')}_of_12.npz`), 1 + (i % 3), [5, 4])))
    await using(set, { openFiles: 2 }, async (dataset) => {
      expect([dataset.length, dataset.chunks.count, dataset.chunks.start(2)]).toEqual([24, 12, 3])
      expect(dataset.schema.data).toEqual({ kind: 'tensor', dtype: 'float32', shape: [5, 4] })
      const order = Array.from({ length: 24 }, (_, i) => (i * 7) % 24)
      const read = await Promise.all(order.map((id) => dataset.read(id, { fields: ['data'] })))
      expect(read.map(({ data }) => digest(data as Uint8Array))).toEqual(order.map((id) => all[id]))
      expect(dataset.describe(4)).toBe('img_02_of_12.npz: record 1')
    })
  })

  it('may have shapes of their own: then records are bytes and a shape', async () => {
    const set = join(folder, 'shapes')
    mkdirSync(set)
    const a = await writeNpz(join(set, 'a.npz'), 2, [5, 4])
    const b = await writeNpz(join(set, 'b.npz'), 1, [3, 7])
    await using(set, {}, async (dataset) => {
      expect(dataset.schema).toEqual({
        data: { kind: 'bytes' },
        shape: { kind: 'tensor', dtype: 'int64', shape: [2] },
        label: { kind: 'number', dtype: 'int64' },
      })
      const read = await Promise.all([0, 1, 2].map((id) => dataset.read(id)))
      expect(read.map(({ data }) => digest(data as Uint8Array))).toEqual([...a, ...b])
      expect(read.map(({ shape }) => [...new BigInt64Array((shape as Uint8Array).slice().buffer)])).toEqual([
        [5n, 4n],
        [5n, 4n],
        [3n, 7n],
      ])
      const sizes = new Float64Array(2)
      dataset.sizes(Float64Array.of(1, 2), 'data', sizes)
      expect([...sizes]).toEqual([80, 84])
    })
  })

  it('are opened one by one to see what they hold, unless that is said', async () => {
    const set = join(folder, 'said')
    mkdirSync(set)
    const first = await writeNpz(join(set, 'a.npz'), 2, [5, 4])
    writeFileSync(join(set, 'b.npz'), 'no zip')
    await expect(records(set)).rejects.toEqual(failing('E_CORRUPT', 'b.npz'))
    await using(set, { shape: [5, 4], dtype: 'float32', samplesPerFile: 2 }, async (dataset) => {
      expect(dataset.length).toBe(4)
      expect(digest((await dataset.read(1)).data as Uint8Array)).toBe(first[1])
      await expect(dataset.read(2)).rejects.toMatchObject({ code: 'E_CORRUPT', details: { sample: 2 } })
    })
    await expect(records(set, { shape: [5, 4], dtype: 'float32', samplesPerFile: 3 })).rejects.toEqual(
      failing('E_USAGE', 'samplesPerFile is 3', 'has 2'),
    )
  })

  it('of several types are refused, and files that hold no records', async () => {
    const set = join(folder, 'types')
    mkdirSync(set)
    await writeNpz(join(set, 'a.npz'), 1, [5, 4])
    const golden = goldens.find(({ case: of }) => of === 'npz_prefix100') as Golden
    writeFileSync(join(set, 'b.npz'), goldenBytes(golden))
    await expect(records(set)).rejects.toEqual(failing('E_CORRUPT', 'b.npz', 'uint8', 'float32'))
    const text = join(folder, 'text')
    mkdirSync(text)
    writeFileSync(join(text, 'readme'), 'about')
    await expect(records(text)).rejects.toEqual(failing('E_UNSUPPORTED', 'readme'))
    for (const options of [
      { shape: [2] },
      { dtype: 'int8' },
      { samplesPerFile: 2 },
      { shape: [0], dtype: 'int8' },
      { format: 'zip' },
      { openFiles: 0 },
    ])
      await expect(records(text, options as never)).rejects.toEqual(failing('E_USAGE'))
  })

  it('have the labels that lie beside the records, of any type of whole numbers', async () => {
    const set = join(folder, 'labels')
    mkdirSync(set)
    const sink = new Collected()
    const zip = new ZipWriter(sink, true)
    const x = Buffer.concat([npyHeader('|u1', [2, 3]), Uint8Array.of(1, 2, 3, 4, 5, 6)])
    const y = Buffer.concat([npyHeader('<i2', [3]), Buffer.from(Int16Array.of(7, -1, 300).buffer)])
    for (const [name, bytes] of [
      ['x.npy', x],
      ['y.npy', y],
    ] as const)
      await zip.stored(
        name,
        bytes.length,
        (offset, target) => void bytes.copy(target, 0, offset, offset + target.length),
      )
    await zip.end()
    writeFileSync(join(set, 'a.npz'), Buffer.concat(sink.pieces))
    await using(set, {}, async (dataset) => {
      const read = await Promise.all([2, 0, 1].map((id) => dataset.read(id)))
      expect(read.map(({ label }) => label)).toEqual([300n, 7n, -1n])
      expect(read.map(({ data }) => [...(data as Uint8Array)])).toEqual([
        [3, 6],
        [1, 4],
        [2, 5],
      ])
      expect(Object.keys(await dataset.read(0, { fields: ['label'] }))).toEqual(['label'])
    })
  })
})

describe('records in a bucket', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server()
    process.env.AWS_ENDPOINT_URL = server.url
    process.env.AWS_ACCESS_KEY_ID = 'testkey'
    process.env.AWS_SECRET_ACCESS_KEY = 'testsecret'
    const store = await openStore('s3://dlio')
    await store.createContainer?.()
    for (const { case: of, file } of goldens)
      for (const name of readdirSync(join(fixtures, of)).filter((each) => each.startsWith(file)))
        await store.put(`${of}/${name}`, new Uint8Array(goldenBytes({ case: of, file: name })))
    await store.close()
  })
  afterAll(() => server.close())

  it.each(goldens.map((golden) => [golden.case, golden] as const))(
    '%s are as they are in files',
    async (of, golden) => {
      const { shape, dtype, format } = golden
      await using(`s3://dlio/${of}`, TOLD.includes(format) ? { shape, dtype } : {}, async (dataset) => {
        const all: string[] = []
        for (let id = 0; id < golden.records.length; id++) all.push(digest((await dataset.read(id)).data as Uint8Array))
        expect(all).toEqual(golden.records)
      })
    },
  )
})
