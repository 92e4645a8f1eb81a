import { createHash } from 'node:crypto'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { npyHeader } from '../../src/formats/npy.ts'
import { BLOB_ROW } from '../../src/vision/cache/layout.ts'
import {
  centerCrop,
  decode,
  type ImageCache,
  type LoadOptions,
  load,
  openImageCache,
  randomHorizontalFlip,
  randomResizedCrop,
} from '../../src/vision/index.ts'
import { temporaryFolders } from '../cache/temporary.ts'
import { decodeOne } from './decode-one.ts'
import { rgbOf } from './planes.ts'

const temporary = temporaryFolders()

/** Seeded bytes, so that a failure can be looked at. */
function noise(bytes: number, seed: number): Uint8Array {
  let state = seed
  return Uint8Array.from({ length: bytes }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}

/** Sides, in pixels: the smallest there are, chroma that is not filtered, rows around the length of a register. */
const SIZES = [
  [2, 2],
  [4, 6],
  [6, 4],
  [6, 2],
  [62, 10],
  [64, 6],
  [66, 8],
  [128, 4],
  [130, 12],
  [318, 34],
] as const

describe('planes of YUV 4:2:0', () => {
  it.each(SIZES)('of %i x %i pixels become RGB as the format says', async (width, height) => {
    const bytes = noise((width * height * 3) / 2, width * 31 + height)
    for (const fancyUpsampling of [true, false]) {
      const found = await decodeOne(bytes, width, height, { encoding: 'yuv420', fancyUpsampling })
      expect(found.faults).toEqual([])
      const wanted = rgbOf({ bytes, width, height }, fancyUpsampling ? 'fancy' : 'repeated')
      expect(Buffer.compare(found.bytes, wanted), `fancyUpsampling: ${fancyUpsampling}`).toBe(0)
    }
  })

  it.each(SIZES)('of %i x %i pixels have the same pixels in any crop', async (width, height) => {
    const bytes = noise((width * height * 3) / 2, width * 37 + height)
    const places = noise(4 * 60, 5)
    for (const fancyUpsampling of [true, false]) {
      const whole = rgbOf({ bytes, width, height }, fancyUpsampling ? 'fancy' : 'repeated')
      for (let k = 0; k < 60; k++) {
        const [a = 0, b = 0, c = 0, d = 0] = places.subarray(4 * k)
        const w = 1 + Math.floor((a / 256) * width)
        const h = 1 + Math.floor((b / 256) * height)
        const x = Math.floor((c / 256) * (width - w + 1))
        const y = Math.floor((d / 256) * (height - h + 1))
        const clip = { x, y, width: w, height: h }
        const found = await decodeOne(bytes, width, height, { encoding: 'yuv420', fancyUpsampling, clip })
        for (let row = 0; row < h; row++) {
          const wanted = whole.subarray(((y + row) * width + x) * 3, ((y + row) * width + x + w) * 3)
          if (Buffer.compare(found.bytes.subarray(row * w * 3, (row + 1) * w * 3), wanted) !== 0)
            expect.fail(`row ${row} of crop ${JSON.stringify(clip)} differs`)
        }
      }
    }
  })

  it('are refused where they are not exactly as many bytes as pixels need, or sides are odd', async () => {
    const faultOf = async (bytes: number, width: number, height: number, options = {}) => {
      const { faults, bytes: pixels } = await decodeOne(noise(bytes, 1), width, height, {
        encoding: 'yuv420',
        ...options,
      })
      expect(pixels.every((value) => value === 0)).toBe(true)
      return faults
    }
    const wrong = (bytes: number) => [
      {
        row: 0,
        code: 'E_CORRUPT',
        lasting: true,
        reason: `${bytes} bytes are not 8x6 pixels of YUV 4:2:0, which are 72`,
      },
    ]
    expect(await faultOf(71, 8, 6)).toEqual(wrong(71))
    expect(await faultOf(73, 8, 6, { tolerant: true })).toEqual(wrong(73))
    expect(await faultOf(0, 8, 6)).toEqual(wrong(0))
    for (const [width, height] of [
      [7, 6],
      [8, 5],
    ] as const)
      expect(await faultOf(72, width, height)).toEqual([
        {
          row: 0,
          code: 'E_CORRUPT',
          lasting: true,
          reason: `the metadata say ${width}x${height} pixels, but both sides of YUV 4:2:0 are even`,
        },
      ])
    expect(await faultOf(72, 8, 6, { maxPixels: 47 })).toEqual([
      { row: 0, code: 'E_LIMIT', lasting: true, reason: 'the metadata say 8x6 pixels, more than maxPixels (47)' },
    ])
    expect(await faultOf(72, 8, 6, { clip: { x: 1, y: 0, width: 8, height: 6 } })).toEqual([
      { row: 0, code: 'E_LIMIT', lasting: false, reason: 'crop 1,0 8x6 lies outside the picture of 8x6' },
    ])
  })
})

/** A cache as slipstream would have it, of pictures of noise. */
async function cacheOf(folder: string, sizes: readonly (readonly [width: number, height: number])[]): Promise<string> {
  const pictures = sizes.map(([width, height], id) => noise((width * height * 3) / 2, id + 1))
  const rows = new DataView(new ArrayBuffer(24 * sizes.length))
  let at = 0
  for (const [id, [width, height]] of sizes.entries()) {
    const { length } = pictures[id] as Uint8Array
    rows.setBigUint64(24 * id, BigInt(at), true)
    rows.setBigUint64(24 * id + 8, BigInt(length), true)
    rows.setUint32(24 * id + 16, height, true)
    rows.setUint32(24 * id + 20, width, true)
    at += length
  }
  const image = { type: 'ImageBytes', num_samples: sizes.length, max_size: at, image_format: 'yuv420' }
  const manifest = { version: 1, num_samples: sizes.length, fields: { image } }
  await writeFile(join(folder, 'image.bin'), Buffer.concat(pictures))
  const header = npyHeader(BLOB_ROW, [sizes.length])
  await writeFile(join(folder, 'image.meta.npy'), Buffer.concat([header, new Uint8Array(rows.buffer)]))
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest))
  return folder
}

