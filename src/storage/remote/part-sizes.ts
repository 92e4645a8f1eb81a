import { formatBytes } from '../../bytes.ts'
import { HeadraceError } from '../../errors.ts'

/** What a protocol allows for an object that is uploaded in parts. Bytes. */
export interface PartLimits {
  /** Of every part but the last. */
  readonly minPart: number
  readonly maxPart: number
  readonly maxParts: number
  readonly maxObject: number
}

/** 1 MiB: sizes of parts that had to grow are multiples of it. */
const STEP = 2 ** 20
/** Of the parts of an object whose size is not known, this share is of the size that was asked for. */
const EVEN_SHARE = 0.1

function stepped(bytes: number): number {
  return Math.ceil(bytes / STEP) * STEP
}

/**
 * The size of the part of each number, from 1. It follows from the arguments alone, so that an upload that was
 * interrupted is cut the same way again. Where the object's size is known all parts are equal: of `partSize`, or as
 * large as they must be for `maxParts` to suffice. Where it is not, the first tenth of the parts is of `partSize`, then
 * each is larger than the one before by as much as it takes for the last one to reach `maxObject`: with 8 MiB and S3's
 * limits, 7.8 GiB come in parts of 8 MiB, 100 GiB end with parts of 155 MiB, 5 TiB with parts of 1.1 GiB.
 */
export function partSizes(
  key: string,
  partSize: number,
  size: number | undefined,
  limits: PartLimits,
): (n: number) => number {
  const { minPart, maxPart, maxParts, maxObject } = limits
  if (size !== undefined && size > maxObject)
    throw new HeadraceError(
      'E_LIMIT',
      `${key}: ${size} bytes are more than the ${formatBytes(maxObject)} that one object may have`,
      { key },
    )
  const least = Math.min(Math.max(partSize, minPart), maxPart)
  if (size !== undefined) {
    const even = size > least * maxParts ? Math.min(stepped(size / maxParts), maxPart) : least
    return () => even
  }
  const evenParts = Math.floor(maxParts * EVEN_SHARE)
  const growing = maxParts - evenParts
  const missing = maxObject - maxParts * least
  const slope = missing > 0 ? (2 * missing) / (growing * (growing + 1)) : 0
  return (n) => (n <= evenParts || slope === 0 ? least : Math.min(stepped(least + slope * (n - evenParts)), maxPart))
}
