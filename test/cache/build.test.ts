import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { Sample, Schema } from '../../src/datasets/types.ts'
import { parseJpeg } from '../../src/formats/jpeg.ts'
import { buildImageCache, openImageCache, verifyImageCache } from '../../src/vision/cache/index.ts'
import {
  awkward,
  contentsOf,
  exists,
  ListedSamples,
  manyPictures,
  roomFor,
  SOUND,
  sha256,
  writeFolder,
} from './sources.ts'
import { temporaryFolders } from './temporary.ts'

const temporary = temporaryFolders()

/** Opens the cache and reads everything in it. */
async function samplesOf(path: string): Promise<Sample[]> {
  const cache = await openImageCache<Schema>(path)
  try {
    return await Promise.all(Array.from({ length: cache.length }, (_, id) => cache.read(id)))
  } finally {
    await cache.close()
  }
}

describe('a cache of a folder', () => {
  it('has every JPEG as it is, its pixels, its class and its path', async () => {
    const folder = await temporary()
    await writeFolder(join(folder, 'photos'), {
      'b/1.jpg': awkward('baseline_420.jpg'),
      'b/deep/2.jpg': awkward('exif_orient6_thumb.jpg'),
      'a/3.jpg': awkward('cmyk.jpg'),
      'a/4.jpg': awkward('trailing_bytes.jpg'),
      'LICENSES.md': 'all mine',
    })
    const path = join(folder, 'photos.cache')
    const report = await buildImageCache(join(folder, 'photos'), path)
    const files = await readdir(path)
    expect(files.sort()).toEqual([
      'image.bin',
      'image.crc32c.npy',
      'image.meta.npy',
      'label.npy',
      'manifest.json',
      'path.bin',
      'path.crc32c.npy',
      'path.offsets.npy',
    ])
    const sizes = await Promise.all(files.map(async (name) => (await readFile(join(path, name))).length))
    expect(report).toEqual({
      images: 4,
      bytes: sizes.reduce((a, b) => a + b, 0),
      sourceBytes: 19653 + 25593 + 54828 + 22036,
      reencoded: {},
      unpacked: {},
      skipped: [],
      ignored: ['LICENSES.md'],
      seconds: expect.any(Number),
      resumedAt: 0,
      startedOver: false,
    })
    expect((await samplesOf(path)).map(({ image, label, path }) => [sha256(image as Uint8Array), label, path])).toEqual(
      [
        [sha256(awkward('cmyk.jpg')), 0n, 'a/3.jpg'],
        [sha256(awkward('trailing_bytes.jpg')), 0n, 'a/4.jpg'],
        [sha256(awkward('baseline_420.jpg')), 1n, 'b/1.jpg'],
        [sha256(awkward('exif_orient6_thumb.jpg')), 1n, 'b/deep/2.jpg'],
      ],
    )
    const cache = await openImageCache(path)
    const out = roomFor(4)
    cache.locate(Float64Array.of(3, 0, 1, 2), 'image', out)
    expect([...out.width]).toEqual([240, 300, 320, 320])
    expect([...out.height]).toEqual([360, 200, 213, 213])
    expect([...out.size]).toEqual([25593, 54828, 22036, 19653])
    expect([...out.offset]).toEqual([54828 + 22036 + 19653, 0, 54828, 54828 + 22036])
    expect(cache.classes).toEqual(['a', 'b'])
    expect(cache.maxSize('image')).toBe(54828)
    expect([cache.describe(3), cache.describe(4), cache.describe(-1)]).toEqual([
      'b/deep/2.jpg',
      'sample 4',
      'sample -1',
    ])
    expect(cache.encodingOf('image')).toBe('jpeg')
    await cache.close()
    expect(await verifyImageCache(path)).toMatchObject({ ok: true, images: 4, checked: 'checksums', problems: [] })
  })

  it('is the same byte for byte whatever the number of workers, and each time', async () => {
    const folder = await temporary()
    await manyPictures(join(folder, 'photos'), 120, 6)
    const built: Record<string, string>[] = []
    for (const workers of [1, 2, 7, 7]) {
      const path = join(folder, 'cache')
      const { reencoded } = await buildImageCache(join(folder, 'photos'), path, { workers, maxSide: 300, force: true })
      expect(reencoded).toEqual({ jpeg: 50, png: 20 })
      built.push(await contentsOf(path))
    }
    expect(Object.keys(built[0] ?? {})).toHaveLength(8)
    for (const other of built.slice(1)) expect(other).toEqual(built[0])
  })

  it('holds no more in memory than the window, and is still the same', async () => {
    const folder = await temporary()
    await manyPictures(join(folder, 'photos'), 40, 5)
    await buildImageCache(join(folder, 'photos'), join(folder, 'wide'))
    await buildImageCache(join(folder, 'photos'), join(folder, 'narrow'), { windowBytes: 1 })
    expect(await contentsOf(join(folder, 'narrow'))).toEqual(await contentsOf(join(folder, 'wide')))
  })

  it('tells how far it is, up to the last picture', async () => {
    const folder = await temporary()
    await manyPictures(join(folder, 'photos'), 30, 3)
    const heard: number[] = []
    await buildImageCache(join(folder, 'photos'), join(folder, 'cache'), {
      onProgress: ({ images, total }) => heard.push(images, total ?? -1),
    })
    expect(heard.slice(-2)).toEqual([30, 30])
  })

  it('refuses a destination inside its source, and options that do not exist', async () => {
    const folder = await temporary()
    await writeFolder(folder, { 'a/1.jpg': awkward('gray.jpg') })
    await expect(buildImageCache(folder, join(folder, 'cache'))).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('lies inside the source'),
    })
    await expect(buildImageCache(folder, `${folder}.cache`, { maxside: 3 } as object)).rejects.toThrow(
      'buildImageCache has no option "maxside"',
    )
    await expect(buildImageCache(folder, `${folder}.cache`, { quality: 101 })).rejects.toThrow(
      'quality must be an integer from 1 to 100, but got 101',
    )
    await expect(buildImageCache(folder, `${folder}.cache`, { fields: ['picture'] })).rejects.toThrow(
      'fields names "picture", but the source has image, label, path',
    )
    expect(await exists(`${folder}.cache`)).toBe(false)
  })
})

