import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Schema } from '../../src/datasets/types.ts'
import {
  type BuildOptions,
  type BuildReport,
  buildImageCache,
  exportImageCache,
  imageCacheInfo,
  openImageCache,
  verifyImageCache,
} from '../../src/vision/cache/index.ts'
import { centerCrop, decode, load, randomHorizontalFlip, randomResizedCrop } from '../../src/vision/index.ts'
import type { ImageOperation } from '../../src/vision/operations/index.ts'
import { awkward, contentsOf, exists, ListedSamples, manyPictures, sha256, writeFolder } from './sources.ts'
import { temporaryFolders } from './temporary.ts'

const temporary = temporaryFolders()

/** Every kind that is packed, and two that are not. */
const KINDS = [
  'baseline_420.jpg',
  'gray.jpg',
  'progressive.jpg',
  's411.jpg',
  's422.jpg',
  's440.jpg',
  's444.jpg',
  'odd_17x9.jpg',
  'odd_333x251.jpg',
  'restart_row.jpg',
  'tall_1x2000.jpg',
  'tiny_1x1.jpg',
  'wide_2000x1.jpg',
  'quality100_444.jpg',
  'cmyk.jpg',
  'arithmetic.jpg',
  'webp.webp',
]

async function kinds(folder: string): Promise<string> {
  const source = join(folder, 'photos')
  await writeFolder(source, Object.fromEntries(KINDS.map((name) => [`a/${name}`, awkward(name)])))
  return source
}

const FORMS: readonly (readonly [string, BuildOptions])[] = [
  ['plain', { encoding: 'dct' }],
  ['compact', { encoding: 'dct', compact: true }],
]

async function pixels(path: string, image: readonly ImageOperation[], threads = 2): Promise<string[]> {
  const cache = await openImageCache(path)
  const loader = load(cache, { batchSize: 5, shuffle: true, seed: 3, threads, fields: ['image'], image })
  const sums: string[] = []
  for await (const batch of loader)
    sums.push(sha256(new Uint8Array(batch.image.data.buffer, batch.image.data.byteOffset, batch.image.data.byteLength)))
  loader.close()
  await cache.close()
  return sums
}

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 0x40]), 0, 1, at)
  await file.close()
}

