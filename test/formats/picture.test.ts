import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { memorySource } from '../../src/formats/byte-source.ts'
import { parseJpeg } from '../../src/formats/jpeg.ts'
import { jpeg, png } from '../../src/formats/picture.ts'
import { failing } from '../storage/conformance.ts'
import { recordFormatConformance } from './conformance.ts'
import { contentOf, writeFormat } from './memory-sink.ts'

const wholeFile = (layout: { readonly shape: readonly number[] }, fileBytes: number) => fileBytes + layout.shape.length

recordFormatConformance('png', async () => png, {
  dtypes: ['uint8'],
  shapes: [
    [1, 1],
    [40, 56],
  ],
  samples: [1],
  readBytes: wholeFile,
})
// Noise of full range is what JPEG keeps worst.
recordFormatConformance('jpeg', async () => jpeg, {
  dtypes: ['uint8'],
  shapes: [
    [1, 1],
    [40, 56],
  ],
  samples: [1],
  tolerance: 255,
  cuts: 'survived',
  readBytes: wholeFile,
})
for (const [name, format] of [
  ['jpeg', jpeg],
  ['png', png],
] as const)
  describe('raw', () => {
    recordFormatConformance(name, async () => format, {
      dtypes: ['uint8'],
      shapes: [[40, 56]],
      samples: [1],
      options: [{ pictures: 'raw' }],
      says: 'nothing',
    })
  })

describe('a picture', () => {
  it('is given as it is where records are random bytes', async () => {
    const raw = { samples: 1, shape: [40, 56], dtype: 'uint8', options: { pictures: 'raw' } } as const
    const file = await writeFormat(jpeg, { ...raw, options: {} }, contentOf([new Uint8Array(40 * 56)]))
    const reader = await jpeg.open(memorySource('file', file.bytes), raw)
    const into = new Uint8Array(file.bytes.length)
    expect([reader.shape, await reader.read(0, into)]).toEqual([[file.bytes.length], file.bytes.length])
    expect(into).toEqual(file.bytes)
  })

  const layout = { samples: 1, shape: [40, 56], dtype: 'uint8', options: {} } as const
  const smooth = Uint8Array.from({ length: 40 * 56 }, (_, i) => 60 + (i % 56) * 2 + Math.floor(i / 56))

  it("is grey, 8 bits, its rows the record's first dimension; a JPEG baseline with Pillow's quality", async () => {
    const file = await writeFormat(jpeg, layout, contentOf([smooth]))
    expect(parseJpeg(file.bytes)).toMatchObject({
      width: 56,
      height: 40,
      components: 1,
      precision: 8,
      process: 'sequential',
      sampling: 'gray',
    })
    // the first number of quality 75's table for grey
    const table = Buffer.from(file.bytes).indexOf(Buffer.from([0xff, 0xdb]))
    expect(file.bytes[table + 5]).toBe(8)
    const reader = await jpeg.open(memorySource('file', file.bytes))
    const into = new Uint8Array(40 * 56)
    await reader.read(0, into)
    expect(Math.max(...into.map((value, i) => Math.abs(value - (smooth[i] ?? 0))))).toBeLessThanOrEqual(4)
    const grey = await writeFormat(png, layout, contentOf([smooth]))
    expect(await sharp(grey.bytes).metadata()).toMatchObject({
      format: 'png',
      width: 56,
      height: 40,
      channels: 1,
      depth: 'uchar',
    })
  })

  it('in colour is read with its channels last', async () => {
    const photo = readFileSync(new URL('../fixtures/awkward/s444.jpg', import.meta.url))
    const { width, height } = parseJpeg(photo)
    const reader = await jpeg.open(memorySource('photo', photo))
    expect(reader.shape).toEqual([height, width, 3])
    expect(await reader.read(0, new Uint8Array(width * height * 3))).toBe(width * height * 3)
    const pixels = await sharp({
      create: { width: 3, height: 2, channels: 4, background: { r: 9, g: 8, b: 7, alpha: 0.5 } },
    })
      .png()
      .toBuffer()
    const rgba = await png.open(memorySource('rgba', pixels))
    const into = new Uint8Array(24)
    await rgba.read(0, into)
    expect([rgba.shape, [...into.subarray(0, 4)]]).toEqual([
      [2, 3, 4],
      [9, 8, 7, 128],
    ])
  })

  it('refuses what a picture cannot hold', () => {
    for (const [wrong, word] of [
      [{ shape: [20, 3, 3] }, 'two dimensions'],
      [{ dtype: 'float32' }, 'float32'],
      [{ samples: 2 }, 'one sample'],
      [{ shape: [70_000, 2] }, '65500'],
      [{ options: { compression: 'gzip' } }, 'compression'],
    ] as const)
      expect(() => jpeg.fileBytes({ ...layout, ...wrong })).toThrow(failing('E_CONFIG', 'jpeg', word) as never)
  })

  it('with another kind of pixels is refused', async () => {
    const deep = readFileSync(new URL('../fixtures/awkward/gray16.png', import.meta.url))
    await expect(png.open(memorySource('deep', deep))).rejects.toEqual(failing('E_UNSUPPORTED', 'deep', '16 bits'))
    const cmyk = readFileSync(new URL('../fixtures/awkward/cmyk.jpg', import.meta.url))
    await expect(jpeg.open(memorySource('cmyk', cmyk))).rejects.toEqual(
      failing('E_UNSUPPORTED', 'cmyk', '4 components'),
    )
  })
})
