import { type DecodeJob, type NativeFault, native } from '../../src/native.ts'
import type { Rect } from '../../src/vision/crops/types.ts'

export interface DecodeOneOptions {
  readonly encoding?: DecodeJob['encoding']
  readonly table?: Uint16Array
  readonly clip?: Rect
  readonly box?: Rect
  /** Output pixels; 0: the clip's. */
  readonly width?: number
  readonly height?: number
  readonly flip?: boolean
  readonly layout?: 'NHWC' | 'NCHW'
  readonly dtype?: 'uint8' | 'float16' | 'float32'
  readonly scale?: readonly [number, number, number]
  readonly bias?: readonly [number, number, number]
  readonly dct?: DecodeJob['dct']
  readonly fancyUpsampling?: boolean
  readonly tolerant?: boolean
  readonly maxPixels?: number
}

const BYTES = { uint8: 1, float16: 2, float32: 4 }
const one = (value: number): Float64Array => Float64Array.of(value)

/** One picture through the addon: its output's bytes and what was wrong. */
export async function decodeOne(
  source: Uint8Array,
  width: number,
  height: number,
  options: DecodeOneOptions = {},
): Promise<{ readonly bytes: Uint8Array; readonly faults: readonly NativeFault[] }> {
  const clip = options.clip ?? { x: 0, y: 0, width, height }
  const box = options.box ?? clip
  const { dtype = 'uint8', layout = 'NHWC', scale = [1, 1, 1], bias = [0, 0, 0] } = options
  const size = (options.width ?? clip.width) * (options.height ?? clip.height) * 3 * BYTES[dtype]
  const slot = native.createSlot(size)
  const faults = await native.decodeImages({
    source,
    sourceOffsets: one(0),
    sourceSizes: one(source.length),
    heights: Uint32Array.of(height),
    widths: Uint32Array.of(width),
    views: [{ width: options.width ?? 0, height: options.height ?? 0, layout, dtype, scale, bias, offsets: one(0) }],
    boxes: Float64Array.of(
      clip.x,
      clip.y,
      clip.width,
      clip.height,
      box.x,
      box.y,
      box.width,
      box.height,
      options.flip ? 1 : 0,
    ),
    slot,
    threads: 1,
    group: 0,
    encoding: options.encoding ?? 'jpeg',
    table: options.table,
    dct: options.dct ?? 'islow',
    fancyUpsampling: options.fancyUpsampling ?? true,
    tolerant: options.tolerant ?? false,
    maxPixels: options.maxPixels ?? 178_956_970,
  })
  const lease = native.leaseSlot(slot, size)
  const bytes = new Uint8Array(lease).slice()
  native.detach(lease)
  native.destroySlot(slot)
  return { bytes, faults }
}
