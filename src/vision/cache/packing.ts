import { HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import type { StoredImage } from './columns.ts'
import { DECODE_GROUP } from './full-decode.ts'

export interface PackRules {
  readonly tolerant: boolean
  readonly maxPixels: number
  /** Pictures that are packed at once; each on one thread. */
  readonly workers: number
}

/**
 * A JPEG as packed coefficients, in the compact form where there are frequencies; or as it is, with the reason, where it
 * is one that cannot be packed. E_CORRUPT for a damaged one unless `tolerant`, which keeps it as it is.
 */
export async function packed<T extends StoredImage>(
  jpeg: T,
  frequencies: Uint16Array | undefined,
  { tolerant, maxPixels, workers }: PackRules,
): Promise<T & { readonly unpacked?: string }> {
  const { bytes } = jpeg
  const made = await native.packJpeg({ bytes, table: frequencies, threads: workers, group: DECODE_GROUP, maxPixels })
  if (made instanceof Uint8Array) return { ...jpeg, bytes: made }
  if (made.code === 'E_UNSUPPORTED') return { ...jpeg, unpacked: made.reason }
  if (tolerant && made.code === 'E_CORRUPT') return { ...jpeg, unpacked: 'damaged' }
  throw new HeadraceError(made.code, made.reason)
}

/** The JPEG of a sample of a `dct` field: the one that was kept, or one with the coefficients that were packed. */
export async function unpacked(
  sample: Uint8Array,
  frequencies: Uint16Array | undefined,
  { maxPixels, workers }: Omit<PackRules, 'tolerant'>,
): Promise<Uint8Array> {
  if (sample[0] === 0xff && sample[1] === 0xd8) return sample
  const job = { bytes: sample, table: frequencies, threads: workers, group: DECODE_GROUP, maxPixels }
  const made = await native.unpackJpeg(job)
  if (made instanceof Uint8Array) return made
  throw new HeadraceError(made.code, made.reason)
}
