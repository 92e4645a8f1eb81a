import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { native } from '../../src/native.ts'

const job = (pixels: Uint8Array, width: number, height: number, quality = 75) => ({
  pixels,
  width,
  height,
  quality,
  threads: 2,
  group: 0,
})

describe('greyToJpeg', () => {
  test.each([
    [1, 1],
    [8, 8],
    [17, 9],
    [640, 333],
  ])('makes a picture of %i x %i that decodes to about the same', async (width, height) => {
    const pixels = Uint8Array.from({ length: width * height }, (_, i) => ((i % width) + Math.floor(i / width)) & 0xff)
    const bytes = await native.greyToJpeg(job(pixels, width, height, 95))
    const { data, info } = await sharp(bytes).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true })
    expect([info.width, info.height, info.channels]).toEqual([width, height, 1])
    const off = pixels.reduce((sum, pixel, i) => sum + Math.abs(pixel - (data[i] ?? 0)), 0) / pixels.length
    expect(off).toBeLessThan(2)
  })

  test('makes the same bytes each time, also where they are more than it first has room for', async () => {
    const noise = Uint8Array.from({ length: 1000 * 1000 }, (_, i) => Math.imul(i, 2654435761) >>> 24)
    const [one, two] = await Promise.all([
      native.greyToJpeg(job(noise, 1000, 1000)),
      native.greyToJpeg(job(noise, 1000, 1000)),
    ])
    expect(one.length).toBeGreaterThan(300_000)
    expect(Buffer.compare(one, two)).toBe(0)
    expect(one.slice(-2)).toEqual(Uint8Array.of(0xff, 0xd9))
  })

  test('makes the same on the thread that asks, and says where there is no room', async () => {
    const pixels = Uint8Array.from({ length: 640 * 333 }, (_, i) => Math.imul(i, 2654435761) >>> 24)
    const into = new Uint8Array(2 ** 20)
    const bytes = native.greyToJpegInto(job(pixels, 640, 333), into)
    expect(Buffer.compare(into.subarray(0, bytes), await native.greyToJpeg(job(pixels, 640, 333)))).toBe(0)
    expect(native.greyToJpegInto(job(pixels, 640, 333), new Uint8Array(65_536))).toBe(0)
    expect(() => native.greyToJpegInto(job(pixels, 640, 333), new Uint8Array(65_535))).toThrow('into')
  })

  test('refuses pixels that are none', () => {
    expect(() => native.greyToJpeg(job(new Uint8Array(5), 2, 3))).toThrow('pixels')
    expect(() => native.greyToJpeg(job(new Uint8Array(6), 2, 3, 0))).toThrow('pixels')
    expect(() => native.greyToJpeg(job(new Uint8Array(0), 0, 0))).toThrow('pixels')
    expect(() => native.greyToJpeg(job(new Uint8Array(6), 70_000, 1))).toThrow('width')
  })
})
