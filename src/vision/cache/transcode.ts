import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Sharp, SharpOptions } from 'sharp'
import { HeadraceError, isHeadraceError } from '../../errors.ts'
import type { ImageType } from '../../formats/image-type.ts'
import { type JpegInfo, MAX_JPEG_SIDE } from '../../formats/jpeg.ts'
import type { Permits } from '../../permits.ts'
import type { StoredImage } from './columns.ts'
import { fittedSize, type PixelSize } from './fitted-size.ts'
import { decodeWhole } from './full-decode.ts'
import type { BuildSettings } from './options.ts'
import { planar } from './planar.ts'

/** Sample formats that become 8 bits without being clipped. */
const DEPTHS: readonly string[] = ['uchar', 'ushort']

/**
 * Bytes that encoding takes a pixel, measured. Of the source: baseline JPEG and PNG are read in strips, progressive and
 * interlaced ones and all other types are held whole. Of the result: its blocks, twice, for optimised tables.
 */
const STRIP_BYTES = 2
const WHOLE_BYTES = 9
const RESULT_BYTES = 13

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
 * Encodes pictures as JPEG with sharp, or makes planes of them, scaling them down where the options say so. The rules:
 * - EXIF orientation and ICC profiles are ignored, as Pillow's open + convert('RGB') ignores them.
 * - Alpha is dropped, not blended: a transparent pixel keeps its colour.
 * - Of an animation or a file of several pages the first one counts.
 * - 16 bits a channel become 8 by dropping the low byte (v >> 8), as libvips does it.
 * - One channel (with or without alpha) stays one channel in a JPEG.
 * - CMYK JPEG goes through our own decoder (CMYK as Pillow converts it) before it is scaled.
 * - Chroma is kept in full (4:4:4), but a 4:2:0 JPEG that is scaled stays 4:2:0.
 * - Scaling is antialiased (Lanczos-3), and only ever down.
 * - Numbers that 8 or 16 unsigned bits do not hold (float, signed, 32-bit) are refused: sharp would clip them.
 * - What the decoder warns about is an error, `tolerant` or not: encoded anew, damage would look like a sound picture.
 *
 * As many are encoded at once as the permits let, each by its cost in memory.
 */
export class Transcoder {
  readonly #settings: BuildSettings
  readonly #permits: Permits

  constructor(settings: BuildSettings, permits: Permits) {
    this.#settings = settings
    this.#permits = permits
  }

  /** The picture as a JPEG. */
  encode(bytes: Uint8Array, type: ImageType, jpeg?: JpegInfo): Promise<StoredImage> {
    const { quality } = this.#settings
    const chromaSubsampling = jpeg?.sampling === '4:2:0' ? '4:2:0' : '4:4:4'
    return this.#convert(bytes, type, jpeg, async (picture, gray) => {
      const encoded = picture.toColourspace(gray ? 'b-w' : 'srgb').jpeg({ quality, chromaSubsampling })
      const { data, info } = await encoded.toBuffer({ resolveWithObject: true })
      return { bytes: data, width: info.width, height: info.height }
    })
  }

  /** The picture as planes of YUV 4:2:0. */
  planes(bytes: Uint8Array, type: ImageType, jpeg?: JpegInfo): Promise<StoredImage> {
    return this.#convert(bytes, type, jpeg, async (picture) => {
      const { data, info } = await picture.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
      return planar({ bytes: data, width: info.width, height: info.height }, this.#settings)
    })
  }

  async #convert(bytes: Uint8Array, type: ImageType, jpeg: JpegInfo | undefined, write: Write): Promise<StoredImage> {
    if (type === 'bmp') throw new HeadraceError('E_UNSUPPORTED', 'BMP pictures are not read')
    if (jpeg !== undefined && !jpeg.hasEndMarker)
      throw new HeadraceError('E_CORRUPT', 'the JPEG is cut short: it has no end marker')
    try {
      return await (jpeg?.components === 4
        ? this.#convertCmyk(bytes, jpeg, write)
        : this.#convertOther(bytes, type, write))
    } catch (error) {
      throw fromSharp(error)
    }
  }

  async #convertCmyk(bytes: Uint8Array, jpeg: JpegInfo, write: Write): Promise<StoredImage> {
    const { width, height } = jpeg
    const target = this.#target(jpeg)
    const rules = { ...this.#settings, tolerant: false }
    return this.#permits.run(costOf(jpeg, target, WHOLE_BYTES), async () => {
      const { default: sharp } = await import('sharp')
      const pixels = await decodeWhole(bytes, jpeg, 'pixels', rules)
      return write(scaledTo(target, sharp(pixels, { raw: { width, height, channels: 3 } })), false)
    })
  }

  async #convertOther(bytes: Uint8Array, type: ImageType, write: Write): Promise<StoredImage> {
    const { default: sharp } = await import('sharp')
    const options: SharpOptions = {
      failOn: 'warning',
      ignoreIcc: true,
      limitInputPixels: this.#settings.maxPixels,
      sequentialRead: true,
    }
    const source = await sharp(bytes, options).metadata()
    if (!DEPTHS.includes(source.depth))
      throw new HeadraceError('E_UNSUPPORTED', `its numbers are ${source.depth}: only 8 and 16 unsigned bits are read`)
    const target = this.#target(source)
    const inStrips = (type === 'jpeg' || type === 'png') && !source.isProgressive
    const cost = costOf(source, target, inStrips ? STRIP_BYTES : WHOLE_BYTES)
    const gray = source.channels === 1 || source.channels === 2
    return this.#permits.run(cost, () => write(scaledTo(target, sharp(bytes, options).removeAlpha()), gray))
  }

  /** The size of the result, and whether the picture has to be scaled to it. */
  #target(source: PixelSize): Target {
    const { maxSide, shortSide } = this.#settings
    const fitted = fittedSize(source, maxSide, shortSide)
    const { width, height } = fitted ?? source
    if (Math.max(width, height) > MAX_JPEG_SIDE)
      throw new HeadraceError('E_LIMIT', `${width} x ${height} pixels: a JPEG has at most ${MAX_JPEG_SIDE} a side`)
    return { width, height, scaled: fitted !== undefined }
  }
}

function scaledTo({ width, height, scaled }: Target, picture: Sharp): Sharp {
  // shrinking while loading is kept to what leaves the result as good as without it
  return scaled ? picture.resize(width, height, { fit: 'fill', kernel: 'lanczos3', fastShrinkOnLoad: false }) : picture
}

/** Makes what is stored of a picture that has its size. */
type Write = (picture: Sharp, gray: boolean) => Promise<StoredImage>

type Target = PixelSize & { readonly scaled: boolean }

/** Memory that encoding a picture takes, in bytes. */
function costOf(source: PixelSize, target: PixelSize, sourceBytes: number): number {
  return source.width * source.height * sourceBytes + target.width * target.height * RESULT_BYTES
}
