/** Words of the Mersenne Twister's state (MT19937), and how far apart those are that make a new one. */
const SIZE = 624
const SHIFT = 397
const TWIST = 0x9908b0df

/** Two to the 53rd: what 53 random bits are divided by. */
const TWO_53 = 9007199254740992

/**
 * NumPy's `RandomState`, as far as DLIO draws from it: MT19937 with Knuth's seeding and the polar method, two numbers at
 * a time. Its stream is frozen (NEP 19), so it is the same in every version of NumPy, and the same bits here: the one
 * function that a platform may round otherwise is the logarithm, by less than what a whole number shows.
 */
export class LegacyRandom {
  readonly #state = new Uint32Array(SIZE)
  #at = SIZE

  /** `seed`: 0 to 2^32 - 1. */
  constructor(seed: number) {
    let word = seed >>> 0
    for (let i = 0; i < SIZE; i++) {
      this.#state[i] = word
      word = (Math.imul(1812433253, word ^ (word >>> 30)) + i + 1) >>> 0
    }
  }

  /** The next two numbers of the standard normal distribution, in the order in which NumPy gives them. */
  normalPair(out: Float64Array): void {
    let x = 0
    let y = 0
    let square = 0
    do {
      x = 2 * this.#uniform() - 1
      y = 2 * this.#uniform() - 1
      square = x * x + y * y
    } while (square >= 1 || square === 0)
    const scale = Math.sqrt((-2 * Math.log(square)) / square)
    out[0] = scale * y
    out[1] = scale * x
  }

  /** Where the stream is, for `restore`. */
  save(): Uint32Array {
    const saved = new Uint32Array(SIZE + 1)
    saved.set(this.#state)
    saved[SIZE] = this.#at
    return saved
  }

  restore(saved: Uint32Array): void {
    this.#state.set(saved.subarray(0, SIZE))
    this.#at = saved[SIZE] ?? SIZE
  }

  /** 53 bits of two words, in [0, 1). */
  #uniform(): number {
    const high = this.#word() >>> 5
    const low = this.#word() >>> 6
    return (high * 67108864 + low) / TWO_53
  }

  #word(): number {
    if (this.#at === SIZE) this.#twist()
    let word = this.#state[this.#at++] as number
    word ^= word >>> 11
    word ^= (word << 7) & 0x9d2c5680
    word ^= (word << 15) & 0xefc60000
    return (word ^ (word >>> 18)) >>> 0
  }

  #twist(): void {
    const state = this.#state
    let word = state[0] as number
    for (let i = 0; i < SIZE; i++) {
      // Two comparisons and not a remainder: this is most of what a draw costs.
      const next = state[i + 1 === SIZE ? 0 : i + 1] as number
      const far = state[i + SHIFT < SIZE ? i + SHIFT : i + SHIFT - SIZE] as number
      const joined = (word & 0x80000000) | (next & 0x7fffffff)
      state[i] = far ^ (joined >>> 1) ^ (joined & 1 ? TWIST : 0)
      word = next
    }
    this.#at = 0
  }
}