describe('a cache of packed coefficients', () => {
  it('packs what can be packed and says what stays a JPEG, and why', async () => {
    const folder = await temporary()
    const source = await kinds(folder)
    const path = join(folder, 'dct')
    const report = await buildImageCache(source, path, { encoding: 'dct' })
    expect(report).toMatchObject({
      images: KINDS.length,
      reencoded: { webp: 1 },
      unpacked: { 'arithmetic coding': 1, 'components that are not Y, Cb, Cr': 1 },
      skipped: [],
    } satisfies Partial<BuildReport>)
    expect((await readdir(path)).sort()).toEqual([
      'image.bin',
      'image.crc32c.npy',
      'image.meta.npy',
      'label.npy',
      'manifest.json',
      'path.bin',
      'path.crc32c.npy',
      'path.offsets.npy',
    ])
    const info = await imageCacheInfo(path)
    expect(info).toMatchObject({
      encoding: 'dct',
      unpacked: report.unpacked,
      fields: { image: { encoding: 'dct', form: 'plain' } },
      options: { encoding: 'dct' },
    })
    const cache = await openImageCache(path)
    const starts = new Map<string, number>()
    for (let id = 0; id < cache.length; id++) {
      const { image } = await cache.read(id)
      const start = Buffer.from(image as Uint8Array).toString('latin1', 0, 2)
      starts.set(start, (starts.get(start) ?? 0) + 1)
    }
    await cache.close()
    expect(starts).toEqual(
      new Map([
        ['HD', KINDS.length - 2],
        ['\xff\xd8', 2],
      ]),
    )
    expect(await verifyImageCache(path)).toMatchObject({ ok: true, checked: 'checksums', images: KINDS.length })
  })

  it.each(FORMS)('gives the batches of the JPEG cache, byte for byte: %s', async (_, options) => {
    const folder = await temporary()
    const source = await kinds(folder)
    await buildImageCache(source, join(folder, 'jpeg'))
    await buildImageCache(source, join(folder, 'dct'), options)
    const pipelines: readonly (readonly ImageOperation[])[] = [
      [decode()],
      [randomResizedCrop(64), randomHorizontalFlip()],
      [centerCrop(32, { ratio: 1 })],
    ]
    for (const image of pipelines) {
      const expected = await pixels(join(folder, 'jpeg'), image)
      expect(await pixels(join(folder, 'dct'), image)).toEqual(expected)
      expect(await pixels(join(folder, 'dct'), image, 1)).toEqual(expected)
    }
  })

  it.each(FORMS)('unpacks a picture once for several views: %s', async (_, options) => {
    const folder = await temporary()
    const source = await kinds(folder)
    await buildImageCache(source, join(folder, 'jpeg'))
    await buildImageCache(source, join(folder, 'dct'), options)
    const views = { a: [randomResizedCrop(48)], b: [randomResizedCrop(20), randomHorizontalFlip()] }
    const batches = await Promise.all(
      ['jpeg', 'dct'].map(async (name) => {
        const cache = await openImageCache(join(folder, name))
        const loader = load(cache, { batchSize: KINDS.length, seed: 5, fields: ['image'], views })
        let found: readonly Uint8Array[] = []
        for await (const { image } of loader) found = [image.a.data.slice(), image.b.data.slice()]
        loader.close()
        await cache.close()
        return found
      }),
    )
    expect(batches[0]?.map((data) => data.length)).toEqual([17 * 48 * 48 * 3, 17 * 20 * 20 * 3])
    expect(batches[1]?.map(sha256)).toEqual(batches[0]?.map(sha256))
  })

  it('is the same from a folder, from a JPEG cache, and from a compact one that was made of it', async () => {
    const folder = await temporary()
    const source = await kinds(folder)
    const place = (name: string): string => join(folder, name)
    await buildImageCache(source, place('jpeg'))
    await buildImageCache(source, place('dct'), { encoding: 'dct' })
    await buildImageCache(place('jpeg'), place('from-jpeg'), { encoding: 'dct' })
    await buildImageCache(place('dct'), place('compact'), { encoding: 'dct', compact: true })
    await buildImageCache(place('compact'), place('again'), { encoding: 'dct' })
    const bin = async (name: string): Promise<string> => sha256(await readFile(join(place(name), 'image.bin')))
    expect(await bin('from-jpeg')).toBe(await bin('dct'))
    expect(await bin('again')).toBe(await bin('dct'))
    const cache = await openImageCache(place('again'))
    expect(cache.classes).toEqual(['a'])
    expect(cache.describe(0)).toBe('a/arithmetic.jpg')
    await cache.close()
  })

  it.each(FORMS)('has the same files for every worker count, and after an interruption: %s', async (_, options) => {
    const folder = await temporary()
    await manyPictures(join(folder, 'photos'), 300, 50)
    await buildImageCache(join(folder, 'photos'), join(folder, 'one'), { ...options, workers: 1 })
    await buildImageCache(join(folder, 'photos'), join(folder, 'four'), { ...options, workers: 4 })
    const whole = await contentsOf(join(folder, 'one'))
    expect(await contentsOf(join(folder, 'four'))).toEqual(whole)

    const stop = new AbortController()
    const stopping = { ...options, windowBytes: 1, signal: stop.signal }
    const onProgress = ({ images }: { readonly images: number }): void => {
      if (images >= 120) stop.abort(new Error('stopped by hand'))
    }
    const built = buildImageCache(join(folder, 'photos'), join(folder, 'twice'), { ...stopping, onProgress })
    await built.catch((error: unknown) => expect(error).toMatchObject({ code: 'E_CANCELLED' }))
    if (!(await exists(join(folder, 'twice')))) {
      const report = await buildImageCache(join(folder, 'photos'), join(folder, 'twice'), options)
      expect(report.resumedAt).toBeGreaterThan(0)
    }
    expect(await contentsOf(join(folder, 'twice'))).toEqual(whole)
  })

  it('starts over where it learns other frequencies than the build that was interrupted', async () => {
    const folder = await temporary()
    const [gray, colour] = ['gray.jpg', 'quality100_444.jpg'].map((name) => new Uint8Array(awkward(name)))
    const noise = new Uint8Array(1_000_000)
    const schema: Schema = { image: { kind: 'image' }, noise: { kind: 'bytes' } }
    const samples = Array.from({ length: 24 }, (_, i) => ({
      image: (i % 2 === 0 ? gray : colour) as Uint8Array,
      noise,
    }))
    const source = new ListedSamples(schema, samples)
    const options = { encoding: 'dct', compact: true, workers: 1 } as const
    const read = source.read.bind(source)
    const stop = new AbortController()
    // no colour picture can be read while it learns; then the build stops half way
    let reads = 0
    source.read = (id) => {
      if (reads++ < samples.length) return id % 2 === 0 ? read(id) : Promise.reject(new Error('not now'))
      if (id >= 18) stop.abort(new Error('stopped by hand'))
      return read(id)
    }
    const stopped = buildImageCache(source, join(folder, 'twice'), { ...options, signal: stop.signal })
    await expect(stopped).rejects.toMatchObject({ code: 'E_CANCELLED' })
    source.read = read
    const report = await buildImageCache(source, join(folder, 'twice'), options)
    expect(report).toMatchObject({ images: 24, resumedAt: 0, startedOver: true })
    await buildImageCache(source, join(folder, 'once'), options)
    expect(await contentsOf(join(folder, 'twice'))).toEqual(await contentsOf(join(folder, 'once')))
    const cache = await openImageCache<Schema>(join(folder, 'twice'))
    const loader = load(cache, { image: [decode()], fields: ['image'] })
    for await (const _batch of loader);
    expect(loader.report().faults).toEqual([])
    loader.close()
    await cache.close()
  })

  it("decodes what stays a JPEG where that is asked for: validate: 'decode'", async () => {
    const folder = await temporary()
    const damaged = awkward('cmyk.jpg')
    damaged.fill(0xaa, damaged.length - 600, damaged.length - 100)
    await writeFolder(join(folder, 'photos'), { 'a/1.jpg': damaged, 'a/2.jpg': awkward('baseline_420.jpg') })
    const options = { encoding: 'dct', onError: 'skip' } as const
    const trusting = await buildImageCache(join(folder, 'photos'), join(folder, 'structure'), options)
    expect(trusting).toMatchObject({ images: 2, skipped: [] })
    const looking = await buildImageCache(join(folder, 'photos'), join(folder, 'decode'), {
      ...options,
      validate: 'decode',
    })
    expect(looking).toMatchObject({ images: 1, skipped: [{ key: 'a/1.jpg', code: 'E_CORRUPT' }] })
  })

  it('refuses what makes no sense', async () => {
    const folder = await temporary()
    const source = await kinds(folder)
    const place = join(folder, 'dct')
    await expect(buildImageCache(source, place, { compact: true })).rejects.toThrow(
      "compact needs the encoding 'dct', but got 'jpeg'",
    )
    const stream = [{ image: new Uint8Array(awkward('gray.jpg')) }]
    await expect(buildImageCache(stream, place, { encoding: 'dct', compact: true })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('a stream cannot give'),
    })
    await buildImageCache(source, place, { encoding: 'dct' })
    const cache = await openImageCache(place)
    expect(() => load(cache, { image: [decode({ dct: 'ifast' })] })).toThrow("have no decode({ dct: 'ifast' })")
    expect(() => load(cache, { image: [decode({ fancyUpsampling: false })] })).toThrow('fancyUpsampling: false')
    await cache.close()
  })

  it('leaves a damaged JPEG out, or keeps it where damage is tolerated', async () => {
    const folder = await temporary()
    await writeFolder(join(folder, 'photos'), {
      'a/1.jpg': awkward('baseline_420.jpg'),
      'a/2.jpg': awkward('corrupt_entropy.jpg'),
    })
    const source = join(folder, 'photos')
    await expect(buildImageCache(source, join(folder, 'throw'), { encoding: 'dct' })).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: 'a/2.jpg: Corrupt JPEG data: premature end of data segment',
    })
    const skipped = await buildImageCache(source, join(folder, 'skip'), { encoding: 'dct', onError: 'skip' })
    expect(skipped).toMatchObject({ images: 1, skipped: [{ key: 'a/2.jpg', code: 'E_CORRUPT' }] })
    const kept = await buildImageCache(source, join(folder, 'tolerant'), { encoding: 'dct', tolerant: true })
    expect(kept).toMatchObject({ images: 2, unpacked: { damaged: 1 } })
  })
})

