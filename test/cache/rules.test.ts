import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { imageType } from '../../src/formats/image-type.ts'
import { parseJpeg } from '../../src/formats/jpeg.ts'
import { buildImageCache } from '../../src/vision/cache/index.ts'
import { awkward, sha256, writeFolder } from './sources.ts'
import { temporaryFolders } from './temporary.ts'

const temporary = temporaryFolders()

/** The picture as a cache stores it. */
async function stored(image: Uint8Array, options: { maxSide?: number } = {}): Promise<Buffer> {
  const folder = await temporary()
  await buildImageCache([{ image }], join(folder, 'cache'), { quality: 100, ...options })
  return readFile(join(folder, 'cache/image.bin'))
}

interface Pixels {
  readonly data: Buffer
  readonly channels: number
}

async function pixelsOf(jpeg: Uint8Array): Promise<Pixels> {
  const gray = parseJpeg(jpeg).components === 1
  const { data, info } = await sharp(jpeg, { ignoreIcc: true })
    .toColourspace(gray ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { data, channels: info.channels }
}

function largestDifference(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length)
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (b[i] ?? 0))), 0)
}

describe('a picture that becomes a JPEG', () => {
  it('of 16 bits a channel keeps the high byte of each', async () => {
    // every 16-bit value once; rounding instead of cutting would move half of them
    const values = Uint16Array.from({ length: 65536 }, (_, v) => v)
    const png = await sharp(values, { raw: { width: 256, height: 256, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer()
    expect(png[24]).toBe(16)
    const { data, channels } = await pixelsOf(await stored(png))
    expect(channels).toBe(1)
    const high = Uint8Array.from(values, (v) => v >> 8)
    // each row of the picture has one high byte: a JPEG of quality 100 keeps such rows to within 2
    expect(largestDifference(data, high)).toBeLessThanOrEqual(2)
    const mean = data.reduce((sum, v, i) => sum + v - (high[i] ?? 0), 0) / data.length
    expect(Math.abs(mean)).toBeLessThan(0.1)
  })

  it('of colours of 16 bits does so, too', async () => {
    const { data, channels } = await pixelsOf(await stored(awkward('rgb16.png')))
    expect(channels).toBe(3)
    const source = await sharp(awkward('rgb16.png'), { ignoreIcc: true })
      .toColourspace('rgb16')
      .raw({ depth: 'ushort' })
      .toBuffer()
    const high = Uint8Array.from({ length: data.length }, (_, i) => source[2 * i + 1] ?? 0)
    expect(largestDifference(data, high)).toBeLessThanOrEqual(8)
  })

  it('loses its alpha without being blended', async () => {
    const red = Buffer.from(Uint8Array.from({ length: 16 * 16 * 4 }, (_, i) => [200, 40, 30, 0][i % 4] ?? 0))
    const png = await sharp(red, { raw: { width: 16, height: 16, channels: 4 } })
      .png()
      .toBuffer()
    const { data } = await pixelsOf(await stored(png))
    const expected = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => [200, 40, 30][i % 3] ?? 0)
    expect(largestDifference(data, expected)).toBeLessThanOrEqual(2)
  })

  it('of one channel stays one channel, also with alpha and when it is scaled', async () => {
    expect(parseJpeg(await stored(awkward('gray16.png'))).components).toBe(1)
    expect(parseJpeg(await stored(awkward('gray_alpha.png'))).components).toBe(1)
    expect(parseJpeg(await stored(awkward('gray.jpg'), { maxSide: 100 }))).toMatchObject({
      components: 1,
      width: 100,
      height: 100,
    })
  })

  it('shows the first frame of an animation', async () => {
    const { data } = await pixelsOf(await stored(awkward('animated.gif')))
    const first = await sharp(awkward('animated.gif'), { page: 0 }).removeAlpha().raw().toBuffer()
    const second = await sharp(awkward('animated.gif'), { page: 1 }).removeAlpha().raw().toBuffer()
    const distance = (other: Buffer): number => data.reduce((sum, v, i) => sum + Math.abs(v - (other[i] ?? 0)), 0)
    expect(distance(first)).toBeLessThan(distance(second) / 3)
  })

  it('is not turned by its EXIF orientation', async () => {
    const jpeg = await stored(awkward('exif_orient6_thumb.jpg'), { maxSide: 180 })
    expect(parseJpeg(jpeg)).toMatchObject({ width: 120, height: 180 })
    expect((await sharp(jpeg).metadata()).orientation).toBeUndefined()
  })

  it('is not changed by its ICC profile', async () => {
    const plain = await pixelsOf(await stored(awkward('baseline_420.jpg'), { maxSide: 100 }))
    const profiled = await pixelsOf(await stored(awkward('icc_comment.jpg'), { maxSide: 100 }))
    expect(sha256(profiled.data)).toBe(sha256(plain.data))
  })

  it('of CMYK is converted as our decoder does it before it is scaled', async () => {
    const scaled = await stored(awkward('cmyk.jpg'), { maxSide: 100 })
    expect(parseJpeg(scaled)).toMatchObject({ components: 3, width: 100, height: 67, sampling: '4:4:4' })
    // Pillow's formula: (255 - C)(255 - K) / 255
    const cmyk = await sharp(awkward('cmyk.jpg')).pipelineColourspace('cmyk').toColourspace('cmyk').raw().toBuffer()
    const rgb = Buffer.alloc(300 * 200 * 3)
    for (let i = 0; i < 300 * 200; i++)
      for (let c = 0; c < 3; c++)
        rgb[i * 3 + c] = ((255 - (cmyk[i * 4 + c] ?? 0)) * (255 - (cmyk[i * 4 + 3] ?? 0))) / 255
    const expected = await sharp(rgb, { raw: { width: 300, height: 200, channels: 3 } })
      .resize(100, 67, { fit: 'fill', kernel: 'lanczos3' })
      .raw()
      .toBuffer()
    expect(largestDifference((await pixelsOf(scaled)).data, expected)).toBeLessThanOrEqual(6)
  })
})

/** What `built.json` says of a file: how it is stored, or why it is not. */
interface Built {
  readonly stored?: 'verbatim' | 'reencoded'
  readonly width?: number
  readonly height?: number
  readonly code?: string
  readonly reason?: string
}
type Policy = 'default' | 'decode' | 'tolerant'

describe('every awkward file', async () => {
  const table = JSON.parse(
    await readFile(new URL('../fixtures/awkward/built.json', import.meta.url), 'utf8'),
  ) as Record<string, Record<Policy, Built>>
  const options = { default: {}, decode: { validate: 'decode' }, tolerant: { tolerant: true } } as const

  it.each(['default', 'decode', 'tolerant'] as const)(
    'gives the documented result with the %s rules, by either policy',
    async (policy) => {
      const folder = await temporary()
      const source = join(folder, 'photos')
      await writeFolder(source, Object.fromEntries(Object.keys(table).map((name) => [`all/${name}`, awkward(name)])))
      const report = await buildImageCache(source, join(folder, 'cache'), { onError: 'skip', ...options[policy] })

      const found: Record<string, Built> = {}
      for (const { key, code, reason } of report.skipped) found[key.slice(4)] = { code, reason }
      const { openImageCache } = await import('../../src/vision/cache/index.ts')
      const cache = await openImageCache(join(folder, 'cache'))
      for (let id = 0; id < cache.length; id++) {
        const { image, path } = await cache.read(id)
        const name = String(path).slice(4)
        const { width, height } = parseJpeg(image as Uint8Array, { strayBytes: 'skip' })
        const same = Buffer.compare(image as Uint8Array, awkward(name)) === 0
        found[name] = { stored: same ? 'verbatim' : 'reencoded', width, height }
      }
      await cache.close()
      expect(found).toEqual(Object.fromEntries(Object.entries(table).map(([name, rows]) => [name, rows[policy]])))

      // the first bad file in order ends a build whose policy is to throw
      const bad = report.skipped[0]
      await expect(buildImageCache(source, join(folder, 'none'), options[policy])).rejects.toMatchObject({
        code: bad?.code,
        message: expect.stringContaining(bad?.key ?? ''),
        details: { key: bad?.key },
      })
    },
  )

  it('is in the table', async () => {
    const { readdir } = await import('node:fs/promises')
    const names = await readdir(new URL('../fixtures/awkward/', import.meta.url))
    expect(Object.keys(table).sort()).toEqual(
      names.filter((name) => !name.endsWith('.json') && !name.endsWith('.md')).sort(),
    )
    expect(Object.keys(table)).toHaveLength(46)
  })

  it('that is counted as encoded anew is counted under what it is, not what it is called', async () => {
    const folder = await temporary()
    const names = ['png_named.jpg', 'webp_named.jpg', 'webp.webp', 'animated.gif', 'tiff_lzw.tif', 'gray.jpg']
    const { reencoded } = await buildImageCache(
      names.map((name) => ({ image: awkward(name) })),
      join(folder, 'cache'),
    )
    expect(reencoded).toEqual({ gif: 1, png: 1, tiff: 1, webp: 2 })
    expect(imageType(awkward('png_named.jpg'))).toBe('png')
  })
})
