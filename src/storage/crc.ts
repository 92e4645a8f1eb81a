import { native } from '../native.ts'

/** CRC-32C (Castagnoli) of `bytes`, continuing from `before`, by the processor's own instruction. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return native.crc32c(bytes, before)
}

/** CRC-32 (zip's and gzip's) of `bytes`, continuing from `before`: several times as fast as zlib's. */
export function crc32(bytes: Uint8Array, before = 0): number {
  return native.crc32(bytes, before)
}
