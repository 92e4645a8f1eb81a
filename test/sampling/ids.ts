import { createHash } from 'node:crypto'
import type { Sampler } from '../../src/sampling/types.ts'

/** Ids of an epoch, from a position on. */
export function idsOf(sampler: Sampler, epoch = 0, start = 0, count = sampler.length - start): Float64Array {
  const out = new Float64Array(count)
  sampler.prepare(epoch)
  sampler.fill(epoch, start, out)
  return out
}

export const sha256 = (ids: Float64Array): string =>
  createHash('sha256').update(new Uint8Array(ids.buffer)).digest('hex')

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

export const sorted = (ids: Float64Array): number[] => [...ids].sort((a, b) => a - b)
