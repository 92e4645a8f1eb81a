/** Planes of YUV 4:2:0 by the letter of docs/formats/cache.md, one sample at a time. */

export interface Planes {
  readonly bytes: Uint8Array
  readonly width: number
  readonly height: number
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value))

/** RGB of the whole picture. 'fancy': the triangle filter; 'repeated': each sample of chroma for four pixels. */
export function rgbOf({ bytes, width, height }: Planes, chroma: 'fancy' | 'repeated'): Uint8Array {
  const [halfWidth, halfHeight] = [width / 2, height / 2]
  const sample = (plane: number, x: number, y: number): number => {
    const start = width * height + plane * halfWidth * halfHeight
    return bytes[start + clamp(y, 0, halfHeight - 1) * halfWidth + clamp(x, 0, halfWidth - 1)] as number
  }
  const upsampled = (plane: number, x: number, y: number): number => {
    const [i, j] = [x >> 1, y >> 1]
    if (chroma === 'repeated' || halfWidth <= 2) return sample(plane, i, j)
    const other = y % 2 === 0 ? j - 1 : j + 1
    const column = (at: number): number => 3 * sample(plane, at, j) + sample(plane, at, other)
    return x % 2 === 0 ? (3 * column(i) + column(i - 1) + 8) >> 4 : (3 * column(i) + column(i + 1) + 7) >> 4
  }
  const rgb = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const luma = bytes[y * width + x] as number
      const [b, r] = [upsampled(0, x, y) - 128, upsampled(1, x, y) - 128]
      const at = (y * width + x) * 3
      rgb[at] = clamp(luma + ((91881 * r + 32768) >> 16), 0, 255)
      rgb[at + 1] = clamp(luma + ((-22554 * b - 46802 * r + 32768) >> 16), 0, 255)
      rgb[at + 2] = clamp(luma + ((116130 * b + 32768) >> 16), 0, 255)
    }
  return rgb
}

const f = Math.fround
/** The sum of three products and what is added to them, each step in float32. */
function weighted([r, g, b]: readonly number[], weights: readonly number[], add: number): number {
  const [wr = 0, wg = 0, wb = 0] = weights.map(f)
  return f(f(f(f(wr * (r as number)) + f(wg * (g as number))) + f(wb * (b as number))) + add)
}

/** Planes of RGB pixels, computed in float32; the last column and row are there twice where a side is odd. */
export function planesOf(rgb: Uint8Array, width: number, height: number, rounding: 'nearest' | 'truncate'): Planes {
  const [evenWidth, evenHeight] = [width + (width % 2), height + (height % 2)]
  const half = rounding === 'nearest' ? 0.5 : 0
  const toByte = (value: number): number => Math.floor(clamp(f(value + half), 0, 255))
  const pixel = (x: number, y: number): number[] => {
    const at = (Math.min(y, height - 1) * width + Math.min(x, width - 1)) * 3
    return [...rgb.subarray(at, at + 3)]
  }
  const cb = (x: number, y: number): number => toByte(weighted(pixel(x, y), [-0.168736, -0.331264, 0.5], 128))
  const cr = (x: number, y: number): number => toByte(weighted(pixel(x, y), [0.5, -0.418688, -0.081312], 128))
  const bytes: number[] = []
  for (let y = 0; y < evenHeight; y++)
    for (let x = 0; x < evenWidth; x++) bytes.push(toByte(weighted(pixel(x, y), [0.299, 0.587, 0.114], 0)))
  for (const chroma of [cb, cr])
    for (let y = 0; y < evenHeight; y += 2)
      for (let x = 0; x < evenWidth; x += 2) {
        const sum = chroma(x, y) + chroma(x + 1, y) + chroma(x, y + 1) + chroma(x + 1, y + 1)
        bytes.push(Math.floor(sum / 4 + half))
      }
  return { bytes: Uint8Array.from(bytes), width: evenWidth, height: evenHeight }
}
