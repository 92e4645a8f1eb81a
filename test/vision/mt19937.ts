/** NumPy's RandomState doubles: MT19937 seeded by init_genrand, 53 bits from two words (Matsumoto and Nishimura 1998). */
export class Mt19937 {
  readonly #state = new Uint32Array(624)
  #at = 624

  constructor(seed: number) {
    this.#state[0] = seed
    for (let i = 1; i < 624; i++) {
      const before = this.#state[i - 1] as number
      this.#state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i
    }
  }

  double(): number {
    const high = this.#word() >>> 5
    const low = this.#word() >>> 6
    return (high * 67108864 + low) / 9007199254740992
  }

  #word(): number {
    if (this.#at === 624) this.#twist()
    let y = this.#state[this.#at++] as number
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }

  #twist(): void {
    const s = this.#state
    for (let k = 0; k < 624; k++) {
      const y = ((s[k] as number) & 0x80000000) | ((s[(k + 1) % 624] as number) & 0x7fffffff)
      s[k] = (s[(k + 397) % 624] as number) ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
    }
    this.#at = 0
  }
}
