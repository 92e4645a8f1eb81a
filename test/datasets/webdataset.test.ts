import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  buildManifest,
  openDataset,
  type WebDataset,
  type WebDatasetOptions,
  webdataset,
} from '../../src/datasets/index.ts'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { openStore } from '../../src/storage/open.ts'
import { zstdCompressor } from '../../src/zstd.ts'
import { type Entry, tarOf } from '../formats/tar/archives.ts'
import { failing } from '../storage/conformance.ts'
import { type RecordingProxy, recordingProxy } from './recording-proxy.ts'

const plain = fileURLToPath(new URL('../fixtures/webdataset', import.meta.url))
const shardNames = ['train-000000.tar', 'train-000001.tar', 'train-000002.tar']

/** What the library webdataset reads of these shards. */
interface Golden {
  readonly key: string
  readonly shard: string
  readonly label: number
  readonly name: string
  readonly meta: unknown
  readonly arr: readonly (readonly number[])[]
  readonly sha256: Readonly<Record<string, string>>
}
const golden = JSON.parse(readFileSync(join(plain, 'samples.json'), 'utf8')).samples as readonly Golden[]

const folder = mkdtempSync(join(tmpdir(), 'headrace-webdataset-'))
const cache = join(folder, 'cache')
beforeAll(() => {
  process.env.HEADRACE_CACHE_DIR = cache
})
beforeEach(() => rmSync(cache, { recursive: true, force: true }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A folder that cannot be made: it would lie in a file. */
const nowhere = join(plain, 'samples.json', 'none')

const sha256 = (bytes: unknown): string =>
  createHash('sha256')
    .update(bytes as Uint8Array)
    .digest('hex')

async function using<T>(
  url: string,
  options: WebDatasetOptions,
  use: (dataset: WebDataset) => T | Promise<T>,
): Promise<T> {
  const dataset = await webdataset(url, options)
  try {
    return await use(dataset)
  } finally {
    await dataset.close()
  }
}

async function expectGolden(dataset: WebDataset, ids: readonly number[]): Promise<void> {
  const samples = await Promise.all(ids.map((id) => dataset.read(id)))
  for (const [i, { jpg, cls, json, npy, txt, 'vec.pyd': vec, key }] of samples.entries()) {
    const wanted = golden[ids[i] ?? 0] as Golden
    expect({ key, cls, txt }).toEqual({ key: wanted.key, cls: BigInt(wanted.label), txt: wanted.name })
    expect([sha256(jpg), sha256(vec)]).toEqual([wanted.sha256.jpg, wanted.sha256['vec.pyd']])
    expect(JSON.parse(json as string).meta).toEqual(wanted.meta)
    const array = npy as Uint8Array
    const values = new Float32Array(array.buffer.slice(array.byteOffset, array.byteOffset + array.length))
    expect(Array.from(values, (value) => value + 0)).toEqual(wanted.arr.flat().map((value) => value + 0))
  }
}

const all = golden.map((_, id) => id)
const shuffled = [...all].sort((a, b) => ((a * 7919) % 24) - ((b * 7919) % 24))

describe('tar shards', () => {
  it('have the samples that the library webdataset reads, in any order', async () => {
    await using(plain, {}, async (dataset) => {
      expect(dataset.length).toBe(24)
      expect(dataset.schema).toEqual({
        cls: { kind: 'number', dtype: 'int64' },
        jpg: { kind: 'image' },
        json: { kind: 'string' },
        npy: { kind: 'tensor', dtype: 'float32', shape: [2, 3] },
        txt: { kind: 'string' },
        'vec.pyd': { kind: 'bytes' },
        key: { kind: 'string' },
      })
      expect(dataset.randomAccess).toBe(true)
      await expectGolden(dataset, shuffled)
      expect(dataset.describe(0)).toBe('train-000000.tar: animals/00000')
      expect(dataset.describe(24)).toBe('sample 24')
    })
  })

  it('are chunks', async () => {
    await using(plain, {}, (dataset) => {
      const starts = Array.from({ length: dataset.chunks.count + 1 }, (_, chunk) => dataset.chunks.start(chunk))
      const counts = shardNames.map((name) => golden.filter(({ shard }) => shard === name).length)
      expect(starts).toEqual([0, counts[0], (counts[0] ?? 0) + (counts[1] ?? 0), 24])
    })
  })

  it('say the sizes of stored bytes and read them in place', async () => {
    await using(plain, { extensions: { image: 'jpg', label: 'cls', arr: 'npy' } }, async (dataset) => {
      const sizes = new Float64Array(24)
      dataset.sizes(Float64Array.from(all), 'image', sizes)
      for (const id of [23, 0, 11]) {
        const into = new Uint8Array(sizes[id] ?? 0)
        await dataset.readInto(id, 'image', into)
        expect(sha256(into)).toBe(golden[id]?.sha256.jpg)
      }
      dataset.sizes(Float64Array.of(3), 'arr', sizes)
      expect(sizes[0]).toBe(24)
      const arr = new Float32Array(6)
      await dataset.readInto(3, 'arr', new Uint8Array(arr.buffer))
      expect([...arr]).toEqual(golden[3]?.arr.flat())
      await expect(dataset.readInto(0, 'image', new Uint8Array(5))).rejects.toSatisfy((e) =>
        (e as Error).message.includes('takes'),
      )
      expect(() => dataset.sizes(Float64Array.of(0), 'label', sizes)).toThrow('has no bytes')
    })
  })

  it('are named by a folder, a file, or braces', async () => {
    const url = `${plain}/train-{000001..000002}.tar`
    const braced = await using(url, {}, ({ length, fingerprint }) => ({ length, fingerprint }))
    expect(braced.length).toBe(golden.filter(({ shard }) => shard !== shardNames[0]).length)
    await using(join(plain, shardNames[1] ?? ''), {}, async (dataset) => {
      expect((await dataset.read(0, { fields: ['key'] })).key).toBe(
        golden.find(({ shard }) => shard === shardNames[1])?.key,
      )
    })
    await expect(webdataset(`${plain}/train-{000001..000003}.tar`)).rejects.toEqual(
      failing('E_NOT_FOUND', 'train-000003.tar'),
    )
    await expect(webdataset(folder)).rejects.toEqual(failing('E_NOT_FOUND'))
  })

  it('are opened again by their spec, which is JSON', async () => {
    for (const url of [plain, `${plain}/train-{000000..000002}.tar`]) {
      const dataset = await webdataset(url, { extensions: ['jpg', 'cls'], types: { cls: 'string' } })
      const again = await openDataset(JSON.parse(JSON.stringify(dataset.spec)))
      expect([again.fingerprint, again.length, again.schema]).toEqual([dataset.fingerprint, 24, dataset.schema])
      expect((await again.read(5)).cls).toBe(String(golden[5]?.label))
      await again.close()
      await dataset.close()
    }
  })
})

describe('the index of shards', () => {
  const indexes = () => readdirSync(join(cache, 'indexes'))

  it('is made once and kept in the cache folder', async () => {
    await using(plain, {}, () => {})
    const [name = ''] = indexes()
    const made = statSync(join(cache, 'indexes', name)).mtimeMs
    await using(plain, { extensions: ['jpg'] }, (dataset) => expect(dataset.length).toBe(24))
    expect(indexes()).toEqual([name])
    expect(statSync(join(cache, 'indexes', name)).mtimeMs).toBe(made)
  })

  it('is made again where a shard is another, and where it is damaged', async () => {
    const shard = join(folder, 'changing.tar')
    writeFileSync(shard, tarOf({ name: 'a.txt', data: 'a' }))
    const before = await using(shard, {}, ({ length, fingerprint }) => [length, fingerprint])
    writeFileSync(shard, tarOf({ name: 'a.txt', data: 'a' }, { name: 'b.txt', data: 'b' }))
    const after = await using(shard, {}, ({ length, fingerprint }) => [length, fingerprint])
    expect([before[0], after[0]]).toEqual([1, 2])
    expect(before[1]).not.toBe(after[1])
    for (const name of indexes()) writeFileSync(join(cache, 'indexes', name), 'damaged')
    await using(shard, {}, ({ length }) => expect(length).toBe(2))
  })

  it('lies where the option says, also in a store', async () => {
    const index = join(folder, 'own.index')
    await using(plain, { index }, () => {})
    expect(statSync(index).size).toBeGreaterThan(1000)
    rmSync(cache, { recursive: true, force: true })
    await using(plain, { index }, (dataset) => expectGolden(dataset, [7]))
    await expect(webdataset(plain, { index: nowhere })).rejects.toMatchObject({
      details: { path: nowhere },
    })
  })

  it('is in memory where the cache folder cannot be written', async () => {
    process.env.HEADRACE_CACHE_DIR = nowhere
    try {
      await using(plain, {}, (dataset) => expectGolden(dataset, shuffled))
    } finally {
      process.env.HEADRACE_CACHE_DIR = cache
    }
  })
})

describe('samples of a shard', () => {
  const open = async (entries: readonly Entry[], options: WebDatasetOptions = {}) => {
    const path = join(mkdtempSync(join(folder, 'set-')), 'a.tar')
    writeFileSync(path, tarOf(...entries))
    return webdataset(path, options)
  }
  const keys = async (dataset: WebDataset) => {
    const found: unknown[] = []
    for (let id = 0; id < dataset.length; id++) found.push((await dataset.read(id, { fields: ['key'] })).key)
    await dataset.close()
    return found
  }

  it('are files that follow each other and have one name up to the first dot', async () => {
    const dataset = await open([
      { name: './d.x/a.TXT', data: '1' },
      { name: '__meta__/a.txt', data: 'no' },
      { name: './d.x/b.txt', data: '2' },
      { name: './README', data: 'no extension' },
      { name: './d.x/b.seg.txt', data: '3' },
      { name: './d.x/a.txt', data: '4' },
    ])
    expect(Object.keys(dataset.schema)).toEqual(['txt', 'key'])
    expect((await dataset.read(2)).txt).toBe('4')
    expect(await keys(dataset)).toEqual(['./d.x/a', './d.x/b', './d.x/a'])
  })

  it('lack what only some have, unless alternatives are named', async () => {
    const entries = [
      { name: '0.jpg', data: 'jpeg' },
      { name: '0.cls', data: '3' },
      { name: '1.png', data: 'ping' },
      { name: '1.cls', data: ' -12\n' },
    ]
    const common = await open(entries)
    expect(Object.keys(common.schema)).toEqual(['cls', 'key'])
    expect((await common.read(1)).cls).toBe(-12n)
    await common.close()
    const both = await open(entries, { extensions: { image: 'jpg;png', label: 'cls' } })
    expect(both.schema.image).toEqual({ kind: 'image' })
    expect(Buffer.from((await both.read(1)).image as Uint8Array).toString()).toBe('ping')
    await both.close()
    await expect(open(entries, { extensions: ['jpg'] })).rejects.toEqual(
      failing('E_USAGE', '1 of 2 samples have no .jpg'),
    )
    await expect(open(entries, { extensions: ['gif'] })).rejects.toEqual(
      failing('E_USAGE', '2 of 2 samples have no .gif'),
    )
  })

  it('that are not what their extension says are told by name', async () => {
    const dataset = await open([
      { name: 'a.cls', data: '1' },
      { name: 'b.cls', data: 'cat' },
    ])
    await expect(dataset.read(1)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: 'a.tar: b.cls: "cat" is no integer',
      details: { sample: 1 },
    })
    expect((await dataset.read(0)).cls).toBe(1n)
    await dataset.close()
    await expect(open([{ name: 'a.txt' }, { name: 'a.txt' }])).rejects.toEqual(failing('E_CORRUPT', 'two files .txt'))
    await expect(open([{ name: 'README' }])).rejects.toEqual(failing('E_USAGE', 'no samples'))
  })

  it('of a shard that was replaced or removed are told', async () => {
    const path = join(mkdtempSync(join(folder, 'gone-')), 'a.tar')
    writeFileSync(path, tarOf({ name: 'a.txt', data: 'a' }))
    const dataset = await webdataset(path)
    writeFileSync(path, tarOf({ name: 'a.txt', data: 'b'.repeat(600) }))
    await expect(dataset.read(0)).rejects.toEqual(failing('E_STATE', 'a.tar has changed'))
    rmSync(path)
    await expect(dataset.read(0)).rejects.toEqual(failing('E_NOT_FOUND', 'a.tar is no longer there'))
    await dataset.close()
  })

  it('refuses options that there are not', async () => {
    await expect(webdataset(plain, { shards: 1 } as never)).rejects.toEqual(failing('E_USAGE', '"shards"'))
    await expect(webdataset(plain, { types: { jpg: 'picture' as never } })).rejects.toEqual(
      failing('E_USAGE', 'types.jpg'),
    )
    await expect(webdataset(plain, { types: { gif: 'image' } })).rejects.toEqual(failing('E_USAGE', 'no field gif'))
    await expect(webdataset(plain, { bufferBytes: 0 })).rejects.toEqual(failing('E_USAGE', 'bufferBytes'))
  })
})

describe('compressed shards', () => {
  const packed = join(folder, 'packed')
  beforeAll(async () => {
    const compress = await zstdCompressor()
    const { mkdirSync } = await import('node:fs')
    mkdirSync(packed)
    for (const [i, name] of shardNames.entries()) {
      const bytes = readFileSync(join(plain, name))
      if (i === 1) writeFileSync(join(packed, `${name}.zst`), compress(bytes))
      else writeFileSync(join(packed, `${name}.gz`), gzipSync(bytes))
    }
  })

  it('have the same samples, in order, and in any order', async () => {
    await using(packed, {}, async (dataset) => {
      expect(dataset.randomAccess).toBe(false)
      for (const id of all) await expectGolden(dataset, [id])
      await expectGolden(dataset, all)
      await expectGolden(dataset, shuffled)
      expect(dataset.restarts).toBe(0)
    })
  })

  it('are unpacked once for samples in order or nearly so; what lies further back means to begin anew', async () => {
    const path = join(mkdtempSync(join(folder, 'large-')), 'a.tar.gz')
    const bytesOf = (id: number) => Buffer.alloc(100_000, id)
    writeFileSync(path, gzipSync(tarOf(...all.map((id) => ({ name: `${id}.bin`, data: bytesOf(id) })))))
    await using(path, { bufferBytes: 1_000_000 }, async (dataset) => {
      const read = async (id: number) => expect(sha256((await dataset.read(id)).bin)).toBe(sha256(bytesOf(id)))
      for (const id of all) await read(id - (id % 4) + ((id * 3) % 4))
      expect(dataset.restarts).toBe(0)
      await Promise.all(shuffled.map(read))
      expect(dataset.restarts).toBe(1)
      for (const id of [23, 12, 0]) await read(id)
      expect(dataset.restarts).toBe(3)
    })
    await using(path, { bufferBytes: 1 }, async (dataset) => {
      for (const id of [5, 4, 23, 0]) expect(sha256((await dataset.read(id)).bin)).toBe(sha256(bytesOf(id)))
    })
  })

  it('that are closed while they are read end the read, and one that is cancelled no other', async () => {
    const dataset = await webdataset(packed)
    const abort = new AbortController()
    abort.abort()
    const [cancelled, other] = [dataset.read(3, { signal: abort.signal }), dataset.read(4)]
    await expect(cancelled).rejects.toEqual(failing('E_CANCELLED'))
    expect((await other).txt).toBe(golden[4]?.name)
    const reading = dataset.read(23)
    await dataset.close()
    await expect(reading).rejects.toThrow()
  })

  it('that are cut off are told when they are looked through', async () => {
    const path = join(mkdtempSync(join(folder, 'cut-')), 'a.tar.gz')
    writeFileSync(path, gzipSync(readFileSync(join(plain, shardNames[0] ?? ''))).subarray(0, 50_000))
    await expect(webdataset(path)).rejects.toEqual(failing('E_CORRUPT', 'a.tar.gz', 'cannot be unpacked'))
  })
})

describe('shards in a bucket', () => {
  let server: S3Server
  let proxy: RecordingProxy
  beforeAll(async () => {
    server = await startS3Server()
    proxy = await recordingProxy(server.url)
    process.env.AWS_ENDPOINT_URL = proxy.url
    process.env.AWS_ACCESS_KEY_ID = 'testkey'
    process.env.AWS_SECRET_ACCESS_KEY = 'testsecret'
    const store = await openStore('s3://shards')
    await store.createContainer?.()
    for (const name of shardNames) await store.put(`set/${name}`, readFileSync(join(plain, name)))
    await store.put('set/_SUCCESS', new Uint8Array())
    await store.close()
  })
  afterAll(async () => {
    await proxy.close()
    await server.close()
  })

  it('give their samples by ranges: those of one sample in one request, of neighbours in one', async () => {
    await using('s3://shards/set', {}, async (dataset) => {
      await expectGolden(dataset, shuffled)
      proxy.gets.length = 0
      await dataset.read(1)
      expect(proxy.gets).toHaveLength(1)
      proxy.gets.length = 0
      await Promise.all([0, 1, 2].map((id) => dataset.read(id)))
      expect(proxy.gets).toHaveLength(1)
    })
  })

  it('fetch the bytes of a field and no others', async () => {
    await using('s3://shards/set', { extensions: ['jpg'] }, async (dataset) => {
      const sizes = new Float64Array(1)
      dataset.sizes(Float64Array.of(4), 'jpg', sizes)
      proxy.gets.length = 0
      await dataset.read(4)
      expect(proxy.gets.map(({ bytes }) => bytes)).toEqual([sizes[0]])
    })
  })

  it('are those of a manifest, where one is named; shards that changed since are told', async () => {
    const manifest = join(folder, 'shards.manifest')
    await buildManifest('s3://shards/set', manifest)
    proxy.gets.length = 0
    await using('s3://shards/set', { manifest, exclude: ['*2.tar'] }, async (dataset) => {
      expect(dataset.chunks.count).toBe(2)
      expect(dataset.spec).toMatchObject({ url: 's3://shards/set', manifest, exclude: ['*2.tar'] })
      await expectGolden(dataset, [0, 5])
      const again = await openDataset(JSON.parse(JSON.stringify(dataset.spec)))
      expect(again.fingerprint).toBe(dataset.fingerprint)
      await again.close()
    })
    const store = await openStore('s3://shards')
    await store.put('changing/a.tar', tarOf({ name: 'a.txt', data: 'a' }))
    await buildManifest('s3://shards/changing', manifest)
    await using('s3://shards/changing', { manifest }, ({ length }) => expect(length).toBe(1))
    await store.put('changing/a.tar', tarOf({ name: 'a.txt', data: 'b' }))
    // The index of the old shard is still there: what tells is the read.
    await using('s3://shards/changing', { manifest }, (dataset) =>
      expect(dataset.read(0)).rejects.toEqual(failing('E_STATE', 'a.tar has changed since it was listed')),
    )
    await store.close()
  })

  it('are not looked through again where an index lies beside them', async () => {
    const index = 's3://shards/set.index'
    await using('s3://shards/set', { index }, () => {})
    rmSync(cache, { recursive: true, force: true })
    proxy.gets.length = 0
    await using('s3://shards/set', { index }, (dataset) => expect(dataset.length).toBe(24))
    // the index, and the first array, whose shape is the field's
    expect(proxy.gets.map(({ path }) => path.replace(/\?.*/, ''))).toEqual([
      '/shards/set.index',
      '/shards/set/train-000000.tar',
    ])
  })
})
