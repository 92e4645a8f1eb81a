import { nonNegativeInteger } from '../checks.ts'
import { highWord } from '../words.ts'

/**
 * Random numbers by name instead of by turn: every draw is a pure function of (seed, epoch, view, sample, repeat,
 * index), so it does not matter which rank, worker or slot asks for it, or when.
 */

/** Largest epoch, view key, repeat and draw index: each fills one 32-bit word of a Threefry block. */
export const MAX_WORD = 0xffffffff

/** Ties the third key word to the first two (Skein's C240, its low 32 bits, as in Random123). */
const PARITY = 0x1bd11bda

/**
 * Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11), equal to
 * Random123 and JAX. Writes the two words of block (counter0, counter1) under key (key0, key1) to `out[0..1]`.
 */
export function threefry(key0: number, key1: number, counter0: number, counter1: number, out: Int32Array): void {
  const key2 = PARITY ^ key0 ^ key1
  let a = (counter0 + key0) | 0
  let b = (counter1 + key1) | 0
  // Unrolled: V8 keeps both words in registers only without the table of rotations.
  a = (a + b) | 0
  b = ((b << 13) | (b >>> 19)) ^ a
  a = (a + b) | 0
  b = ((b << 15) | (b >>> 17)) ^ a
  a = (a + b) | 0
  b = ((b << 26) | (b >>> 6)) ^ a
  a = (a + b) | 0
  b = ((b << 6) | (b >>> 26)) ^ a
  a = (a + key1) | 0
  b = (b + key2 + 1) | 0
  a = (a + b) | 0
  b = ((b << 17) | (b >>> 15)) ^ a
  a = (a + b) | 0
  b = ((b << 29) | (b >>> 3)) ^ a
  a = (a + b) | 0
  b = ((b << 16) | (b >>> 16)) ^ a
  a = (a + b) | 0
  b = ((b << 24) | (b >>> 8)) ^ a
  a = (a + key2) | 0
  b = (b + key0 + 2) | 0
  a = (a + b) | 0
  b = ((b << 13) | (b >>> 19)) ^ a
  a = (a + b) | 0
  b = ((b << 15) | (b >>> 17)) ^ a
  a = (a + b) | 0
  b = ((b << 26) | (b >>> 6)) ^ a
  a = (a + b) | 0
  b = ((b << 6) | (b >>> 26)) ^ a
  a = (a + key0) | 0
  b = (b + key1 + 3) | 0
  a = (a + b) | 0
  b = ((b << 17) | (b >>> 15)) ^ a
  a = (a + b) | 0
  b = ((b << 29) | (b >>> 3)) ^ a
  a = (a + b) | 0
  b = ((b << 16) | (b >>> 16)) ^ a
  a = (a + b) | 0
  b = ((b << 24) | (b >>> 8)) ^ a
  a = (a + key1) | 0
  b = (b + key2 + 4) | 0
  a = (a + b) | 0
  b = ((b << 13) | (b >>> 19)) ^ a
  a = (a + b) | 0
  b = ((b << 15) | (b >>> 17)) ^ a
  a = (a + b) | 0
  b = ((b << 26) | (b >>> 6)) ^ a
  a = (a + b) | 0
  b = ((b << 6) | (b >>> 26)) ^ a
  out[0] = a + key2
  out[1] = b + key0 + 5
}

/** The 32-bit key of a named view or stream: FNV-1a of the name's UTF-8 bytes. */
export function viewKey(name: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/**
 * The draws of one view in one epoch. Made once per epoch and view, then pointed at sample after sample with `begin`;
 * no call allocates. Draw i of a sample is the same number whatever was drawn before.
 */
export class Draws {
  readonly #block = new Int32Array(2)
  readonly #epochKey0: number
  readonly #epochKey1: number
  #sampleKey0 = 0
  #sampleKey1 = 0
  #repeat = 0

  /** `seed`: an integer of 0 or more; `epoch` and `view` (see `viewKey`): 32 bits each. E_USAGE otherwise. */
  constructor(seed: number, epoch: number, view = 0) {
    nonNegativeInteger('seed', seed)
    nonNegativeInteger('epoch', epoch, MAX_WORD)
    nonNegativeInteger('view', view, MAX_WORD)
    const block = this.#block
    threefry(seed | 0, highWord(seed) | 0, epoch | 0, view | 0, block)
    this.#epochKey0 = block[0] ?? 0
    this.#epochKey1 = block[1] ?? 0
    this.begin(0)
  }

  /** Turns to a sample; `repeat` counts its appearances within the epoch (padding, replacement), from 0. */
  begin(sample: number, repeat = 0): void {
    const block = this.#block
    threefry(this.#epochKey0, this.#epochKey1, sample | 0, highWord(sample) | 0, block)
    this.#sampleKey0 = block[0] ?? 0
    this.#sampleKey1 = block[1] ?? 0
    this.#repeat = repeat | 0
  }

  /** Draw `index` (32 bits) of this sample: uniform in [0, 1), a multiple of 2^-53. */
  at(index: number): number {
    const block = this.#block
    threefry(this.#sampleKey0, this.#sampleKey1, index | 0, this.#repeat, block)
    return (((block[0] ?? 0) >>> 5) * 67108864 + ((block[1] ?? 0) >>> 6)) / 9007199254740992
  }
}
