import { execFileSync } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Field, Schema } from '../../src/datasets/types.ts'
import { HeadraceError } from '../../src/errors.ts'
import { npyHeader } from '../../src/formats/npy.ts'
import { buildImageCache, imageCacheInfo, openImageCache, verifyImageCache } from '../../src/vision/cache/index.ts'
import { awkward, manyPictures, roomFor, sha256 } from './sources.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-open-'))
  await manyPictures(join(folder, 'photos'), 20, 5)
  await buildImageCache(join(folder, 'photos'), join(folder, 'sound'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(async () => {
  path = join(folder, 'cache')
  await rm(path, { recursive: true, force: true })
  await cp(join(folder, 'sound'), path, { recursive: true })
})

async function edit(name: string, change: (bytes: Buffer) => Buffer | undefined): Promise<void> {
  const bytes = await readFile(join(path, name))
  await writeFile(join(path, name), change(bytes) ?? bytes)
}
async function pipeAt(name: string): Promise<void> {
  await rm(join(path, name))
  execFileSync('mkfifo', [join(path, name)])
}
interface EditableManifest {
  version: number
  num_samples: number
  fields: Record<string, unknown>
  file_sizes?: Record<string, number>
  headrace: { formatVersion: number }
}
async function editManifest(change: (manifest: EditableManifest) => void): Promise<void> {
  const manifest = JSON.parse(await readFile(join(path, 'manifest.json'), 'utf8')) as EditableManifest
  change(manifest)
  await writeFile(join(path, 'manifest.json'), JSON.stringify(manifest))
}

describe('an open cache', () => {
  it('knows what it holds', async () => {
    expect(await imageCacheInfo(path)).toEqual({
      images: 20,
      bytes: expect.any(Number),
      encoding: 'jpeg',
      source: { url: `file://${join(folder, 'photos')}`, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) },
      fields: {
        image: {
          kind: 'image',
          encoding: 'jpeg',
          bytes: expect.any(Number),
          maxSize: 78473,
          meanWidth: expect.any(Number),
          meanHeight: expect.any(Number),
        },
        label: { kind: 'number', dtype: 'int64' },
        path: { kind: 'string' },
      },
      version: 'headrace 0.1.0',
      classes: ['a', 'b', 'c'],
      reencoded: { png: 4 },
      skipped: 0,
      options: { encoding: 'jpeg', quality: 95, tolerant: false, validate: 'structure', maxPixels: 178956970 },
      contentHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      checksums: true,
      libjpegTurbo: expect.stringMatching(/^\d+\.\d+/),
      simd: expect.any(String),
    })
  })

  it('has means of one decimal at most', async () => {
    const names = ['odd_17x9.jpg', 'tiny_1x1.jpg', 'tiny_1x1.jpg']
    await buildImageCache(
      names.map((name) => ({ image: awkward(name) })),
      join(folder, 'three'),
    )
    // (17 + 1 + 1) / 3 and (9 + 1 + 1) / 3
    expect((await imageCacheInfo(join(folder, 'three'))).fields.image).toMatchObject({
      meanWidth: 6.3,
      meanHeight: 3.7,
    })
  })

  it('gathers numbers and locates pictures in any order, repeats included', async () => {
    const cache = await openImageCache(path)
    const labels = new BigInt64Array(4)
    cache.gather(Float64Array.of(19, 0, 10, 19), 'label', labels)
    expect([...labels]).toEqual([2n, 0n, 1n, 2n])
    const out = roomFor(3)
    const map = cache.locate(Float64Array.of(19, 0, 19), 'image', out)
    const bin = await readFile(join(path, 'image.bin'))
    expect(map.bytes).toBe(bin.length)
    const { image } = await cache.read(19)
    const [at = 0, , again] = out.offset
    expect(again).toBe(at)
    expect(Buffer.compare(bin.subarray(at, at + (out.size[0] ?? 0)), image as Uint8Array)).toBe(0)
    await cache.close()
  })

  it('refuses ids, fields and arrays that do not fit, and everything once it is closed', async () => {
    const cache = await openImageCache(path)
    for (const id of [-1, 20, 1.5, Number.NaN]) {
      await expect(cache.read(id)).rejects.toMatchObject({
        code: 'E_USAGE',
        message: `sample id must be an integer from 0 to 19, but got ${id}`,
      })
      expect(() => cache.locate(Float64Array.of(id), 'image', roomFor(1))).toThrow(HeadraceError)
      expect(() => cache.gather(Float64Array.of(id), 'label', new BigInt64Array(1))).toThrow(HeadraceError)
    }
    expect(() => cache.gather(Float64Array.of(0), 'label', new Float64Array(1))).toThrow('field label is int64')
    expect(() => cache.gather(Float64Array.of(0, 1), 'label', new BigInt64Array(1))).toThrow(
      '2 of them do not go into a BigInt64Array of 1',
    )
    expect(() => cache.gather(Float64Array.of(0), 'path', new BigInt64Array(1))).toThrow('does not hold numbers')
    expect(() => cache.locate(Float64Array.of(0), 'label', roomFor(1))).toThrow('holds neither images nor bytes')
    await expect(cache.read(0, { fields: ['picture'] })).rejects.toThrow(
      'the cache has no field "picture"; it has image, label, path',
    )
    await cache.close()
    await cache.close()
    await expect(cache.read(0)).rejects.toMatchObject({ code: 'E_STATE' })
    expect(() => cache.locate(Float64Array.of(0), 'image', roomFor(1))).toThrow('is closed')
    expect(cache.describe(0)).toBe('sample 0')
  })

  it('has the same fingerprint wherever it lies, and another one with other samples', async () => {
    const [here, there] = await Promise.all([openImageCache(path), openImageCache(join(folder, 'sound'))])
    expect(here.fingerprint).toBe(there.fingerprint)
    const first = await here.read(0)
    await buildImageCache([first], join(folder, 'one'))
    const other = await openImageCache(join(folder, 'one'))
    expect(other.fingerprint).not.toBe(here.fingerprint)
    for (const cache of [here, there, other]) await cache.close()
  })

  it('says how much of it is in memory', async () => {
    const cache = await openImageCache(path)
    cache.dropPages()
    await cache.read(0)
    expect(cache.residentShare()).toBeGreaterThan(0)
    expect(cache.residentShare()).toBeLessThanOrEqual(1)
    await cache.close()
  })

  it('keeps the numbers of other tools in their own type', async () => {
    const values = Float32Array.from({ length: 20 }, (_, i) => i / 2)
    await writeFile(join(path, 'label.npy'), Buffer.concat([npyHeader('<f4', [20]), Buffer.from(values.buffer)]))
    await editManifest((manifest) => {
      delete manifest.file_sizes
    })
    const cache = await openImageCache<{ label: Field<'number'> }>(path)
    expect(cache.schema.label).toEqual({ kind: 'number', dtype: 'float32' })
    expect((await cache.read(3, { fields: ['label'] })).label).toBe(1.5)
    await cache.close()
  })
})

describe('a hostile cache is refused in one line that names the file', () => {
  const cases: [message: string, breakIt: () => Promise<unknown>, code?: string][] = [
    ['is not an image cache: it has no manifest.json', () => rm(join(path, 'manifest.json')), 'E_NOT_FOUND'],
    ['manifest.json is not a regular file', () => pipeAt('manifest.json')],
    [
      'label.npy: is not a regular file',
      async () => {
        await pipeAt('label.npy')
        await editManifest((m) => delete m.file_sizes)
      },
    ],
    ['does not exist', () => rm(path, { recursive: true }), 'E_NOT_FOUND'],
    [
      'is not an image cache: it is a file',
      async () => {
        await rm(path, { recursive: true })
        await writeFile(path, '')
      },
      'E_NOT_FOUND',
    ],
    ['manifest.json is not JSON', () => writeFile(join(path, 'manifest.json'), '\0\0\0')],
    ['manifest.json: version', () => editManifest((m) => Object.assign(m, { version: 2 }))],
    ['manifest.json: num_samples', () => editManifest((m) => Object.assign(m, { num_samples: -1 }))],
    ['manifest.json: num_samples', () => editManifest((m) => Object.assign(m, { num_samples: 1e300 }))],
    [
      'field image has 20 samples, the cache 1000000000000',
      () => editManifest((m) => Object.assign(m, { num_samples: 1e12 })),
    ],
    ['manifest.json: no fields', () => editManifest((m) => Object.assign(m, { fields: {} }))],
    [
      'a field named "../../etc/passwd"',
      () => editManifest((m) => Object.assign(m.fields, { '../../etc/passwd': m.fields.label })),
    ],
    ['a field named ""', () => editManifest((m) => Object.assign(m.fields, { '': m.fields.label }))],
    [
      'written by a newer headrace (format 2)',
      () => editManifest((m) => Object.assign(m.headrace, { formatVersion: 2 })),
      'E_UNSUPPORTED',
    ],
    ['label.npy: has 287 bytes, but manifest.json says 288', () => truncate(join(path, 'label.npy'), 287)],
    ['image.bin: is missing', () => rm(join(path, 'image.bin'))],
    ['path.offsets.npy: is missing', () => rm(join(path, 'path.offsets.npy'))],
    ['label.npy: not an .npy file', () => edit('label.npy', (b) => b.fill(0))],
    [
      'does not hold 20 samples',
      () => edit('label.npy', () => Buffer.concat([npyHeader('<i8', [10, 2]), Buffer.alloc(160)])),
    ],
    ['does not hold 20 samples', () => edit('image.meta.npy', (b) => void b.write('data_end', b.indexOf('data_ptr')))],
    [
      'sample 5 is said to be bytes',
      () => edit('image.meta.npy', (b) => void b.writeUInt32LE(0xffffffff, 192 + 24 * 5 + 4)),
    ],
    [
      'sample 6 is said to be bytes',
      () => edit('image.meta.npy', (b) => void b.writeUInt32LE(0x7fffffff, 192 + 24 * 6 + 8)),
    ],
    [
      'sample 7 is said to be bytes',
      () => edit('path.offsets.npy', (b) => void b.writeUInt32LE(1000, 128 + 16 * 7 + 8)),
    ],
    [
      'numbers of type "|S8"',
      () => edit('label.npy', () => Buffer.concat([npyHeader('|S8', [20]), Buffer.alloc(160)])),
      'E_UNSUPPORTED',
    ],
  ]
  it.each(cases)('%s', async (message, breakIt, code) => {
    await breakIt()
    const error = await openImageCache(path).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code: code ?? 'E_CORRUPT', message: expect.stringContaining(message) })
    expect((error as Error).message).toContain(path)
    expect((error as Error).message).not.toContain('\n')
  })

  it('whatever is wrong with its tables', async () => {
    let state = 1
    const next = (n: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * n)
    }
    const tables = ['image.meta.npy', 'path.offsets.npy', 'label.npy', 'manifest.json']
    const sound = await Promise.all(tables.map((name) => readFile(join(path, name))))
    for (let round = 0; round < 300; round++) {
      const which = next(tables.length)
      const bytes = Buffer.from(sound[which] ?? '')
      for (let k = 0; k <= next(4); k++) bytes[next(Math.min(bytes.length, 400))] = next(256)
      await writeFile(join(path, tables[which] ?? ''), bytes)
      try {
        const cache = await openImageCache<Schema>(path)
        for (let id = 0; id < cache.length; id++) await cache.read(id)
        await cache.close()
      } catch (error) {
        expect(error).toBeInstanceOf(HeadraceError)
      }
      await verifyImageCache(path).catch((error) => expect(error).toBeInstanceOf(HeadraceError))
      await writeFile(join(path, tables[which] ?? ''), sound[which] ?? '')
    }
  })
})

