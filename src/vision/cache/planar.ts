import { HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import type { StoredImage } from './columns.ts'
import { DECODE_GROUP } from './full-decode.ts'
import type { BuildSettings } from './options.ts'

export type PlanarRules = Pick<BuildSettings, 'compat' | 'maxPixels' | 'workers'>

/** RGB pixels, height x width x 3. */
export interface Pixels {
  readonly bytes: Uint8Array
  readonly width: number
  readonly height: number
}

/** Bytes of a picture's planes; undefined for sides that such pictures do not have. */
export function planarBytes(width: number, height: number): number | undefined {
  return width % 2 === 0 && height % 2 === 0 ? (width * height * 3) / 2 : undefined
}

/**
 * A JPEG, or pixels, as planes of YUV 4:2:0 with even sides (docs/formats/cache.md). A gray or 4:2:0 JPEG gives its own
 * samples, any other picture goes through RGB; with compat 'slipstream' every one does, truncated as there. Throws what
 * the decoder finds wrong.
 */
export async function planar(picture: Uint8Array | Pixels, rules: PlanarRules): Promise<StoredImage> {
  const { compat, maxPixels, workers } = rules
  const { bytes, width, height } = picture instanceof Uint8Array ? { bytes: picture, width: 0, height: 0 } : picture
  const rounding = compat === 'slipstream' ? 'truncate' : 'nearest'
  const job = { bytes, width, height, rounding, threads: workers, group: DECODE_GROUP, maxPixels } as const
  const made = await native.toYuv420(job)
  if ('bytes' in made) return made
  throw new HeadraceError(made.code, made.reason)
}
