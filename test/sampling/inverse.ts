import { threefry, viewKey } from '../../src/sampling/random.ts'
import { highWord, TWO_32 } from '../../src/words.ts'

function mix(value: number, key0: number, key1: number): number {
  const h = value ^ key0
  const half = (Math.imul(h ^ (h >>> 16), 0x21f0aaad) + key1) | 0
  return Math.imul(half ^ (half >>> 15), 0x735a2d97) >>> 0
}

/** The position at which `id` stands: the rounds of Permutation taken back, which only a bijection allows. */
export function positionOf(id: number, length: number, seed: number, epoch: number): number {
  const a = Math.ceil(Math.sqrt(length))
  const b = Math.ceil(length / a)
  const key = new Int32Array(2)
  threefry(seed | 0, highWord(seed), epoch | 0, viewKey('order\0') | 0, key)
  const rounds = Array.from({ length: length < 4096 ? 20 : 8 }, (_, round) => {
    const words = new Int32Array(2)
    threefry(key[0] ?? 0, key[1] ?? 0, round, 0, words)
    return [words[0] ?? 0, words[1] ?? 0] as const
  }).reverse()
  let left = Math.floor(id / b)
  let right = id - left * b
  do {
    rounds.forEach(([key0, key1], i) => {
      if (i % 2 === 0) right = (right - Math.floor(mix(left, key0, key1) * (b / TWO_32)) + b) % b
      else left = (left - Math.floor(mix(right, key0, key1) * (a / TWO_32)) + a) % a
    })
  } while (left * b + right >= length)
  return left * b + right
}
