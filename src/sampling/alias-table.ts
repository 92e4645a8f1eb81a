/**
 * Draws from weights in constant time (A. J. Walker; construction of M. D. Vose): each of n equal cells belongs to its own
 * sample up to a share, and to one other behind it. Twelve bytes a sample. Frozen: resumed runs depend on it.
 */
export class AliasTable {
  readonly #shares: Float64Array
  readonly #others: Uint32Array

  /** Weights of 0 .. 1, at least one above 0. */
  constructor(weights: Float64Array) {
    const n = weights.length
    let sum = 0
    for (const weight of weights) sum += weight
    const shares = weights.map((weight) => (weight * n) / sum)
    const others = new Uint32Array(n)
    // One array, two stacks: cells with too little from the front, those with enough from the back.
    const stacks = new Uint32Array(n)
    let poor = 0
    let rich = n
    for (let i = 0; i < n; i++) stacks[(shares[i] as number) < 1 ? poor++ : --rich] = i
    while (poor > 0 && rich < n) {
      const taker = stacks[--poor] as number
      const giver = stacks[rich] as number
      others[taker] = giver
      const left = (shares[giver] as number) + (shares[taker] as number) - 1
      shares[giver] = left
      if (left < 1) {
        rich++
        stacks[poor++] = giver
      }
    }
    // What is left over has a share of 1 but for rounding.
    while (poor > 0) shares[stacks[--poor] as number] = 1
    while (rich < n) shares[stacks[rich++] as number] = 1
    this.#shares = shares
    this.#others = others
  }

  /** The sample that two numbers of [0, 1) draw: one for the cell, one for whose part of it. */
  at(cell: number, part: number): number {
    const n = this.#shares.length
    const i = Math.min(n - 1, Math.floor(cell * n))
    return part < (this.#shares[i] as number) ? i : (this.#others[i] as number)
  }
}
