/** Numbers of seven bits a byte, the lowest first; all but the last byte have their highest bit set. */

/** `value`: a whole number from 0 to 2^53 - 1. */
export function varint(value: number): number[] {
  const bytes: number[] = []
  let left = value
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80)
  return [...bytes, left]
}

/** Reads such numbers, and bytes, from front to back. Throws where there are no more. */
export class VarintReader {
  readonly #bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes
    this.at = at
  }

  get left(): number {
    return this.#bytes.length - this.at
  }

  number(): number {
    let value = 0
    for (let place = 1; place < 2 ** 56; place *= 128) {
      const [byte = 0] = this.take(1)
      value += (byte & 0x7f) * place
      if (byte < 0x80) return value
    }
    throw new Error('a number of more than eight bytes')
  }

  take(count: number): Uint8Array {
    if (count > this.left) throw new Error(`${count} bytes where ${this.left} are left`)
    this.at += count
    return this.#bytes.subarray(this.at - count, this.at)
  }
}
