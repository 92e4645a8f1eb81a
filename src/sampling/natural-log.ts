/** s^2 is at most 0.0295: what is left out is below 2^-57 of the sum. */
const TERMS = 11

const bits = new DataView(new ArrayBuffer(8))

/**
 * ln(x) of a normal number above 0, by arithmetic alone: an engine's Math.log may give another last bit in another
 * version, and the order must not change with it. x = m * 2^e with m around 1, ln m = 2 artanh((m - 1) / (m + 1)).
 */
export function naturalLog(x: number): number {
  bits.setFloat64(0, x)
  const high = bits.getUint32(0)
  let exponent = (high >>> 20) - 1023
  bits.setUint32(0, (high & 0xfffff) | 0x3ff00000)
  let m = bits.getFloat64(0)
  if (m > Math.SQRT2) {
    m /= 2
    exponent++
  }
  const s = (m - 1) / (m + 1)
  const square = s * s
  let sum = 0
  for (let k = TERMS - 1; k >= 0; k--) sum = sum * square + 1 / (2 * k + 1)
  return exponent * Math.LN2 + 2 * s * sum
}
