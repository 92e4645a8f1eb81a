import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildManifest, openManifest } from '../../../src/datasets/index.ts'
import { packManifest } from '../../../src/datasets/manifest/build.ts'
import { MAGIC } from '../../../src/datasets/manifest/layout.ts'
import { ManifestPacker } from '../../../src/datasets/manifest/packer.ts'
import { type S3Server, startS3Server } from '../../../src/dev/s3/index.ts'
import { HeadraceError } from '../../../src/errors.ts'
import { fillNoise } from '../../../src/noise.ts'
import { openStore } from '../../../src/storage/open.ts'
import type { Store } from '../../../src/storage/types.ts'
import { madeUpEntries } from './entries.ts'

const OBJECTS = 1000
const keyOf = (i: number) => `c${i % 3}/${String(i).padStart(4, '0')}.${i % 10 === 0 ? 'txt' : 'bin'}`

let folder: string
let store: Store
let server: S3Server
let bucket: Store
beforeAll(async () => {
  server = await startS3Server()
  process.env.AWS_ENDPOINT_URL = server.url
  process.env.AWS_ACCESS_KEY_ID = 'testkey'
  process.env.AWS_SECRET_ACCESS_KEY = 'testsecret'
  bucket = await openStore('s3://lists')
  await bucket.createContainer?.()
  folder = await mkdtemp(join(tmpdir(), 'headrace-manifest-'))
  store = await openStore(join(folder, 'data'), { sync: 'never' })
  for (let i = 0; i < OBJECTS; i++) await store.put(keyOf(i), new Uint8Array(i))
})
afterAll(async () => {
  await bucket.close()
  await server.close()
  await store.close()
  await rm(folder, { recursive: true })
})