interface Oracle {
  readonly samples: readonly {
    label: number
    weight: number
    name: string
    image?: { bytes: number; sha256: string; width: number; height: number }
  }[]
}
type SlipSchema = { image: Field<'image'>; label: Field<'number'>; weight: Field<'number'>; name: Field<'string'> }

describe("slipstream's caches", () => {
  const fixtures = fileURLToPath(new URL('../fixtures/slipcache', import.meta.url))
  const oracleOf = async (name: string): Promise<Oracle> =>
    JSON.parse(await readFile(join(fixtures, `${name}.json`), 'utf8')) as Oracle

  it('of JPEG open with the samples that slipstream has', async () => {
    const { samples } = await oracleOf('jpeg')
    const cache = await openImageCache<SlipSchema>(join(fixtures, 'jpeg'))
    expect(cache.length).toBe(24)
    expect(cache.schema).toEqual({
      image: { kind: 'image' },
      label: { kind: 'number', dtype: 'int64' },
      weight: { kind: 'number', dtype: 'float64' },
      name: { kind: 'string' },
    })
    expect(cache.encodingOf('image')).toBe('jpeg')
    const out = roomFor(24)
    cache.locate(
      Float64Array.from({ length: 24 }, (_, id) => id),
      'image',
      out,
    )
    for (const [id, { label, weight, name, image }] of samples.entries()) {
      const found = await cache.read(id)
      expect({ ...found, image: sha256(found.image as Uint8Array) }).toEqual({
        label: BigInt(label),
        weight,
        name,
        image: image?.sha256,
      })
      expect([out.size[id], out.width[id], out.height[id]]).toEqual([image?.bytes, image?.width, image?.height])
    }
    expect(cache.info).toMatchObject({ images: 24, encoding: 'jpeg', version: 'slipstream layout 1', checksums: false })
    expect(cache.describe(5)).toBe('sample 5')
    expect(cache.fingerprint).toMatch(/^tables-[0-9a-f]{64}$/)
    await cache.close()
    expect(await verifyImageCache(join(fixtures, 'jpeg'))).toMatchObject({ ok: true, images: 24, checked: 'structure' })
  })

  it('of YUV 4:2:0 open, too, and say that they are', async () => {
    const { samples } = await oracleOf('png_source')
    const copy = join(folder, 'yuv')
    await cp(join(fixtures, 'png_source'), copy, { recursive: true })
    await writeFile(join(copy, 'image.bin'), gunzipSync(await readFile(join(copy, 'image.bin.gz'))))
    const cache = await openImageCache<SlipSchema>(copy)
    expect(cache.encodingOf('image')).toBe('yuv420')
    expect(cache.info.encoding).toBe('yuv420')
    const out = roomFor(8)
    cache.locate(
      Float64Array.from({ length: 8 }, (_, id) => id),
      'image',
      out,
    )
    for (const [id, { label, weight, name }] of samples.entries()) {
      const { image, ...rest } = await cache.read(id)
      expect(rest).toEqual({ label: BigInt(label), weight, name })
      expect((image as Uint8Array).length).toBe(((out.width[id] ?? 0) * (out.height[id] ?? 0) * 3) / 2)
    }
    await cache.close()
    expect(await verifyImageCache(copy)).toMatchObject({ ok: true, checked: 'structure' })
  })

  it('have the layout that ours have, file for file', async () => {
    const slip = await openImageCache<SlipSchema>(join(fixtures, 'jpeg'))
    await buildImageCache(slip, join(folder, 'ours'))
    for (const name of ['image.bin', 'image.meta.npy', 'label.npy', 'weight.npy', 'name.bin', 'name.offsets.npy'])
      expect(
        Buffer.compare(await readFile(join(folder, 'ours', name)), await readFile(join(fixtures, 'jpeg', name))),
        name,
      ).toBe(0)
    const [ours, theirs] = await Promise.all(
      [join(folder, 'ours'), join(fixtures, 'jpeg')].map(async (at) =>
        JSON.parse(await readFile(join(at, 'manifest.json'), 'utf8')),
      ),
    )
    expect(ours).toMatchObject(theirs)
    await slip.close()
  })
})