describe('a cache of samples', () => {
  it('keeps numbers, strings and bytes', async () => {
    const folder = await temporary()
    const samples = SOUND.map((name, i) => ({
      picture: new Uint8Array(awkward(name)),
      name: `${name} – ünïcødé`,
      n: 2n ** 62n - BigInt(i),
      share: i / 3,
      raw: Uint8Array.from({ length: i }, () => i),
      empty: '',
    }))
    const report = await buildImageCache(samples, join(folder, 'cache'))
    expect(report).toMatchObject({
      images: 8,
      sourceBytes: samples.reduce((sum, { picture, raw }) => sum + picture.length + raw.length, 0),
    })
    const found = await samplesOf(join(folder, 'cache'))
    expect(found.map(({ picture, ...rest }) => ({ ...rest, picture: sha256(picture as Uint8Array) }))).toEqual(
      samples.map(({ picture, ...rest }) => ({ ...rest, picture: sha256(picture) })),
    )
    expect(JSON.parse(await readFile(join(folder, 'cache/manifest.json'), 'utf8'))).toMatchObject({
      version: 1,
      num_samples: 8,
      fields: {
        picture: { type: 'ImageBytes', num_samples: 8, max_size: Math.floor(1.2 * 78473), image_format: 'jpeg' },
        name: { type: 'str', num_samples: 8 },
        n: { type: 'int', num_samples: 8 },
        share: { type: 'float', num_samples: 8 },
        raw: { type: 'bytes', num_samples: 8, max_size: 8 },
      },
    })
    expect(await verifyImageCache(join(folder, 'cache'))).toMatchObject({ ok: true })
  })

  it('is the same from an array, a generator, tuples and a dataset read by id', async () => {
    const folder = await temporary()
    const samples = SOUND.map((name, i) => ({ image: new Uint8Array(awkward(name)), label: BigInt(i) }))
    async function* later() {
      yield* samples
    }
    const schema: Schema = { image: { kind: 'image' }, label: { kind: 'number', dtype: 'int64' } }
    await buildImageCache(samples, join(folder, '1'))
    await buildImageCache(later(), join(folder, '2'))
    await buildImageCache(
      samples.map(({ image, label }) => [image, label]),
      join(folder, '3'),
      { fieldNames: ['image', 'label'] },
    )
    const first = await contentsOf(join(folder, '1'))
    expect(await contentsOf(join(folder, '2'))).toEqual(first)
    expect(await contentsOf(join(folder, '3'))).toEqual(first)
    const listed = new ListedSamples(schema, samples)
    await buildImageCache(listed, join(folder, '4'))
    // a dataset has a fingerprint, which the manifest names
    expect({ ...(await contentsOf(join(folder, '4'))), 'manifest.json': '' }).toEqual({ ...first, 'manifest.json': '' })
    expect(listed.reads).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(listed.closed).toBe(false)
  })

  it('can be built from another cache, and from some of its fields', async () => {
    const folder = await temporary()
    await manyPictures(join(folder, 'photos'), 12, 4)
    await buildImageCache(join(folder, 'photos'), join(folder, 'first'))
    const first = await openImageCache(join(folder, 'first'))
    await buildImageCache(first, join(folder, 'second'), { fields: ['image', 'path'] })
    const second = await openImageCache<Schema>(join(folder, 'second'))
    expect(Object.keys(second.schema)).toEqual(['image', 'path'])
    for (let id = 0; id < 12; id++)
      expect(await second.read(id)).toEqual(await first.read(id, { fields: ['image', 'path'] }))
    expect(second.classes).toEqual(['a', 'b', 'c'])
    await first.close()
    await second.close()
  })

  it('takes a field for pictures if any of the first is one: the others are bad samples', async () => {
    const folder = await temporary()
    const samples = [{ image: new Uint8Array(30) }, { image: new Uint8Array(30) }, { image: awkward('gray.jpg') }]
    const report = await buildImageCache(samples, join(folder, 'cache'), { onError: 'skip' })
    expect(report).toMatchObject({ images: 1, skipped: [{ code: 'E_UNSUPPORTED' }, { code: 'E_UNSUPPORTED' }] })
    await expect(buildImageCache(samples, join(folder, 'other'))).rejects.toMatchObject({ code: 'E_UNSUPPORTED' })
  })

  it.each([
    ['label (number)', { label: 1 }, {}],
    ['image (bytes), name (string)', { image: new Uint8Array(30), name: 'x' }, {}],
    ['label (number)', { image: awkward('gray.jpg'), label: 1 }, { fields: ['label'] }],
  ])('is refused where no field holds pictures: %s', async (fields, sample, options) => {
    const folder = await temporary()
    await expect(buildImageCache([sample as Sample], join(folder, 'cache'), options)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: `no field holds pictures; fields are ${fields}`,
    })
    expect(await readdir(folder)).toEqual([])
  })

  it.each(['a\ud800', '\udc00b', '\ude00\ud83d'])('is refused for text that is not well-formed: %j', async (name) => {
    const folder = await temporary()
    const image = awkward('gray.jpg')
    const samples = [
      { image, name: '\u{1f600}' },
      { image, name },
    ]
    for (const source of [samples, new ListedSamples({ image: { kind: 'image' }, name: { kind: 'string' } }, samples)])
      await expect(buildImageCache(source, join(folder, 'cache'))).rejects.toMatchObject({
        code: 'E_USAGE',
        message: expect.stringContaining('sample 1: field name must be well-formed text'),
      })
  })

  it.each([
    ['a field named "../x" cannot be stored', { '../x': 1 }],
    ['a field named ".x" cannot be stored', { '.x': 1 }],
    ['the fields a and A would share the file A.npy', { a: 1, A: 2 }],
    ['the fields a and a.meta would share the file a.meta.npy', { a: Uint8Array.of(1), 'a.meta': 2 }],
  ])('refuses names that cannot be files: %s', async (message, sample) => {
    const folder = await temporary()
    await expect(buildImageCache([sample as unknown as Sample], join(folder, 'cache'))).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining(message),
    })
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a picture that is scaled', () => {
  it.each([
    [{ maxSide: 160 }, 160, 107],
    [{ shortSide: 100 }, 150, 100],
    [{ maxSide: 160, shortSide: 200 }, 160, 107],
    [{ maxSide: 310, shortSide: 100 }, 150, 100],
    [{ maxSide: 320 }, 320, 213],
    [{ shortSide: 4000 }, 320, 213],
    [{ maxSide: 1 }, 1, 1],
  ])('by %j is %i x %i: only ever smaller, proportions kept', async (options, width, height) => {
    const folder = await temporary()
    const names = ['baseline_420.jpg', 's444.jpg', 's422.jpg', 'png_named.jpg']
    await buildImageCache(
      names.map((name) => ({ image: awkward(name) })),
      join(folder, 'cache'),
      options,
    )
    const images = (await samplesOf(join(folder, 'cache'))).map(({ image }) => image as Uint8Array)
    const infos = images.map((image) => parseJpeg(image))
    for (const info of infos) expect([info.width, info.height]).toEqual([width, height])
    if (width === 320) {
      expect(images.slice(0, 3).map(sha256)).toEqual(names.slice(0, 3).map((name) => sha256(awkward(name))))
    } else {
      expect(infos.map(({ sampling }) => sampling)).toEqual(['4:2:0', '4:4:4', '4:4:4', '4:4:4'])
    }
  })

  it('is scaled without aliasing, and has the quality that was asked for', async () => {
    const folder = await temporary()
    // stripes of one pixel: any filter worth the name makes them gray
    const stripes = Buffer.from(
      Uint8Array.from({ length: 256 * 256 * 3 }, (_, i) => (Math.floor(i / 3) % 2 === 0 ? 0 : 255)),
    )
    const png = await sharp(stripes, { raw: { width: 256, height: 256, channels: 3 } })
      .png()
      .toBuffer()
    await buildImageCache([{ image: png }], join(folder, 'cache'), { maxSide: 64 })
    const [sample] = await samplesOf(join(folder, 'cache'))
    const pixels = await sharp(sample?.image as Uint8Array)
      .raw()
      .toBuffer()
    for (let at = 8 * 64 * 3; at < 9 * 64 * 3; at++) expect(Math.abs((pixels[at] ?? 0) - 128)).toBeLessThan(20)

    await buildImageCache([{ image: awkward('png_named.jpg') }], join(folder, 'good'), { quality: 95 })
    await buildImageCache([{ image: awkward('png_named.jpg') }], join(folder, 'poor'), { quality: 30 })
    const [good, poor] = await Promise.all(
      ['good', 'poor'].map(async (name) => (await readFile(join(folder, name, 'image.bin'))).length),
    )
    expect(good).toBeGreaterThan(3 * (poor ?? 0))
  })
})

