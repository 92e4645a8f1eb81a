import { MAX_JPEG_SIDE } from '../formats/jpeg.ts'
import { BOX_COLUMNS } from '../native.ts'
import type { CropBox, Rect } from './crops/types.ts'

/** What of a picture becomes a view: as rows of numbers, which the addon reads, and as a recorded plan has it. */

/** One picture of a recorded plan: what of it becomes each view. */
export interface RecordedBox extends CropBox {
  readonly flip: boolean
}

export function isRect(rect: Rect | undefined): rect is Rect {
  return (
    rect !== undefined &&
    [rect.x, rect.y, rect.width, rect.height].every((n) => Number.isFinite(n)) &&
    rect.width > 0 &&
    rect.height > 0
  )
}

/** Boxes may reach out of their pictures, but not by more than a picture can be large. */
export function isNear({ x, y, width, height }: Rect): boolean {
  return [x, y, width, height].every((n) => Math.abs(n) <= 2 * MAX_JPEG_SIDE)
}

export function isInside({ x, y, width, height }: Rect, pictureWidth: number, pictureHeight: number): boolean {
  const whole = [x, y, width, height].every((n) => Number.isInteger(n))
  return whole && x >= 0 && y >= 0 && x + width <= pictureWidth && y + height <= pictureHeight
}

export function writeBox(
  boxes: Float64Array,
  index: number,
  clip: CropBox['clip'],
  box: CropBox['box'],
  flip: boolean,
): void {
  const at = index * BOX_COLUMNS
  boxes[at] = clip.x
  boxes[at + 1] = clip.y
  boxes[at + 2] = clip.width
  boxes[at + 3] = clip.height
  boxes[at + 4] = box.x
  boxes[at + 5] = box.y
  boxes[at + 6] = box.width
  boxes[at + 7] = box.height
  boxes[at + 8] = flip ? 1 : 0
}

export function boxAt(boxes: Float64Array, index: number): RecordedBox {
  const [cx = 0, cy = 0, cw = 0, ch = 0, x = 0, y = 0, width = 0, height = 0, flip = 0] = boxes.subarray(
    index * BOX_COLUMNS,
  )
  return { clip: { x: cx, y: cy, width: cw, height: ch }, box: { x, y, width, height }, flip: flip === 1 }
}
