import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildManifest, type Objects, objects, openDataset } from '../../src/datasets/index.ts'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/types.ts'

const bodyOf = (i: number) => Buffer.from(`object ${i} `.repeat(i))

let server: S3Server
let store: Store
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-objects-'))
  server = await startS3Server()
  process.env.AWS_ENDPOINT_URL = server.url
  process.env.AWS_ACCESS_KEY_ID = 'testkey'
  process.env.AWS_SECRET_ACCESS_KEY = 'testsecret'
  store = await openStore('s3://samples')
  await store.createContainer?.()
  for (const key of ['set/', 'set/deep/']) await store.put(key, new Uint8Array())
  for (let i = 0; i < 5; i++) await store.put(`set/deep/${i}.bin`, bodyOf(i))
  await store.put('set/notes.txt', Buffer.from('notes'))
  await store.put('settle/other.bin', Buffer.from('of another folder'))
})
afterAll(async () => {
  await store.close()
  await server.close()
  await rm(folder, { recursive: true })
})

async function using<T>(dataset: Objects, use: (dataset: Objects) => Promise<T>): Promise<T> {
  try {
    return await use(dataset)
  } finally {
    await dataset.close()
  }
}

describe('objects', () => {
  it('are samples of bytes in the order of their keys', async () => {
    await using(await objects('s3://samples/set'), async (dataset) => {
      expect(dataset).toMatchObject({
        length: 6,
        schema: { data: { kind: 'bytes' }, key: { kind: 'string' } },
        url: 's3://samples/set',
      })
      expect(await Promise.all([0, 1, 4, 5].map((id) => dataset.read(id)))).toEqual(
        [
          { data: new Uint8Array(), key: 'deep/0.bin' },
          { data: Uint8Array.from(bodyOf(1)), key: 'deep/1.bin' },
          { data: Uint8Array.from(bodyOf(4)), key: 'deep/4.bin' },
          { data: Uint8Array.from(Buffer.from('notes')), key: 'notes.txt' },
        ].map(({ data, key }) => ({ data: expect.objectContaining({ length: data.length }), key })),
      )
      expect(Buffer.from((await dataset.read(4)).data as Uint8Array)).toEqual(bodyOf(4))
      expect(await dataset.read(4, { fields: ['key'] })).toEqual({ key: 'deep/4.bin' })
      expect(Object.keys(await dataset.read(4, { fields: ['data'] }))).toEqual(['data'])
      expect([dataset.describe(5), dataset.describe(6), dataset.maxSize('data')]).toEqual(['notes.txt', 'sample 6', 36])
    })
  })

  it('tell their sizes, and are read to where they are wanted', async () => {
    await using(await objects('s3://samples/set', { include: ['*.bin'] }), async (dataset) => {
      const ids = Float64Array.of(4, 0, 2)
      const sizes = new Float64Array(3)
      dataset.sizes(ids, 'data', sizes)
      expect([...sizes]).toEqual([36, 0, 18])
      const memory = Buffer.alloc(60, '.')
      await dataset.readInto(4, 'data', memory.subarray(10, 46))
      await dataset.readInto(0, 'data', memory.subarray(0, 0))
      expect(memory.toString()).toBe(`${'.'.repeat(10)}${bodyOf(4)}${'.'.repeat(14)}`)
      await expect(dataset.readInto(4, 'data', memory)).rejects.toMatchObject({ code: 'E_USAGE' })
      await expect(dataset.readInto(9, 'data', memory)).rejects.toMatchObject({ code: 'E_USAGE' })
      expect(() => dataset.sizes(ids, 'key', sizes)).toThrow(expect.objectContaining({ code: 'E_USAGE' }))
    })
  })

  it('have one fingerprint, listed or from a manifest, until a key, a size or an etag changes', async () => {
    const put = (key: string, body: string) => store.put(`prints/${key}`, Buffer.from(body))
    const fingerprint = async (options = {}) =>
      using(await objects('s3://samples/prints', options), async (dataset) => dataset.fingerprint)
    await put('a', 'one')
    await put('b', 'two')
    const first = await fingerprint()
    const manifest = join(folder, 'prints.manifest')
    await buildManifest('s3://samples/prints', manifest)
    expect(await fingerprint({ manifest })).toBe(first)
    expect(await fingerprint({ include: ['*'] })).toBe(first)
    await put('a', 'one')
    expect(await fingerprint()).toBe(first)
    await put('a', 'two')
    const second = await fingerprint()
    await put('a', 'three')
    const third = await fingerprint()
    await put('c', 'new')
    const fourth = await fingerprint()
    expect(new Set([first, second, third, fourth]).size).toBe(4)
    expect(await fingerprint({ manifest })).toBe(first)
    expect(await fingerprint({ include: ['[bc]'] })).not.toBe(fourth)
  })

  it('that were replaced, cut or removed since they were listed are told by name', async () => {
    await store.put('changing/cut', Buffer.from('whole'))
    await store.put('changing/gone', Buffer.from('here'))
    await store.put('changing/replaced', Buffer.from('first'))
    await using(await objects('s3://samples/changing'), async (dataset) => {
      await store.put('changing/cut', Buffer.from('who'))
      await store.put('changing/replaced', Buffer.from('after'))
      for await (const _ of store.delete(['changing/gone']));
      const where = (key: string, sample: number) => ({ url: 's3://samples/changing', key, sample })
      for (const read of [
        (id: number) => dataset.read(id),
        (id: number) => dataset.readInto(id, 'data', new Uint8Array([5, 4, 5][id] as number)),
      ]) {
        await expect(read(0)).rejects.toMatchObject({
          code: 'E_STATE',
          message: 'cut has changed since it was listed',
          details: where('cut', 0),
        })
        await expect(read(1)).rejects.toMatchObject({
          code: 'E_NOT_FOUND',
          message: 'gone is no longer there',
          details: where('gone', 1),
        })
        await expect(read(2)).rejects.toMatchObject({ code: 'E_STATE', details: where('replaced', 2) })
      }
    })
  })

  it('come from a manifest without a listing, also chosen from it, or below another URL', async () => {
    const manifest = join(folder, 'set.manifest')
    await buildManifest('s3://samples/set', manifest)
    await using(await objects('s3://samples/set', { manifest, exclude: ['*.txt'] }), async (dataset) => {
      expect(dataset.length).toBe(5)
      expect(Buffer.from((await dataset.read(3)).data as Uint8Array)).toEqual(bodyOf(3))
    })
    await store.put('copy/deep/1.bin', bodyOf(1))
    await using(await objects('s3://samples/copy', { manifest }), async (dataset) => {
      expect(Buffer.from((await dataset.read(1)).data as Uint8Array)).toEqual(bodyOf(1))
      await expect(dataset.read(2)).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    })
  })

  it('open again from their spec, in another place, as long as they are the same', async () => {
    const first = await objects('s3://samples/set', { include: ['*.bin'], parallel: 2 })
    const { spec, fingerprint } = first
    await first.close()
    expect(spec).toEqual({ kind: 'objects', url: 's3://samples/set', include: ['*.bin'], parallel: 2, fingerprint })
    const again = await openDataset(JSON.parse(JSON.stringify(spec)))
    expect(again).toMatchObject({ length: 5, fingerprint })
    await again.close()
    await expect(openDataset({ ...spec, include: ['*'] })).rejects.toMatchObject({
      code: 'E_STATE',
      message: 'the objects in s3://samples/set are not those that the dataset was of',
    })
  })

  it('are files, too; a path means the same wherever the spec is opened', async () => {
    await writeFile(join(folder, 'one.bin'), 'one')
    await writeFile(join(folder, 'two.bin'), 'second')
    const here = process.cwd()
    process.chdir(tmpdir())
    const dataset = await objects(folder.slice(tmpdir().length + 1), { include: ['*.bin'] })
    process.chdir(here)
    expect(dataset.spec).toEqual({ kind: 'objects', url: folder, include: ['*.bin'], fingerprint: dataset.fingerprint })
    const again = await openDataset(dataset.spec)
    expect(await again.read(1)).toEqual({ data: expect.any(Uint8Array), key: 'two.bin' })
    await again.close()
    await utimes(join(folder, 'one.bin'), 1, 1)
    await expect(dataset.read(0)).rejects.toMatchObject({ code: 'E_STATE' })
    await dataset.close()
  })

  it('of one URL may be one', async () => {
    await using(await objects('s3://samples/set/deep/3.bin'), async (dataset) => {
      expect([dataset.length, dataset.describe(0)]).toEqual([1, '3.bin'])
      expect(Buffer.from((await dataset.read(0)).data as Uint8Array)).toEqual(bodyOf(3))
    })
  })

  it('that are none are refused', async () => {
    await expect(objects('s3://samples/nothing')).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: 'there are no objects in s3://samples/nothing',
    })
    await expect(objects('s3://samples/set', { include: ['*.png'] })).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    await expect(objects('s3://no-such-bucket/set')).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    await expect(objects('s3://samples/set', { manifests: 'x' } as object)).rejects.toMatchObject({ code: 'E_USAGE' })
    await expect(objects(undefined as unknown as string)).rejects.toMatchObject({ code: 'E_USAGE' })
  })
})
