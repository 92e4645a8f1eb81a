import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Metadata, Sharp, SharpOptions } from 'sharp'
import { HeadraceError, isHeadraceError } from '../../errors.ts'
import type { ImageType } from '../../formats/image-type.ts'
import type { JpegInfo } from '../../formats/jpeg.ts'
import type { StoredImage } from './columns.ts'
import { fittedSize } from './fitted-size.ts'
import { decodeWhole } from './full-decode.ts'
import type { BuildSettings } from './options.ts'

/** JPEG's limit on a side. */
const JPEG_MAX_SIDE = 65_535

/** Which sharp encodes: its output may change with its version. Reads its package file; sharp itself is not loaded. */
export function sharpVersion(): string {
  try {
    const main = createRequire(import.meta.url).resolve('sharp')
    const { version } = JSON.parse(readFileSync(join(dirname(main), '..', 'package.json'), 'utf8')) as {
      version: string
    }
    return version
  } catch {
    return 'none'
  }
}

/** sharp's own errors in our terms. libvips puts several lines into one message, the cause not always first. */
function fromSharp(error: unknown): HeadraceError {
  if (isHeadraceError(error)) return error
  const lines = (error instanceof Error ? error.message : String(error)).split('\n')
  const reason = lines.find((line) => !line.startsWith('Warning treated as error')) ?? lines[0] ?? ''
  if (/pixel limit|too large/i.test(reason)) return new HeadraceError('E_LIMIT', reason, { cause: error })
  if (/unsupported image format|no codec|not supported|unsupported/i.test(reason))
    return new HeadraceError('E_UNSUPPORTED', reason, { cause: error })
  return new HeadraceError('E_CORRUPT', reason, { cause: error })
}

/**
 * Encodes pictures as JPEG with sharp, scaling them down where the options say so. The rules:
 * - EXIF orientation and ICC profiles are ignored, as Pillow's open + convert('RGB') ignores them.
 * - Alpha is dropped, not blended: a transparent pixel keeps its colour.
 * - Of an animation or a file of several pages the first one counts.
 * - 16 bits a channel become 8 by dropping the low byte (v >> 8), as libvips does it.
 * - One channel (with or without alpha) stays one channel.
 * - CMYK JPEG goes through our own decoder (CMYK as Pillow converts it) before it is scaled.
 * - Chroma is kept in full (4:4:4), but a 4:2:0 JPEG that is scaled stays 4:2:0.
 * - Scaling is antialiased (Lanczos-3), and only ever down.
 * - What the decoder warns about is an error unless `tolerant`.
 */
export class Transcoder {
  readonly #settings: BuildSettings

  constructor(settings: BuildSettings) {
    this.#settings = settings
  }

  async encode(bytes: Uint8Array, type: ImageType, jpeg?: JpegInfo): Promise<StoredImage> {
    if (type === 'bmp') throw new HeadraceError('E_UNSUPPORTED', 'BMP pictures are not read')
    const { tolerant, maxPixels } = this.#settings
    const { default: sharp } = await import('sharp')
    try {
      if (jpeg?.components === 4) {
        const { width, height } = jpeg
        const pixels = await decodeWhole(bytes, jpeg, 'pixels', this.#settings)
        return await this.#finish(
          sharp(pixels, { raw: { width, height, channels: 3 } }),
          { width, height, channels: 3 },
          jpeg,
        )
      }
      const options: SharpOptions = {
        failOn: tolerant ? 'none' : 'warning',
        ignoreIcc: true,
        limitInputPixels: maxPixels,
        sequentialRead: true,
      }
      const metadata = await sharp(bytes, options).metadata()
      return await this.#finish(sharp(bytes, options).removeAlpha(), metadata, jpeg)
    } catch (error) {
      throw fromSharp(error)
    }
  }

  async #finish(
    picture: Sharp,
    source: Pick<Metadata, 'width' | 'height' | 'channels'>,
    jpeg: JpegInfo | undefined,
  ): Promise<StoredImage> {
    const { maxSide, shortSide, quality } = this.#settings
    const size = fittedSize(source, maxSide, shortSide)
    const { width, height } = size ?? source
    if (width > JPEG_MAX_SIDE || height > JPEG_MAX_SIDE)
      throw new HeadraceError('E_LIMIT', `${width} x ${height} pixels: a JPEG has at most ${JPEG_MAX_SIDE} a side`)
    const gray = source.channels === 1 || source.channels === 2
    // shrinking while loading is kept to what leaves the result as good as without it
    const sized = size
      ? picture.resize(width, height, { fit: 'fill', kernel: 'lanczos3', fastShrinkOnLoad: false })
      : picture
    const { data, info } = await sized
      .toColourspace(gray ? 'b-w' : 'srgb')
      .jpeg({ quality, chromaSubsampling: jpeg?.sampling === '4:2:0' ? '4:2:0' : '4:4:4' })
      .toBuffer({ resolveWithObject: true })
    return { bytes: data, width: info.width, height: info.height }
  }
}
