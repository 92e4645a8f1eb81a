import { Mt19937 } from '../../vision/mt19937.ts'
import type { Picture } from './jpeg-writer.ts'

export interface NoiseOptions {
  readonly seed: number
  readonly width: number
  readonly height: number
  readonly components: 1 | 3
  readonly factors: Picture['factors']
  /** Entries of the quantisation tables are 1 to this. */
  readonly coarsest: number
}

/** Absolute values, dequantised, that columns k and k + 4 of a packed block may sum to. */
export const COLUMN_LIMIT = 5792
/** The largest coefficient of a JPEG of 8 bits; DC reaches one further down. */
export const JPEG_LIMIT = 1023

/**
 * A picture of random coefficients of every magnitude, nibbles to 16 bits, up to the limit of what is packed. Its
 * clamped, noisy samples show every error of rounding, order or neighbourhood.
 */
export function noise({ seed, width, height, components, factors, coarsest }: NoiseOptions): Picture {
  const random = new Mt19937(seed)
  const below = (n: number): number => Math.floor(random.double() * n)
  const tables = Array.from({ length: components }, () => Uint16Array.from({ length: 64 }, () => 1 + below(coarsest)))
  const density = random.double()

  const block = (component: number): Int32Array => {
    const coefficients = new Int32Array(64)
    const left = [COLUMN_LIMIT, COLUMN_LIMIT, COLUMN_LIMIT, COLUMN_LIMIT]
    for (let i = 0; i < 64; i++) {
      // starts anywhere, so that the limit is not always used up by the first rows
      const place = (i * 37 + seed) % 64
      if (random.double() > density) continue
      const entry = tables[component]?.[place] as number
      const most = Math.floor((left[place % 4] as number) / entry)
      const magnitude = below(Math.min(most, [7, 127, JPEG_LIMIT][below(3)] as number) + 1)
      left[place % 4] = (left[place % 4] as number) - magnitude * entry
      coefficients[place] = below(2) === 0 ? magnitude : -magnitude
    }
    return coefficients
  }
  return { width, height, factors, tables, block }
}
