/** Kinds of picture file that are told apart by their first bytes. */
export type ImageType =
  | 'jpeg'
  | 'png'
  | 'gif'
  | 'webp'
  | 'bmp'
  | 'tiff'
  | 'heif'
  | 'avif'
  | 'jxl'
  | 'jp2'
  | 'psd'
  | 'qoi'
  | 'exr'

const text = (bytes: Uint8Array, offset: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(offset, offset + length))

function starts(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, i) => bytes[i] === byte)
}

/** Sizes of the header that follows a BMP file header, one a version of the format; "BM" alone is too weak a sign. */
const BMP_HEADERS = [12, 16, 40, 52, 56, 64, 108, 124]
const AVIF_BRANDS = ['avif', 'avis']
const HEIF_BRANDS = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1']

function isoMediaType(bytes: Uint8Array): ImageType | undefined {
  const box = text(bytes, 4, 4)
  if (box === 'JXL ') return 'jxl'
  if (box === 'jP  ') return 'jp2'
  if (box !== 'ftyp') return undefined
  const brands = [text(bytes, 8, 4), text(bytes, 16, 4), text(bytes, 20, 4), text(bytes, 24, 4)]
  if (brands.some((brand) => AVIF_BRANDS.includes(brand))) return 'avif'
  return brands.some((brand) => HEIF_BRANDS.includes(brand)) ? 'heif' : undefined
}

/**
 * What kind of picture the bytes are, by content; a file's name says nothing. undefined: none of these.
 * Sources: the magic numbers of each format's specification.
 */
export function imageType(bytes: Uint8Array): ImageType | undefined {
  switch (bytes[0]) {
    case 0xff:
      if (bytes[1] === 0xd8) return bytes[2] === 0xff ? 'jpeg' : undefined
      if (bytes[1] === 0x0a) return 'jxl'
      return starts(bytes, [0xff, 0x4f, 0xff, 0x51]) ? 'jp2' : undefined
    case 0x89:
      return starts(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) ? 'png' : undefined
    case 0x47: {
      const version = text(bytes, 0, 6)
      return version === 'GIF87a' || version === 'GIF89a' ? 'gif' : undefined
    }
    case 0x52:
      return text(bytes, 0, 4) === 'RIFF' && text(bytes, 8, 4) === 'WEBP' ? 'webp' : undefined
    case 0x42:
      return bytes[1] === 0x4d && BMP_HEADERS.includes(bytes[14] ?? 0) && bytes[15] === 0 ? 'bmp' : undefined
    case 0x49: // little-endian TIFF and BigTIFF
      return starts(bytes, [0x49, 0x49, 0x2a, 0]) || starts(bytes, [0x49, 0x49, 0x2b, 0]) ? 'tiff' : undefined
    case 0x4d: // big-endian
      return starts(bytes, [0x4d, 0x4d, 0, 0x2a]) || starts(bytes, [0x4d, 0x4d, 0, 0x2b]) ? 'tiff' : undefined
    case 0x38:
      return text(bytes, 0, 4) === '8BPS' ? 'psd' : undefined
    case 0x71:
      return text(bytes, 0, 4) === 'qoif' ? 'qoi' : undefined
    case 0x76:
      return starts(bytes, [0x76, 0x2f, 0x31, 0x01]) ? 'exr' : undefined
    case 0:
      return isoMediaType(bytes)
    default:
      return undefined
  }
}
