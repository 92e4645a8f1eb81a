import { HeadraceError } from '../../errors.ts'
import { type ImageType, imageType } from '../../formats/image-type.ts'
import { type JpegInfo, MAX_JPEG_SIDE, parseJpeg } from '../../formats/jpeg.ts'
import { Permits } from '../../permits.ts'
import type { StoredImage } from './columns.ts'
import { fittedSize } from './fitted-size.ts'
import { decodeWhole } from './full-decode.ts'
import type { BuildSettings } from './options.ts'
import { Packer } from './packing.ts'
import { planar } from './planar.ts'
import type { Frequencies } from './rans-table.ts'
import { Transcoder } from './transcode.ts'

export interface TakenImage extends StoredImage {
  /** What the picture was, where it had to be encoded anew, or its pixels made by sharp. */
  readonly from?: ImageType
  /** Why it stays a JPEG, where coefficients were to be packed. */
  readonly unpacked?: string
}

/** Bytes that making planes of a JPEG takes a pixel: of a progressive one all coefficients; the planes, and a copy of them. */
const PLANAR_BYTES = 6

/** Bytes that packing takes a pixel where libjpeg has to hold all coefficients: two a sample. */
const PACKING_BYTES = 6

/** A picture as it comes: its type, and what its markers say of a JPEG. */
interface Look {
  readonly type: ImageType
  readonly jpeg?: JpegInfo
  /** A JPEG that need not be scaled. */
  readonly fits: boolean
}

/** E_CORRUPT, E_UNSUPPORTED or E_LIMIT for a JPEG that the loader could not decode. */
function checkedJpeg(bytes: Uint8Array, settings: BuildSettings): JpegInfo {
  const info = parseJpeg(bytes, { strayBytes: settings.tolerant ? 'skip' : 'refuse' })
  const { width, height, components, precision, process } = info
  const unsupported = (what: string): HeadraceError => new HeadraceError('E_UNSUPPORTED', `a JPEG with ${what}`)
  if (process === 'lossless' || process === 'hierarchical') throw unsupported(`${process} coding`)
  if (precision !== 8) throw unsupported(`${precision} bits a sample`)
  if (components !== 1 && components !== 3 && components !== 4) throw unsupported(`${components} components`)
  if (width * height > settings.maxPixels)
    throw new HeadraceError('E_LIMIT', `${width} x ${height} pixels are more than maxPixels, ${settings.maxPixels}`)
  if (Math.max(width, height) > MAX_JPEG_SIDE)
    throw new HeadraceError('E_LIMIT', `${width} x ${height} pixels: more than ${MAX_JPEG_SIDE} a side are not decoded`)
  if (!info.hasEndMarker && !settings.tolerant)
    throw new HeadraceError('E_CORRUPT', 'the JPEG is cut short: it has no end marker')
  return info
}

/**
 * Takes pictures in: a JPEG that need not be scaled is stored as it is, anything else is encoded as JPEG; with the
 * encoding 'dct' both are packed then. With 'yuv420' all become planes, without a JPEG in between. At most `workers`
 * pictures are decoded or encoded at once, and as many packed.
 */
export class ImageIntake {
  readonly #settings: BuildSettings
  readonly #transcoder: Transcoder
  readonly #permits: Permits
  readonly #frequencies: Frequencies
  readonly #packers = new Map<string, Packer>()

  constructor(settings: BuildSettings, frequencies: Frequencies) {
    this.#settings = settings
    this.#frequencies = frequencies
    this.#permits = new Permits(settings.workers, settings.windowBytes)
    this.#transcoder = new Transcoder(settings, this.#permits)
  }

  /** The picture as it is stored; at once where nothing has to be decoded. */
  take(field: string, bytes: Uint8Array): TakenImage | Promise<TakenImage> {
    const look = this.#look(bytes)
    if (this.#settings.encoding === 'yuv420') return this.#planar(bytes, look)
    const jpeg = this.#jpeg(bytes, look)
    return this.#settings.encoding === 'jpeg' ? jpeg : this.#packed(field, jpeg)
  }

  #look(bytes: Uint8Array): Look {
    if (bytes.length === 0) throw new HeadraceError('E_CORRUPT', 'no bytes')
    const type = imageType(bytes)
    if (type === undefined) throw new HeadraceError('E_UNSUPPORTED', 'not a picture of a known type')
    if (type !== 'jpeg') return { type, fits: false }
    const jpeg = checkedJpeg(bytes, this.#settings)
    const { maxSide, shortSide } = this.#settings
    return { type, jpeg, fits: fittedSize(jpeg, maxSide, shortSide) === undefined }
  }

  #jpeg(bytes: Uint8Array, { type, jpeg, fits }: Look): TakenImage | Promise<TakenImage> {
    if (jpeg === undefined || !fits) return this.#encode(bytes, type, jpeg)
    const { validate } = this.#settings
    const stored = { bytes, width: jpeg.width, height: jpeg.height }
    return validate === 'decode' ? this.#decoded(stored, jpeg) : stored
  }

  async #planar(bytes: Uint8Array, { type, jpeg, fits }: Look): Promise<TakenImage> {
    if (jpeg === undefined || !fits) return { ...(await this.#transcoder.planes(bytes, type, jpeg)), from: type }
    return this.#permits.run(jpeg.width * jpeg.height * PLANAR_BYTES, () => planar(bytes, this.#settings))
  }

  async #packed(field: string, taking: TakenImage | Promise<TakenImage>): Promise<TakenImage> {
    const jpeg = await taking
    const { workers, windowBytes } = this.#settings
    const cost = jpeg.width * jpeg.height * PACKING_BYTES
    // as many of these as there are workers leave half of the memory to those that ask for it
    if (2 * workers * cost <= windowBytes) return this.#packer(field).pack(jpeg)
    return this.#permits.run(cost, () => this.#packer(field).pack(jpeg))
  }

  #packer(field: string): Packer {
    const known = this.#packers.get(field)
    if (known) return known
    const packer = new Packer(this.#frequencies.get(field), this.#settings)
    this.#packers.set(field, packer)
    return packer
  }

  async #encode(bytes: Uint8Array, from: ImageType, jpeg?: JpegInfo): Promise<TakenImage> {
    return { ...(await this.#transcoder.encode(bytes, from, jpeg)), from }
  }

  async #decoded(stored: StoredImage, info: JpegInfo): Promise<TakenImage> {
    await this.#permits.run(info.width * info.height * 3, () =>
      decodeWhole(stored.bytes, info, 'check', this.#settings),
    )
    return stored
  }
}
