/** Pixels of a picture. */
export interface PixelSize {
  readonly width: number
  readonly height: number
}

/**
 * The size to which a picture is scaled down so that its longer side has at most `maxSide` and its shorter side at
 * most `shortSide` pixels, proportions kept, each side rounded to the nearest pixel. undefined: it fits as it is.
 */
export function fittedSize(
  { width, height }: PixelSize,
  maxSide: number | undefined,
  shortSide: number | undefined,
): PixelSize | undefined {
  const longScale = (maxSide ?? Number.POSITIVE_INFINITY) / Math.max(width, height)
  const shortScale = (shortSide ?? Number.POSITIVE_INFINITY) / Math.min(width, height)
  const scale = Math.min(longScale, shortScale)
  if (scale >= 1) return undefined
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) }
}