describe('the destination', () => {
  const samples = [{ image: awkward('gray.jpg') }]

  it('is made with the folders above it', async () => {
    const folder = await temporary()
    await buildImageCache(samples, join(folder, 'x/y/cache'))
    expect(await readdir(join(folder, 'x/y'))).toEqual(['cache'])
  })

  it.skipIf(process.platform !== 'linux')('that cannot be made is an error at once', async () => {
    for (const path of ['/proc/x.cache', '/proc/x/y.cache']) {
      const error = await buildImageCache(samples, path).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'E_NOT_FOUND', message: expect.stringContaining(`building ${path}: `) })
      expect((error as Error).message).not.toContain('\n')
    }
  })

  it.each(['lock', 'journal'])('has nothing to wait for in a named pipe called %s', async (name) => {
    const folder = await temporary()
    await mkdir(join(folder, '.cache.building'))
    execFileSync('mkfifo', [join(folder, '.cache.building', name)])
    const building = buildImageCache(new ListedSamples({ image: { kind: 'image' } }, samples), join(folder, 'cache'))
    if (name === 'journal') expect((await building).images).toBe(1)
    else
      await expect(building).rejects.toMatchObject({
        code: 'E_CORRUPT',
        message: expect.stringContaining('lock is not a regular file'),
      })
  })

  it('that exists is left as it is, unless it is a cache to be replaced', async () => {
    const folder = await temporary()
    const path = join(folder, 'cache')
    await buildImageCache(samples, path)
    const before = await contentsOf(path)
    await expect(buildImageCache([{ image: awkward('s444.jpg') }], path)).rejects.toMatchObject({
      code: 'E_EXISTS',
      message: `${path} exists already`,
    })
    expect(await contentsOf(path)).toEqual(before)
    await buildImageCache([{ image: awkward('s444.jpg') }], path, { force: true })
    expect(sha256(await readFile(join(path, 'image.bin')))).toBe(sha256(awkward('s444.jpg')))
    expect(await readdir(folder)).toEqual(['cache'])
  })

  it('that is something else is never replaced', async () => {
    const folder = await temporary()
    await writeFolder(folder, { 'precious/thesis.txt': 'years of work', file: 'text' })
    await mkdir(join(folder, 'empty'))
    for (const name of ['precious', 'file'])
      await expect(buildImageCache(samples, join(folder, name), { force: true })).rejects.toMatchObject({
        code: 'E_EXISTS',
        message: expect.stringContaining('is not an image cache'),
      })
    await expect(buildImageCache(samples, join(folder, 'file/cache'))).rejects.toMatchObject({
      code: 'E_EXISTS',
      message: `${folder}/file/cache cannot be made: a part of that path is a file`,
    })
    await symlink('empty', join(folder, 'link'))
    await expect(buildImageCache(samples, join(folder, 'link'), { force: true })).rejects.toMatchObject({
      code: 'E_EXISTS',
      message: `${folder}/link is a symbolic link: it is left as it is`,
    })
    await buildImageCache(samples, join(folder, 'empty'))
    expect(await exists(join(folder, 'empty/manifest.json'))).toBe(true)
    expect((await readdir(folder)).sort()).toEqual(['empty', 'file', 'link', 'precious'])
  })

  it('is put back where a build died while it replaced it', async () => {
    const folder = await temporary()
    const path = join(folder, 'cache')
    await buildImageCache(samples, path)
    const before = await contentsOf(path)
    const { rename } = await import('node:fs/promises')
    await mkdir(join(folder, '.cache.building'))
    await rename(path, join(folder, '.cache.building/replaced'))
    await expect(buildImageCache(samples, path)).rejects.toMatchObject({ code: 'E_EXISTS' })
    expect(await contentsOf(path)).toEqual(before)
  })

  it('gets nothing from a build without a single good sample', async () => {
    const folder = await temporary()
    const bad = new ListedSamples({ image: { kind: 'image' } }, [
      { image: awkward('text.jpg') },
      { image: awkward('empty.jpg') },
    ])
    await expect(buildImageCache(bad, join(folder, 'cache'), { onError: 'skip' })).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: 'no samples to store: all 2 were left out; the first, listed/0: not a picture of a known type',
    })
    expect(await exists(join(folder, 'cache'))).toBe(false)
  })

  it('may have letters that mean something in URLs', async () => {
    const folder = await temporary()
    await writeFolder(join(folder, 'a%41 b#c?d'), { 'x/1.jpg': awkward('gray.jpg') })
    await writeFile(join(folder, 'aA'), '')
    const { images } = await buildImageCache(join(folder, 'a%41 b#c?d'), join(folder, 'cache %20'))
    expect(images).toBe(1)
  })
})