describe('damage to packed coefficients', () => {
  it.each(FORMS)('is found by verify, and named by the loader or skipped: %s', async (_, options) => {
    const folder = await temporary()
    await writeFolder(join(folder, 'photos'), {
      'a/1.jpg': awkward('baseline_420.jpg'),
      'a/2.jpg': awkward('s444.jpg'),
    })
    const path = join(folder, 'dct')
    await buildImageCache(join(folder, 'photos'), path, options)
    const { size } = await stat(join(path, 'image.bin'))
    await flip(join(path, 'image.bin'), size - 5000)
    const { ok, problems } = await verifyImageCache(path)
    expect(ok).toBe(false)
    expect(problems).toMatchObject([{ file: 'image.bin', sample: 1, key: 'a/2.jpg' }])

    const cache = await openImageCache(path)
    await flip(join(path, 'image.bin'), 5) // the form of the first sample
    const throwing = load(cache, { image: [decode()] })
    const reading = (async () => {
      for await (const _batch of throwing);
    })()
    await expect(reading).rejects.toMatchObject({ code: 'E_CORRUPT', message: expect.stringContaining('a/1.jpg') })
    throwing.close()
    const skipping = load(cache, { image: [decode()], onError: 'skip' })
    for await (const _batch of skipping);
    expect(skipping.report().faults[0]).toMatchObject({ code: 'E_CORRUPT' })
    skipping.close()
    await cache.close()
  })

  it('to the frequencies of the compact form is found by open and by verify', async () => {
    const folder = await temporary()
    const path = join(folder, 'dct')
    await writeFolder(join(folder, 'photos'), { 'a/1.jpg': awkward('baseline_420.jpg') })
    await buildImageCache(join(folder, 'photos'), path, { encoding: 'dct', compact: true })
    const file = join(path, 'image.rans.npy')
    expect(await readdir(path)).toContain('image.rans.npy')
    const { size } = await stat(file)
    expect(size).toBe(128 + 16 * 256 * 2)
    await flip(file, size - 2)
    await expect(openImageCache(path)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: expect.stringContaining('the frequencies of context 15'),
    })
    expect(await verifyImageCache(path)).toMatchObject({ ok: false, problems: [{ file: 'image.rans.npy' }] })
  })
})

