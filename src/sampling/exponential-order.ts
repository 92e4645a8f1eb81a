import { naturalLog } from './natural-log.ts'
import { Draws } from './random.ts'

/** Indices by key, ascending, equal keys by index: radix sort over the bytes of doubles of 0 or more. */
function sortedIndices(keys: Float64Array): Uint32Array {
  const n = keys.length
  // Doubles of 0 or more are ordered as their bits are; the lowest digit comes first in memory. Many keys are worth a
  // large table of places.
  const digits = n < 2 ** 16 ? new Uint8Array(keys.buffer) : new Uint16Array(keys.buffer)
  const perKey = 8 / digits.BYTES_PER_ELEMENT
  let from = new Uint32Array(n)
  for (let i = 0; i < n; i++) from[i] = i
  let to = new Uint32Array(n)
  const places = new Uint32Array(2 ** (8 * digits.BYTES_PER_ELEMENT))
  for (let which = 0; which < perKey; which++) {
    places.fill(0)
    for (let i = which; i < digits.length; i += perKey) {
      const digit = digits[i] as number
      places[digit] = (places[digit] as number) + 1
    }
    if (places.includes(n)) continue
    let next = 0
    for (let digit = 0; digit < places.length; digit++) {
      const count = places[digit] as number
      places[digit] = next
      next += count
    }
    for (let i = 0; i < n; i++) {
      const index = from[i] as number
      const digit = digits[perKey * index + which] as number
      const place = places[digit] as number
      to[place] = index
      places[digit] = place + 1
    }
    const spare = from
    from = to
    to = spare
  }
  return from
}

/**
 * The samples with weights above 0 in the order in which they are drawn by weight, none twice (P. S. Efraimidis and P. G.
 * Spirakis, "Weighted random sampling with a reservoir", 2006): by -ln(u) / weight, ascending. Frozen: resumed runs depend
 * on it. Four bytes a sample, twenty while it is made.
 */
export function exponentialOrder(
  weights: Float64Array,
  positive: number,
  { seed, epoch, stream }: { readonly seed: number; readonly epoch: number; readonly stream: number },
): Uint32Array {
  const draws = new Draws(seed, epoch, stream)
  const ids = new Uint32Array(positive)
  const keys = new Float64Array(positive)
  let next = 0
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id] as number
    if (weight === 0) continue
    draws.begin(id)
    ids[next] = id
    // 1 - u is above 0. A quotient beyond all numbers is Infinity, which sorts last; -0 would sort behind it.
    keys[next++] = Math.abs(naturalLog(1 - draws.at(0))) / weight
  }
  const order = sortedIndices(keys)
  for (let i = 0; i < order.length; i++) order[i] = ids[order[i] as number] as number
  return order
}
