/** bzip2's marks and checksum. Source of the format: the description of bzip2 1.0 by its behaviour and file structure. */

/** Begins a block: pi in decimal digits, as two halves of 24 bits. */
export const BLOCK_MARK = [0x314159, 0x265359] as const
/** Ends a stream: the square root of pi. */
export const END_MARK = [0x177245, 0x385090] as const
/** Symbols of one selector. */
export const GROUP = 50
/** Bytes of a block for each level. */
export const LEVEL_BYTES = 100_000
export const MAX_CODE_BITS = 20

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1
  return crc
})

/** CRC-32 with the highest bit first, which zlib's is not. Begin with 0xffffffff, and invert what comes out. */
export function blockCrc(bytes: Uint8Array, before: number): number {
  let crc = before
  for (const byte of bytes) crc = (crc << 8) ^ (TABLE[(crc >>> 24) ^ byte] ?? 0)
  return crc
}

/** The checksum of a stream after one more block. */
export function combined(stream: number, block: number): number {
  return ((stream << 1) | (stream >>> 31)) ^ block
}
