import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { Schema } from '../../src/datasets/types.ts'
import {
  buildImageCache,
  exportImageCache,
  imageCacheInfo,
  openImageCache,
  verifyImageCache,
} from '../../src/vision/cache/index.ts'
import { decodeOne } from '../vision/decode-one.ts'
import { type Planes, planesOf } from '../vision/planes.ts'
import { awkward, contentsOf, exists, manyPictures, roomFor, sha256, writeFolder } from './sources.ts'
import { temporaryFolders } from './temporary.ts'

const temporary = temporaryFolders()
const slipstreams = fileURLToPath(new URL('../fixtures/slipcache/', import.meta.url))

/** The planes of every sample, with the sides that the table says. */
async function planesIn(path: string): Promise<Planes[]> {
  const cache = await openImageCache<Schema>(path)
  const ids = Float64Array.from({ length: cache.length }, (_, id) => id)
  const out = roomFor(cache.length)
  cache.locate(ids, 'image', out)
  const samples = await Promise.all([...ids].map((id) => cache.read(id, { fields: ['image'] })))
  await cache.close()
  return samples.map(({ image }, id) => ({
    bytes: image as Uint8Array,
    width: out.width[id] as number,
    height: out.height[id] as number,
  }))
}

async function built(names: readonly string[], options: object = {}): Promise<Planes[]> {
  const path = join(await temporary(), 'cache')
  await buildImageCache(
    names.map((name) => ({ image: awkward(name) })),
    path,
    { encoding: 'yuv420', ...options },
  )
  return planesIn(path)
}

/** The pixels of a JPEG of the awkward set. */
async function rgbOf(name: string, width: number, height: number, options: object = {}): Promise<Uint8Array> {
  const { bytes, faults } = await decodeOne(awkward(name), width, height, options)
  expect(faults).toEqual([])
  return bytes
}

/** JPEGs whose samples are those of the planes. */
const SAME_SAMPLES = [
  ['baseline_420.jpg', 320, 213],
  ['progressive.jpg', 320, 213],
  ['restart_row.jpg', 320, 213],
  ['noninterleaved.jpg', 320, 213],
  ['arithmetic.jpg', 320, 213],
  ['odd_333x251.jpg', 333, 251],
  ['odd_17x9.jpg', 17, 9],
  ['tiny_1x1.jpg', 1, 1],
  ['gray.jpg', 256, 256],
] as const