describe('a manifest', () => {
  it('holds what is listed, in order, with sizes and etags', async () => {
    const out = join(folder, 'all.manifest')
    const summary = await buildManifest(join(folder, 'data'), out)
    const listed: { key: string; size: number; etag: string }[] = []
    for await (const entry of store.list(''))
      if (entry.kind === 'object') listed.push({ key: entry.key, size: entry.size, etag: entry.etag })
    const hash = createHash('sha256')
    for (const { key, size, etag } of listed) hash.update(`${key}\0${size}\0${etag}\n`)
    const expected = {
      url: `file://${folder}/data`,
      length: OBJECTS,
      bytes: (OBJECTS * (OBJECTS - 1)) / 2,
      largest: OBJECTS - 1,
      fingerprint: hash.digest('hex'),
      include: [],
      exclude: [],
    }
    expect(summary).toEqual(expected)
    const manifest = await openManifest(out)
    expect(manifest).toMatchObject(expected)
    expect([...manifest.entries()]).toEqual(listed)
    expect([...manifest.entries(995)]).toEqual(listed.slice(995))
    expect([...manifest.entries(OBJECTS)]).toEqual([])
    for (const id of [999, 0, 255, 256, 511, 512, 998])
      expect([manifest.entry(id), manifest.size(id)]).toEqual([listed[id], listed[id]?.size])
    for (const id of [-1, OBJECTS, 0.5, Number.NaN])
      expect(() => manifest.entry(id)).toThrow(expect.objectContaining({ code: 'E_USAGE' }))
    manifest.close()
    expect(() => manifest.entry(600)).toThrow(expect.objectContaining({ code: 'E_STATE' }))
  })

  it('is the same file for the same objects, and has only what the globs let through', async () => {
    const [first, second] = [join(folder, '1.manifest'), join(folder, '2.manifest')]
    const chosen = { include: ['*.bin'], exclude: ['c1/**'] }
    for (const out of [first, second])
      expect(await buildManifest(join(folder, 'data'), out, chosen)).toMatchObject({ length: 600, ...chosen })
    expect(await readFile(first)).toEqual(await readFile(second))
    const manifest = await openManifest(`file://${first}`)
    expect(manifest).toMatchObject(chosen)
    expect([...manifest.entries()].every(({ key }) => /^c[02]\/.*bin$/.test(key))).toBe(true)
    manifest.close()
  })

  it('lies in any store, and leaves itself out where it lies among the objects', async () => {
    for (const key of ['set/', 'set/a', 'set/b', 'set/folder/', 'set/folder/x']) await bucket.put(key, new Uint8Array())
    for (let time = 0; time < 2; time++) {
      const { length } = await buildManifest('s3://lists/set', 's3://lists/set/all.manifest')
      expect(length).toBe(3)
    }
    const manifest = await openManifest('s3://lists/set/all.manifest')
    expect([...manifest.entries()].map(({ key }) => key)).toEqual(['a', 'b', 'folder/x'])
    manifest.close()
  })

  it('tells how far it is', async () => {
    const told: { objects: number; bytes: number }[] = []
    const onProgress = (progress: { objects: number; bytes: number }) => void told.push(progress)
    await buildManifest(join(folder, 'data'), join(folder, 'p.manifest'), { onProgress, include: ['000?.*'] })
    expect(told.at(-1)).toEqual({ objects: 10, bytes: 45 })
  })

  it('is written whole or not at all', async () => {
    const out = join(folder, 'kept.manifest')
    await buildManifest(join(folder, 'data'), out, { include: ['*.txt'] })
    const before = await readFile(out)
    const stop = new AbortController()
    const onProgress = () => stop.abort()
    await expect(buildManifest(join(folder, 'data'), out, { include: ['*.none'] })).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: `there are no objects of these names in file://${folder}/data`,
    })
    stop.abort()
    await expect(buildManifest(join(folder, 'data'), out, { signal: stop.signal, onProgress })).rejects.toMatchObject({
      code: 'E_CANCELLED',
    })
    expect(await readFile(out)).toEqual(before)
    expect((await readdir(folder)).filter((name) => name.includes('kept'))).toEqual(['kept.manifest'])
  })

  it('is refused where it is damaged, wherever that is', async () => {
    const out = join(folder, 'damaged.manifest')
    await buildManifest(join(folder, 'data'), out)
    const bytes = await readFile(out)
    const all = async (): Promise<number> => {
      const manifest = await openManifest(out)
      try {
        return [...manifest.entries()].length
      } finally {
        manifest.close()
      }
    }
    for (let at = 0; at < bytes.length; at += 37) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] as number) ^ 0x55
      await writeFile(out, damaged)
      await expect(all(), `byte ${at}`).rejects.toMatchObject({ code: 'E_CORRUPT' })
    }
    for (const length of [0, 5, 19, 20, 28, 100, bytes.length - 1]) {
      await writeFile(out, bytes.subarray(0, length))
      await expect(all(), `${length} bytes`).rejects.toMatchObject({ code: 'E_CORRUPT' })
    }
    await writeFile(out, Buffer.concat([bytes, bytes]))
    await expect(all()).rejects.toMatchObject({ code: 'E_CORRUPT' })
  })

  it('is not to be found, or a folder', async () => {
    await expect(openManifest(join(folder, 'no'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    await expect(openManifest(folder)).rejects.toMatchObject({ code: 'E_USAGE' })
    await expect(buildManifest(join(folder, 'data'), `${folder}/x/`)).rejects.toMatchObject({ code: 'E_USAGE' })
    await expect(buildManifest(join(folder, 'data'), `${folder}/x`, { paralel: 2 } as object)).rejects.toMatchObject({
      message: 'buildManifest has no option "paralel"; it has include, exclude, parallel, signal, onProgress',
    })
  })

  it('refuses keys that do not come in order', async () => {
    const entries = [
      { key: 'b', size: 1, etag: '' },
      { key: 'a', size: 1, etag: '' },
    ]
    await expect(packManifest({ url: 'mem://x' }, entries)).rejects.toMatchObject({
      code: 'E_STATE',
      details: { key: 'a' },
    })
  })

  it('finds any of many objects in memory', async () => {
    const entries = madeUpEntries(100_000)
    const manifest = await packManifest({ url: 'mem://many' }, entries)
    for (let id = 0; id < entries.length; id += 251) expect(manifest.entry(id)).toEqual(entries[id])
    expect(manifest.length).toBe(100_000)
    manifest.close()
  })

  it('of more than 64 MiB is fetched once into the cache folder', async () => {
    const { HEADRACE_CACHE_DIR: before } = process.env
    process.env.HEADRACE_CACHE_DIR = join(folder, 'cache')
    try {
      // Names that nothing makes smaller.
      const noise = new Uint8Array(80 * 2 ** 20)
      fillNoise(noise, 1)
      const entries = Array.from({ length: 80 * 1024 }, (_, i) => ({
        key: String(i).padStart(7, '0') + Buffer.from(noise.subarray(1024 * i, 1024 * (i + 1))).toString('base64url'),
        size: 1,
        etag: 'e',
      }))
      const packer = new ManifestPacker({ url: 's3://lists/many', include: [], exclude: [] })
      const blocks = entries.flatMap((entry) => packer.add(entry) ?? [])
      const { size } = await bucket.put('many.manifest', Buffer.concat([MAGIC, ...blocks, packer.footer()]))
      expect(size).toBeGreaterThan(2 ** 26)
      for (let time = 0; time < 2; time++) {
        const manifest = await openManifest('s3://lists/many.manifest')
        expect(manifest.entry(71_234)).toEqual(entries[71_234])
        manifest.close()
      }
      const [copy, ...others] = await readdir(join(folder, 'cache/manifests'))
      expect(others).toEqual([])
      expect((await stat(join(folder, 'cache/manifests', copy as string))).size).toBe(size)
    } finally {
      if (before === undefined) delete process.env.HEADRACE_CACHE_DIR
      else process.env.HEADRACE_CACHE_DIR = before
    }
  })
})

it('errors are of one class', async () => {
  await expect(openManifest(join(folder, 'no'))).rejects.toBeInstanceOf(HeadraceError)
})
