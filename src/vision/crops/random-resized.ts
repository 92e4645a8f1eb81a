import { roundHalfEven } from './center.ts'
import { type CropLaw, cut, type Uniform } from './types.ts'

export interface RandomResizedParameters {
  /** Share of the picture's area, smallest and largest. */
  readonly scale: readonly [number, number]
  /** Width over height, smallest and largest; drawn log-uniformly. */
  readonly ratio: readonly [number, number]
}

/** Attempts before the fall-back, in torchvision's law and in slipstream's. */
const ATTEMPTS = 10

function between(u: number, [low, high]: readonly [number, number]): number {
  return low + u * (high - low)
}

function logBetween(u: number, [low, high]: readonly [number, number]): number {
  return Math.exp(between(u, [Math.log(low), Math.log(high)]))
}

/**
 * torchvision's RandomResizedCrop.get_params: area and ratio are drawn until the crop fits, its place uniformly; else
 * the central crop of the nearest ratio. Attempt k uses numbers 2k and 2k + 1, the place 20 and 21.
 */
export function torchvisionLaw({ scale, ratio }: RandomResizedParameters): CropLaw {
  return (uniform, width, height) => {
    for (let k = 0; k < ATTEMPTS; k++) {
      const area = width * height * between(uniform(2 * k), scale)
      const aspect = logBetween(uniform(2 * k + 1), ratio)
      const w = roundHalfEven(Math.sqrt(area * aspect))
      const h = roundHalfEven(Math.sqrt(area / aspect))
      if (w > 0 && w <= width && h > 0 && h <= height) {
        const y = Math.floor(uniform(2 * ATTEMPTS) * (height - h + 1))
        const x = Math.floor(uniform(2 * ATTEMPTS + 1) * (width - w + 1))
        return cut(x, y, w, h)
      }
    }
    const own = width / height
    const w = own > ratio[1] ? Math.max(1, roundHalfEven(height * ratio[1])) : width
    const h = own < ratio[0] ? Math.max(1, roundHalfEven(width / ratio[0])) : height
    return cut(Math.floor((width - w) / 2), Math.floor((height - h) / 2), w, h)
  }
}

/** slipstream's place: a target point, moved so that the crop fits; crops of one target point look at the same thing. */
function around(uniform: Uniform, width: number, height: number, w: number, h: number) {
  const place = (target: number, size: number, side: number) => {
    const centre = Math.min(Math.max(target * side, size / 2), side - size / 2)
    return Math.min(Math.max(Math.floor(centre - size / 2 + 0.5), 0), side - size)
  }
  return cut(place(uniform(0), w, width), place(uniform(1), h, height), w, h)
}

function centralSquare(width: number, height: number) {
  const side = Math.min(width, height)
  return cut(Math.floor((width - side) / 2), Math.floor((height - side) / 2), side, side)
}

/** slipstream 0.4's RandomResizedCrop: numbers 0 and 1 are the target point, attempt k uses 2k + 2 and 2k + 3. */
export function slipstreamLaw({ scale, ratio }: RandomResizedParameters): CropLaw {
  return (uniform, width, height) => {
    for (let k = 0; k < ATTEMPTS; k++) {
      const area = width * height * between(uniform(2 * k + 2), scale)
      const aspect = logBetween(uniform(2 * k + 3), ratio)
      const w = Math.floor(Math.sqrt(area * aspect) + 0.5)
      const h = Math.floor(Math.sqrt(area / aspect) + 0.5)
      if (w > 0 && w <= width && h > 0 && h <= height) return around(uniform, width, height, w, h)
    }
    return centralSquare(width, height)
  }
}

/**
 * slipstream 0.4's DirectRandomResizedCrop: only ratios and areas that fit are drawn, so nothing is rejected. Numbers
 * 0 and 1 are the target point, 2 the ratio, 3 the area.
 */
export function directLaw({ scale, ratio }: RandomResizedParameters): CropLaw {
  return (uniform, width, height) => {
    const low = Math.max((width * scale[0]) / height, ratio[0])
    const high = Math.min(width / (height * scale[0]), ratio[1])
    if (low > high) return centralSquare(width, height)
    const aspect = logBetween(uniform(2), [low, high])
    const most = Math.max(Math.min(width / (height * aspect), (height * aspect) / width, scale[1]), scale[0])
    const area = width * height * between(uniform(3), [scale[0], most])
    const w = Math.min(Math.max(Math.floor(Math.sqrt(area * aspect) + 0.5), 1), width)
    const h = Math.min(Math.max(Math.floor(Math.sqrt(area / aspect) + 0.5), 1), height)
    return around(uniform, width, height, w, h)
  }
}