describe('a cache of planes', () => {
  it.each(SAME_SAMPLES)("of %s decodes to the JPEG's own pixels, bit for bit", async (name, width, height) => {
    const [planes] = (await built([name])) as [Planes]
    expect([planes.width, planes.height]).toEqual([width + (width % 2), height + (height % 2)])
    const clip = { x: 0, y: 0, width, height }
    const options = { encoding: 'yuv420', clip } as const
    const { bytes, faults } = await decodeOne(planes.bytes, planes.width, planes.height, options)
    expect(faults).toEqual([])
    expect(Buffer.compare(bytes, await rgbOf(name, width, height))).toBe(0)
  })

  it('repeats the last column and the last row of brightness of a JPEG with odd sides', async () => {
    const [{ bytes, width, height }] = (await built(['odd_17x9.jpg'])) as [Planes]
    expect([width, height, bytes.length]).toEqual([18, 10, 270])
    const luma = (x: number, y: number) => bytes[y * width + x]
    for (let y = 0; y < height; y++) expect(luma(17, y)).toBe(luma(16, y))
    for (let x = 0; x < width; x++) expect(luma(x, 9)).toBe(luma(x, 8))
  })

  it('of other JPEGs has what their pixels round to', async () => {
    for (const [name, width, height] of [
      ['s444.jpg', 320, 213],
      ['s422.jpg', 320, 213],
      ['cmyk.jpg', 300, 200],
    ] as const) {
      const [planes] = await built([name])
      expect(planes, name).toEqual(planesOf(await rgbOf(name, width, height), width, height, 'nearest'))
    }
  })

  it('of other types has what their pixels round to, without a JPEG in between', async () => {
    const pixels = await sharp(awkward('png_named.jpg')).removeAlpha().raw().toBuffer({ resolveWithObject: true })
    const { width, height } = pixels.info
    const [planes] = await built(['png_named.jpg'])
    expect(planes).toEqual(planesOf(pixels.data, width, height, 'nearest'))
    const [compat] = await built(['png_named.jpg'], { compat: 'slipstream' })
    expect(compat).toEqual(planesOf(pixels.data, width, height, 'truncate'))
    // gray with alpha: three equal channels, no colour
    const [gray] = (await built(['gray_alpha.png'])) as [Planes]
    const luma = gray.width * gray.height
    expect(gray.bytes.subarray(luma).every((value) => value === 128)).toBe(true)
  })

  it('of pictures that are scaled has what the scaled pixels round to', async () => {
    const { data, info } = await sharp(awkward('baseline_420.jpg'))
      .resize(100, 67, { fit: 'fill', kernel: 'lanczos3', fastShrinkOnLoad: false })
      .raw()
      .toBuffer({ resolveWithObject: true })
    const [planes] = await built(['baseline_420.jpg'], { maxSide: 100 })
    expect(planes).toEqual(planesOf(data, info.width, info.height, 'nearest'))
    expect([planes?.width, planes?.height]).toEqual([100, 68])
  })

  it('says in its manifest what it is, and is sound', async () => {
    const folder = await temporary()
    await writeFolder(join(folder, 'photos'), {
      'a/1.jpg': awkward('baseline_420.jpg'),
      'a/2.jpg': awkward('png_named.jpg'),
      'b/3.jpg': awkward('odd_17x9.jpg'),
    })
    const path = join(folder, 'cache')
    const report = await buildImageCache(join(folder, 'photos'), path, { encoding: 'yuv420' })
    expect(report).toMatchObject({ images: 3, reencoded: { png: 1 }, skipped: [] })
    const planes = await planesIn(path)
    const largest = Math.max(...planes.map(({ bytes }) => bytes.length))
    const manifest = JSON.parse(await readFile(join(path, 'manifest.json'), 'utf8'))
    expect(manifest.fields.image).toEqual({
      type: 'ImageBytes',
      num_samples: 3,
      max_size: Math.floor(largest * 1.2),
      image_format: 'yuv420',
    })
    expect(manifest.headrace).toMatchObject({
      encoding: 'yuv420',
      options: { encoding: 'yuv420', tolerant: false, validate: 'structure', maxPixels: 178956970 },
      reencoded: { png: 1 },
    })
    expect(manifest.headrace.options).not.toHaveProperty('quality')
    expect(await imageCacheInfo(path)).toMatchObject({
      encoding: 'yuv420',
      fields: { image: { kind: 'image', encoding: 'yuv420', maxSize: largest } },
    })
    expect(await verifyImageCache(path)).toMatchObject({ ok: true, images: 3, checked: 'checksums' })
  })

  it('is the same byte for byte whatever the number of workers', async () => {
    const folder = await temporary()
    await manyPictures(join(folder, 'photos'), 40, 6)
    const made: Record<string, string>[] = []
    for (const workers of [1, 5]) {
      const path = join(folder, 'cache')
      await buildImageCache(join(folder, 'photos'), path, { encoding: 'yuv420', workers, force: true })
      made.push(await contentsOf(path))
    }
    expect(made[1]).toEqual(made[0])
  })

  it('is the same from a cache of packed coefficients as from the JPEG files', async () => {
    const folder = await temporary()
    await manyPictures(join(folder, 'photos'), 16, 100)
    await buildImageCache(join(folder, 'photos'), join(folder, 'dct'), { encoding: 'dct' })
    await buildImageCache(join(folder, 'dct'), join(folder, 'from-dct'), { encoding: 'yuv420' })
    await buildImageCache(join(folder, 'photos'), join(folder, 'from-jpeg'), { encoding: 'yuv420' })
    const [fromDct, fromJpeg] = await Promise.all(
      ['from-dct', 'from-jpeg'].map((name) => contentsOf(join(folder, name))),
    )
    expect(fromDct?.['image.bin']).toBe(fromJpeg?.['image.bin'])
    expect(fromDct?.['image.meta.npy']).toBe(fromJpeg?.['image.meta.npy'])
  })

  it('takes no damaged JPEG file, whose planes could not tell', async () => {
    for (const compat of [undefined, 'slipstream'])
      for (const name of ['truncated_60.jpg', 'corrupt_entropy.jpg', 'truncated_progressive.jpg'])
        await expect(built([name], compat ? { compat } : {}), name).rejects.toMatchObject({ code: 'E_CORRUPT' })
    await expect(built(['baseline_420.jpg'], { maxPixels: 320 * 213 - 1 })).rejects.toMatchObject({ code: 'E_LIMIT' })
  })

  it('refuses options that mean nothing to it, and what is meant for it alone', async () => {
    const path = join(await temporary(), 'cache')
    const attempt = (options: object) => buildImageCache([{ image: awkward('gray.jpg') }], path, options)
    await expect(attempt({ compat: 'slipstream' })).rejects.toThrow(
      "compat needs the encoding 'yuv420', but got 'jpeg'",
    )
    await expect(attempt({ encoding: 'yuv420', compat: 'ffcv' })).rejects.toThrow('compat must be')
    await expect(attempt({ encoding: 'yuv420', quality: 90 })).rejects.toThrow(
      "quality is that of JPEG, of which the encoding 'yuv420' makes none",
    )
    await expect(attempt({ encoding: 'yuv420', tolerant: true })).rejects.toThrow(
      "tolerant keeps damaged JPEG files, of which the encoding 'yuv420' keeps none",
    )
    await expect(attempt({ encoding: 'yuv420', compact: true })).rejects.toThrow(
      "compact needs the encoding 'dct', but got 'yuv420'",
    )
    expect(await exists(path)).toBe(false)
  })

  it('is no source of pictures: neither of caches nor of files', async () => {
    const folder = await temporary()
    const path = join(folder, 'cache')
    await buildImageCache([{ image: awkward('gray.jpg') }], path, { encoding: 'yuv420' })
    const refusal = {
      code: 'E_UNSUPPORTED',
      message: `${path}: field image is stored as planes of YUV 4:2:0, of which no image files can be made`,
    }
    for (const encoding of ['jpeg', 'dct', 'yuv420'] as const)
      await expect(buildImageCache(path, join(folder, 'other'), { encoding, onError: 'skip' })).rejects.toMatchObject(
        refusal,
      )
    await expect(exportImageCache(path, join(folder, 'files'))).rejects.toMatchObject(refusal)
    expect(await readdir(folder)).toEqual(['cache'])
  })
})

