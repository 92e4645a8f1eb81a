import type { Component, Sampling } from './sample.ts'

/** One component's samples; rows are `stride` apart, what lies beyond width and height is not part of it. */
export interface Plane {
  readonly width: number
  readonly height: number
  readonly stride: number
  readonly samples: Uint8ClampedArray
}

type Eight = readonly [number, number, number, number, number, number, number, number]

/** Rounds down after 2^n; the page's integers have no width. */
const descale = (value: number, n: number): number => Math.floor((value + 2 ** (n - 1)) / 2 ** n)

function transform([x0, x1, x2, x3, x4, x5, x6, x7]: Eight, n: number): Eight {
  const z1 = (x2 + x6) * 4433
  const t2 = z1 - x6 * 15137
  const t3 = z1 + x2 * 6270
  const t0 = (x0 + x4) * 8192
  const t1 = (x0 - x4) * 8192
  const p0 = t0 + t3
  const p3 = t0 - t3
  const p1 = t1 + t2
  const p2 = t1 - t2
  const z5 = (x7 + x3 + x5 + x1) * 9633
  const z3 = -(x7 + x3) * 16069 + z5
  const z4 = -(x5 + x1) * 3196 + z5
  const y0 = x7 * 2446 - (x7 + x1) * 7373 + z3
  const y1 = x5 * 16819 - (x5 + x3) * 20995 + z4
  const y2 = x3 * 25172 - (x5 + x3) * 20995 + z3
  const y3 = x1 * 12299 - (x7 + x1) * 7373 + z4
  return [
    descale(p0 + y3, n),
    descale(p1 + y2, n),
    descale(p2 + y1, n),
    descale(p3 + y0, n),
    descale(p3 - y0, n),
    descale(p2 - y1, n),
    descale(p1 - y2, n),
    descale(p0 - y3, n),
  ]
}

const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7] as const

/** Transforms the eight values at `from`, `step` apart, in place. */
function transformLine(block: Float64Array, from: number, step: number, n: number): void {
  const x = (i: number): number => block[from + i * step] as number
  const out = transform([x(0), x(1), x(2), x(3), x(4), x(5), x(6), x(7)], n)
  for (const i of EIGHT) block[from + i * step] = out[i]
}

/** Samples of a component from the coefficients of its rows of blocks. */
export function planeOf(component: Component, strips: readonly Int16Array[]): Plane {
  const stride = 8 * component.across
  const samples = new Uint8ClampedArray(stride * 8 * component.down)
  const block = new Float64Array(64)
  for (const [y, strip] of strips.entries()) {
    for (let x = 0; x < component.across; x++) {
      for (let i = 0; i < 64; i++) block[i] = (strip[64 * x + i] as number) * (component.table[i] as number)
      for (const column of EIGHT) transformLine(block, column, 8, 11)
      for (const row of EIGHT) {
        transformLine(block, 8 * row, 1, 18)
        for (const i of EIGHT) samples[(8 * y + row) * stride + 8 * x + i] = (block[8 * row + i] as number) + 128
      }
    }
  }
  return { width: component.width, height: component.height, stride, samples }
}

/** A sample of a component; beyond its edges the nearest one. */
function near({ width, height, stride, samples }: Plane, x: number, y: number): number {
  return samples[clamp(y, height - 1) * stride + clamp(x, width - 1)] as number
}

const clamp = (value: number, most: number): number => Math.max(0, Math.min(value, most))

/** The neighbour that counts for a quarter. */
const beside = (position: number): number => (position >> 1) + ((position & 1) === 0 ? -1 : 1)

type Upsampler = (plane: Plane, x: number, y: number) => number

/** The sample of components 1 and 2 at the picture's (x, y). */
export const upsamplers: Readonly<Record<Sampling, Upsampler>> = {
  '11': near,
  '21': (plane, x, y) => {
    if (plane.width <= 2) return near(plane, x >> 1, y)
    return (3 * near(plane, x >> 1, y) + near(plane, beside(x), y) + 1 + (x & 1)) >> 2
  },
  '12': (plane, x, y) => (3 * near(plane, x, y >> 1) + near(plane, x, beside(y)) + 1 + (y & 1)) >> 2,
  '22': (plane, x, y) => {
    if (plane.width <= 2) return near(plane, x >> 1, y >> 1)
    const column = (i: number): number => 3 * near(plane, i, y >> 1) + near(plane, i, beside(y))
    return (3 * column(x >> 1) + column(beside(x)) + 8 - (x & 1)) >> 4
  },
  '41': (plane, x, y) => near(plane, x >> 2, y),
}

/** RGB of one pixel, written at `offset`. */
export function writeColour(out: Uint8ClampedArray, offset: number, y: number, cb: number, cr: number): void {
  const b = cb - 128
  const r = cr - 128
  out[offset] = y + ((91881 * r + 32768) >> 16)
  out[offset + 1] = y + ((-22554 * b - 46802 * r + 32768) >> 16)
  out[offset + 2] = y + ((116130 * b + 32768) >> 16)
}
