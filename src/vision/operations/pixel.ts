import { finiteNumber, show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { FlipOperation, NormalizeOperation } from './types.ts'

/** Mirrors left and right with probability `p`. */
export function randomHorizontalFlip(p = 0.5): FlipOperation {
  return { operation: 'flip', probability: finiteNumber('p', p, 0, 1) }
}

export interface Statistics {
  /** Per channel R, G, B, of values in 0..1 (not 0..255). */
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

/** The channel statistics of ImageNet's training pictures, as torchvision's models expect them. */
export const imagenet: Statistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }

function triple(name: string, value: unknown, min: number, max: number): readonly [number, number, number] {
  if (!Array.isArray(value) || value.length !== 3)
    throw new HeadraceError('E_USAGE', `${name} must be three numbers, but got ${show(value)}`)
  const [r, g, b] = value.map((v, c) => finiteNumber(`${name}[${c}]`, v, min, max)) as [number, number, number]
  return [r, g, b]
}

/**
 * (value / 255 - mean) / std per channel, in float32 (or float16): float32(float32(value * scale) + bias) with
 * scale = float32(1 / (255 std)) and bias = float32(-mean / std), the same bits on every processor.
 */
export function normalize(statistics: Statistics): NormalizeOperation
export function normalize(mean: readonly number[], std: readonly number[]): NormalizeOperation
export function normalize(first: Statistics | readonly number[], second?: readonly number[]): NormalizeOperation {
  const given = second === undefined ? (first as Statistics) : { mean: first, std: second }
  if (typeof given !== 'object' || given === null)
    throw new HeadraceError('E_USAGE', `normalize needs { mean, std } or (mean, std), but got ${show(first)}`)
  return { operation: 'normalize', mean: triple('mean', given.mean, 0, 1), std: triple('std', given.std, 1e-6, 10) }
}