describe("slipstream's bytes", () => {
  it('are made of its JPEG cache with compat, file for file', async () => {
    const path = join(await temporary(), 'cache')
    await buildImageCache(join(slipstreams, 'jpeg'), path, { encoding: 'yuv420', compat: 'slipstream' })
    // of the sidecar that slipstream 0.4.0 wrote beside it, image_yuv420.bin and image_yuv420.meta.npy
    expect(sha256(await readFile(join(path, 'image.bin')))).toBe(
      'bf84f5f2ba1f71ed1dc833cea790233eea1077f8b178c864bf7a85eeeeacaa8b',
    )
    expect(sha256(await readFile(join(path, 'image.meta.npy')))).toBe(
      '810f6ac4e880680d55e14ddc1a8a75fbc0e91f4eadfab290f11e2e0e4402a419',
    )
  })

  it('are made of PNG files with compat, in the files of its own cache', async () => {
    const folder = await temporary()
    const jpegs = await openImageCache<Schema>(join(slipstreams, 'jpeg'))
    const room = roomFor(8)
    jpegs.locate(Float64Array.of(0, 1, 2, 3, 4, 5, 6, 7), 'image', room)
    const samples = []
    for (let id = 0; id < 8; id++) {
      const { image, ...others } = await jpegs.read(id)
      const [width, height] = [room.width[id] as number, room.height[id] as number]
      const { bytes } = await decodeOne(image as Uint8Array, width, height)
      samples.push({
        image: await sharp(bytes, { raw: { width, height, channels: 3 } })
          .png()
          .toBuffer(),
        ...others,
      })
    }
    await jpegs.close()
    const path = join(folder, 'ours')
    await buildImageCache(samples, path, { encoding: 'yuv420', compat: 'slipstream' })
    const theirs = join(folder, 'theirs')
    await mkdir(theirs)
    const names = ['image.meta.npy', 'label.npy', 'weight.npy', 'name.bin', 'name.offsets.npy', 'manifest.json']
    for (const name of names) await copyFile(join(slipstreams, 'png_source', name), join(theirs, name))
    for (const name of names.slice(0, -1))
      expect(Buffer.compare(await readFile(join(path, name)), await readFile(join(theirs, name))), name).toBe(0)
    const bytes = gunzipSync(await readFile(join(slipstreams, 'png_source', 'image.bin.gz')))
    expect(Buffer.compare(await readFile(join(path, 'image.bin')), bytes)).toBe(0)
    const [ours, written] = await Promise.all(
      [path, theirs].map(async (at) => JSON.parse(await readFile(join(at, 'manifest.json'), 'utf8'))),
    )
    expect(ours).toMatchObject(written)
  })
})
