/** CRC-32C's polynomial (Castagnoli), bits reversed. */
const POLYNOMIAL = 0x82f63b78

/** The constant that masks the checksum of data that hold checksums. */
const MASK = 0xa282ead8

/** As TFRecord, LevelDB and what is built on them store a CRC-32C. */
export function maskedCrc32c(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK) >>> 0
}

/** a * b modulo the polynomial; bit 31 is x^0, as in every reflected CRC. */
function multiply(a: number, b: number): number {
  let product = 0
  let shifted = b
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1
  }
  return product >>> 0
}

/** x^(8 * 2^k), k = 0..52: what k-th doublings of a byte multiply a checksum by. */
const BYTE_POWERS: readonly number[] = (() => {
  let power = 0x40000000 // x^1
  for (let i = 0; i < 3; i++) power = multiply(power, power)
  return Array.from({ length: 53 }, () => {
    const current = power
    power = multiply(power, power)
    return current
  })
})()

/**
 * The CRC-32C of two pieces put together, from the checksum of each and the second one's length in bytes.
 * Lets the checksum of a whole file follow from those of its samples without a second pass over the data.
 * Source: the method of zlib's crc32_combine.
 */
export function combineCrc32c(first: number, second: number, secondBytes: number): number {
  let product = first
  let rest = secondBytes
  for (let k = 0; rest > 0; k++) {
    if (rest % 2 === 1) product = multiply(BYTE_POWERS[k] ?? 0, product)
    rest = Math.floor(rest / 2)
  }
  return (product ^ second) >>> 0
}
