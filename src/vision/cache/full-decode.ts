import { HeadraceError } from '../../errors.ts'
import type { JpegInfo } from '../../formats/jpeg.ts'
import { native, type SlotHandle } from '../../native.ts'

/** No loader has this group; they count from 1. */
export const DECODE_GROUP = 0
/** The picture that a decode that only checks is scaled to. */
const CHECK_SIDE = 8

export interface DecodeRules {
  readonly tolerant: boolean
  readonly maxPixels: number
  /** Pictures that are decoded at once; each on one thread. */
  readonly workers: number
}

/**
 * Decodes every row of a JPEG with the addon, the same way the loader will. 'check' keeps nothing but the verdict;
 * 'pixels' gives RGB, height x width x 3 (CMYK as Pillow converts it). Throws what the decoder finds wrong.
 */
export async function decodeWhole(
  bytes: Uint8Array,
  info: JpegInfo,
  want: 'check' | 'pixels',
  rules: DecodeRules,
): Promise<Uint8Array> {
  const { width, height } = info
  const side = want === 'check' ? CHECK_SIDE : 0
  const size = want === 'check' ? CHECK_SIDE * CHECK_SIDE * 3 : width * height * 3
  const slot: SlotHandle = native.createSlot(size)
  try {
    const [fault] = await native.decodeImages({
      source: bytes,
      sourceOffsets: Float64Array.of(0),
      sourceSizes: Float64Array.of(bytes.length),
      heights: Uint32Array.of(height),
      widths: Uint32Array.of(width),
      views: [
        {
          width: side,
          height: side,
          layout: 'NHWC',
          dtype: 'uint8',
          scale: [1, 1, 1],
          bias: [0, 0, 0],
          offsets: Float64Array.of(0),
        },
      ],
      boxes: Float64Array.of(0, 0, width, height, 0, 0, width, height, 0),
      slot,
      threads: rules.workers,
      group: DECODE_GROUP,
      encoding: 'jpeg',
      table: undefined,
      dct: 'islow',
      fancyUpsampling: true,
      tolerant: rules.tolerant,
      maxPixels: rules.maxPixels,
    })
    if (fault) throw new HeadraceError(fault.code, fault.reason)
    if (want === 'check') return new Uint8Array(0)
    const lease = native.leaseSlot(slot, size)
    const pixels = Buffer.from(new Uint8Array(lease))
    native.detach(lease)
    return pixels
  } finally {
    native.destroySlot(slot)
  }
}