describe('exporting a cache', () => {
  it('writes JPEG files with the pixels of the pictures, each at its path', async () => {
    const folder = await temporary()
    const source = await kinds(folder)
    await buildImageCache(source, join(folder, 'compact'), { encoding: 'dct', compact: true })
    const report = await exportImageCache(join(folder, 'compact'), join(folder, 'out'))
    expect(report.images).toBe(KINDS.length)
    expect((await readdir(join(folder, 'out', 'a'))).sort()).toEqual(
      KINDS.map((name) => (name.endsWith('.jpg') ? name : `${name}.jpg`)).sort(),
    )
    expect(sha256(await readFile(join(folder, 'out', 'a', 'cmyk.jpg')))).toBe(sha256(awkward('cmyk.jpg')))
    await buildImageCache(join(folder, 'out'), join(folder, 'back'))
    const crop = [randomResizedCrop(64)]
    expect(await pixels(join(folder, 'back'), crop)).toEqual(await pixels(join(folder, 'compact'), crop))
  })

  it('numbers pictures without paths, and refuses a folder with something in it', async () => {
    const folder = await temporary()
    const schema: Schema = { image: { kind: 'image' } }
    const samples = new ListedSamples(schema, [{ image: new Uint8Array(awkward('gray.jpg')) }])
    await buildImageCache(samples, join(folder, 'cache'))
    await exportImageCache(join(folder, 'cache'), join(folder, 'out'))
    expect(await readdir(join(folder, 'out'))).toEqual(['00000000.jpg'])
    await expect(exportImageCache(join(folder, 'cache'), join(folder, 'out'))).rejects.toMatchObject({
      code: 'E_EXISTS',
    })
  })
})
