/** A 64-bit number as two words of 32 bits, as files and keys have it. Exact up to 2^53. */
export const TWO_32 = 2 ** 32

export function fromWords(low: number, high: number): number {
  return low + high * TWO_32
}

export function lowWord(value: number): number {
  return value % TWO_32
}

export function highWord(value: number): number {
  return Math.floor(value / TWO_32)
}
