import { native } from '../native.ts'

/** CRC-32C (Castagnoli) of `bytes`, continuing from `before`, at the speed of the processor's own instruction. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return native.crc32c(bytes, before)
}
