/** A rectangle of a picture: whole pixels, or pixel edges where the numbers are not whole. */
export interface Rect {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/**
 * What of a picture becomes the output. `box` is stretched to the output size; pixels outside `clip` do not exist for
 * the filter. A crop that is cut out before it is resized has box = clip; one that is cut out after resizing the whole
 * picture has the picture as its clip.
 */
export interface CropBox {
  readonly clip: Rect
  readonly box: Rect
}

/** Random numbers of one sample and view, uniform in [0, 1): number i, the same each time it is asked for. */
export type Uniform = (i: number) => number

/** Which part of a picture of the given size. Pure. */
export type CropLaw = (uniform: Uniform, width: number, height: number) => CropBox

export function cut(x: number, y: number, width: number, height: number): CropBox {
  const rect = { x, y, width, height }
  return { clip: rect, box: rect }
}
