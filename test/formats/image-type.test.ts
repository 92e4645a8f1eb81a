import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { imageType } from '../../src/formats/image-type.ts'

const file = (name: string): Buffer => readFileSync(new URL(`../fixtures/awkward/${name}`, import.meta.url))

it.each([
  ['baseline_420.jpg', 'jpeg'],
  ['fill_bytes.jpg', 'jpeg'],
  ['truncated_header.jpg', 'jpeg'],
  ['png_named.jpg', 'png'],
  ['rgb16.png', 'png'],
  ['webp_named.jpg', 'webp'],
  ['animated.gif', 'gif'],
  ['bmp.bmp', 'bmp'],
  ['tiff_lzw.tif', 'tiff'],
  ['text.jpg', undefined],
  ['empty.jpg', undefined],
])('%s is %s by its content', (name, type) => {
  expect(imageType(file(name))).toBe(type)
})

it.each([
  ['heif', '\0\0\0\x18ftypheic\0\0\0\0mif1heic'],
  ['avif', '\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf'],
  ['jxl', '\xff\x0a\xfa\x7f'],
  ['jxl', '\0\0\0\x0cJXL \r\n\x87\n'],
  ['jp2', '\0\0\0\x0cjP  \r\n\x87\n'],
  ['jp2', '\xff\x4f\xff\x51\0'],
  ['tiff', 'MM\0*\0\0'],
  ['psd', '8BPS\0\x01'],
  ['qoi', 'qoif\0\0'],
  ['exr', '\x76\x2f\x31\x01'],
  [undefined, '\0\0\0\x18ftypisom\0\0\0\0isommp41'],
  [undefined, 'BMW is a car maker, not a bitmap'],
  [undefined, 'RIFF\0\0\0\0WAVEfmt '],
  [undefined, '\xff\xd8'],
  [undefined, '\x89PNG'],
])('%s is told from %j', (type, text) => {
  expect(imageType(Buffer.from(text, 'latin1'))).toBe(type)
})
