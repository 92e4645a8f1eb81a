import { type CropLaw, cut } from './types.ts'

/** Rounds halves to even, as Python's round does. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

/** The central width x height pixels, or as much of them as the picture has (slipstream's and torchvision's position). */
export function plainCenter(outWidth: number, outHeight: number): CropLaw {
  return (_, width, height) => {
    const w = Math.min(outWidth, width)
    const h = Math.min(outHeight, height)
    return cut(Math.floor((width - w) / 2), Math.floor((height - h) / 2), w, h)
  }
}

/** FFCV's centre crop: a square of floor(ratio x the shorter side). */
export function ratioCenter(ratio: number): CropLaw {
  return (_, width, height) => {
    const side = Math.max(1, Math.floor(ratio * Math.min(width, height)))
    return cut(Math.floor((width - side) / 2), Math.floor((height - side) / 2), side, side)
  }
}

/**
 * torchvision's Resize(resize) then CenterCrop(size), as one source rectangle: the shorter side becomes `resize`, the
 * longer one floor(resize x long / short), and the crop starts at round((side - size) / 2), halves to even.
 */
export function resizedCenter(resize: number, outWidth: number, outHeight: number): CropLaw {
  return (_, width, height) => {
    const short = Math.min(width, height)
    const resizedWidth = width <= height ? resize : Math.floor((resize * width) / short)
    const resizedHeight = width <= height ? Math.floor((resize * height) / short) : resize
    const sx = width / resizedWidth
    const sy = height / resizedHeight
    const left = roundHalfEven((resizedWidth - outWidth) / 2)
    const top = roundHalfEven((resizedHeight - outHeight) / 2)
    return {
      clip: { x: 0, y: 0, width, height },
      box: { x: left * sx, y: top * sy, width: outWidth * sx, height: outHeight * sy },
    }
  }
}