const one = { batchSize: 64, rank: 0, worldSize: 1 } as const
type Images = ImageCache<{ readonly image: { readonly kind: 'image' } }>
const opened = (path: string): Promise<Images> => openImageCache(path) as unknown as Promise<Images>

async function pixelsOf<O extends LoadOptions>(cache: Images, options: O) {
  for await (const batch of load(cache, { ...one, ...options }))
    return batch.copy() as unknown as Record<string, unknown>
  throw new Error('no batch')
}

describe('a cache of planes', () => {
  it('is read to its last byte, also where the file ends with a page', async () => {
    // 64 x 128 x 1.5 = three pages of 4 KiB; behind the mapping there may be nothing
    const sizes = [
      [64, 128],
      [64, 128],
    ] as const
    const cache = await opened(await cacheOf(await temporary(), sizes))
    const { data } = (await pixelsOf(cache, { image: [decode()] })).image as { data: Uint8Array }
    const last = rgbOf({ bytes: noise(64 * 128 * 1.5, 2), width: 64, height: 128 }, 'fancy')
    expect(Buffer.compare(data.subarray(64 * 128 * 3), last)).toBe(0)
    await cache.close()
  })

  it('gives several views what each gets alone', async () => {
    const sizes = [
      [150, 100],
      [4, 2],
      [88, 160],
    ] as const
    const cache = await opened(await cacheOf(await temporary(), sizes))
    const views = {
      whole: [decode()],
      crop: [randomResizedCrop(40), randomHorizontalFlip()],
      center: [centerCrop(32)],
    } as const
    const together = (await pixelsOf(cache, { views, seed: 3 })).image as Record<string, { data: Uint8Array }>
    for (const [name, operations] of Object.entries(views)) {
      const alone = await pixelsOf(cache, { views: { [name]: operations }, seed: 3 })
      const { data } = (alone.image as Record<string, { data: Uint8Array }>)[name] as { data: Uint8Array }
      expect(Buffer.compare((together[name] as { data: Uint8Array }).data, data), name).toBe(0)
    }
    await cache.close()
  })

  it('has plans that are carried out again, and stored bytes for those who ask for them', async () => {
    const cache = await opened(
      await cacheOf(await temporary(), [
        [150, 100],
        [88, 160],
      ]),
    )
    const loader = load(cache, { ...one, image: [randomResizedCrop(40)], seed: 5 })
    const plan = JSON.parse(JSON.stringify(await loader.planStep(0, 0)))
    const again = (await loader.replay(plan)).copy()
    for await (const { image } of loader) expect(Buffer.compare(image.data, again.image.data)).toBe(0)
    loader.close()
    const raw = (await pixelsOf(cache, {})).image as { sizes: unknown; widths: unknown; heights: unknown }
    expect([raw.sizes, raw.widths, raw.heights]).toMatchObject([
      { 0: 22500, 1: 21120 },
      { 0: 150, 1: 88 },
      { 0: 100, 1: 160 },
    ])
    await cache.close()
  })

  it('reports a picture of another size as the bad sample that it is', async () => {
    const folder = await cacheOf(await temporary(), [
      [10, 10],
      [20, 20],
    ])
    const table = await readFile(join(folder, 'image.meta.npy'))
    table.writeUInt32LE(18, table.length - 8)
    await writeFile(join(folder, 'image.meta.npy'), table)
    const cache = await opened(folder)
    await expect(pixelsOf(cache, { image: [decode()] })).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: expect.stringContaining('600 bytes are not 20x18 pixels of YUV 4:2:0, which are 540'),
      details: { sample: 1 },
    })
    await cache.close()
  })

  it('has no transform to choose', async () => {
    const cache = await opened(await cacheOf(await temporary(), [[10, 10]]))
    expect(() => load(cache, { ...one, image: [decode({ dct: 'ifast' })] })).toThrow(
      expect.objectContaining({
        code: 'E_USAGE',
        message: "field image is stored as planes of YUV 4:2:0, which have no decode({ dct: 'ifast' })",
      }),
    )
    await cache.close()
  })
})

describe("slipstream's cache of planes", () => {
  const fixture = fileURLToPath(new URL('../fixtures/slipcache/png_source', import.meta.url))

  it('gives the pixels that slipstream gives', async () => {
    const folder = await temporary()
    await cp(fixture, folder, { recursive: true })
    await writeFile(join(folder, 'image.bin'), gunzipSync(await readFile(join(folder, 'image.bin.gz'))))
    await rm(join(folder, 'image.bin.gz'))
    const cache = await opened(folder)
    const image = [decode({ fancyUpsampling: false }), centerCrop(64)]
    const { data } = (await pixelsOf(cache, { image, fields: ['image'] })).image as { data: Uint8Array }
    // of its DecodeCenterCrop(64), all eight pictures in order
    expect(createHash('sha256').update(data).digest('hex')).toBe(
      '6b39a62ff90a7170b83a76d51b9582c107cd9ed268df41c8807d56d7a79822f9',
    )
    await cache.close()
  })
})
