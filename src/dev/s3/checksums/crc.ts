/** CRCs by tables, eight bytes at a time. All three are reflected, begin with ones and end inverted. */

export interface CrcParameters {
  /** Bits: 32 or 64. */
  readonly width: 32 | 64
  /** The polynomial, bits reversed. */
  readonly polynomial: bigint
}

export const CRC32: CrcParameters = { width: 32, polynomial: 0xedb88320n }
export const CRC32C: CrcParameters = { width: 32, polynomial: 0x82f63b78n }
export const CRC64NVME: CrcParameters = { width: 64, polynomial: 0x9a6c9329ac4bc9b5n }

/** Table k takes a byte that k more bytes follow. Lower and upper 32 bits apart, for 64-bit integers are slow. */
interface Tables {
  readonly low: Uint32Array
  readonly high: Uint32Array
}

const made = new Map<CrcParameters, Tables>()

function tablesOf(parameters: CrcParameters): Tables {
  const known = made.get(parameters)
  if (known !== undefined) return known
  const tables: Tables = { low: new Uint32Array(2048), high: new Uint32Array(2048) }
  const { low, high } = tables
  for (let byte = 0; byte < 256; byte++) {
    let crc = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ parameters.polynomial : crc >> 1n
    low[byte] = Number(crc & 0xffffffffn)
    high[byte] = Number(crc >> 32n)
  }
  for (let i = 256; i < 2048; i++) {
    const before = low[i - 256] ?? 0
    const above = high[i - 256] ?? 0
    low[i] = ((before >>> 8) | (above << 24)) ^ (low[before & 255] ?? 0)
    high[i] = (above >>> 8) ^ (high[before & 255] ?? 0)
  }
  made.set(parameters, tables)
  return tables
}

export class Crc {
  readonly #parameters: CrcParameters
  readonly #tables: Tables
  #low = -1
  #high: number

  constructor(parameters: CrcParameters) {
    this.#parameters = parameters
    this.#tables = tablesOf(parameters)
    this.#high = parameters.width === 64 ? -1 : 0
  }

  update(bytes: Uint8Array): this {
    const { low, high } = this.#tables
    const wide = this.#parameters.width === 64
    let a = this.#low
    let b = this.#high
    let i = 0
    // `as number`: indices are in range by construction, and a `??` costs a fifth of the speed here
    for (; i + 8 <= bytes.length; i += 8) {
      const word = (at: number) =>
        (bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24)
      const x = a ^ word(i)
      const y = b ^ word(i + 4)
      const i7 = 1792 + (x & 255)
      const i6 = 1536 + ((x >>> 8) & 255)
      const i5 = 1280 + ((x >>> 16) & 255)
      const i4 = 1024 + (x >>> 24)
      const i3 = 768 + (y & 255)
      const i2 = 512 + ((y >>> 8) & 255)
      const i1 = 256 + ((y >>> 16) & 255)
      const i0 = y >>> 24
      a =
        (low[i7] as number) ^
        (low[i6] as number) ^
        (low[i5] as number) ^
        (low[i4] as number) ^
        (low[i3] as number) ^
        (low[i2] as number) ^
        (low[i1] as number) ^
        (low[i0] as number)
      if (wide)
        b =
          (high[i7] as number) ^
          (high[i6] as number) ^
          (high[i5] as number) ^
          (high[i4] as number) ^
          (high[i3] as number) ^
          (high[i2] as number) ^
          (high[i1] as number) ^
          (high[i0] as number)
      else b = 0
    }
    for (; i < bytes.length; i++) {
      const index = (a ^ (bytes[i] as number)) & 255
      a = ((a >>> 8) | (b << 24)) ^ (low[index] as number)
      b = (b >>> 8) ^ (high[index] as number)
    }
    this.#low = a
    this.#high = b
    return this
  }

  /** Most significant byte first. */
  digest(): Buffer {
    const wide = this.#parameters.width === 64
    const out = Buffer.alloc(wide ? 8 : 4)
    if (wide) out.writeUInt32BE(~this.#high >>> 0, 0)
    out.writeUInt32BE(~this.#low >>> 0, wide ? 4 : 0)
    return out
  }
}

/** a * b modulo the polynomial; the top bit is x^0, as in every reflected CRC. */
function multiply({ width, polynomial }: CrcParameters, a: bigint, b: bigint): bigint {
  let product = 0n
  let shifted = b
  for (let bit = BigInt(width - 1); bit >= 0n; bit--) {
    if ((a >> bit) & 1n) product ^= shifted
    shifted = shifted & 1n ? (shifted >> 1n) ^ polynomial : shifted >> 1n
  }
  return product
}

/** x^(8 * bytes): what that many bytes after it multiply a checksum by. */
function powerOf(parameters: CrcParameters, bytes: number): bigint {
  const top = BigInt(parameters.width - 1)
  let power = 1n << (top - 8n)
  let product = 1n << top
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) product = multiply(parameters, power, product)
    power = multiply(parameters, power, power)
  }
  return product
}

/** The CRC of pieces put one after the other, from each one's CRC and length in bytes. */
export function combineCrcs(
  parameters: CrcParameters,
  pieces: readonly { readonly digest: Buffer; readonly bytes: number }[],
): Buffer {
  const powers = new Map<number, bigint>()
  let combined = 0n
  for (const { digest, bytes } of pieces) {
    const power = powers.get(bytes) ?? powerOf(parameters, bytes)
    powers.set(bytes, power)
    combined = multiply(parameters, power, combined) ^ BigInt(`0x${digest.toString('hex')}`)
  }
  return Buffer.from(combined.toString(16).padStart(parameters.width / 4, '0'), 'hex')
}
