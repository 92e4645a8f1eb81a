/** The checksum of HDF5's metadata: Bob Jenkins's lookup3 (`hashlittle`, in the public domain) with an initial value of 0. */

const rotated = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))

/** The little-endian word at `at`; bytes from `end` on count as 0. */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0
  for (let i = Math.min(4, end - at) - 1; i >= 0; i--) word = (word << 8) | (bytes[at + i] as number)
  return word
}

/** Of the bytes from `start` to `end`, as an unsigned 32-bit number. */
export function lookup3(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let a = (0xdeadbeef + (end - start)) | 0
  let b = a
  let c = a
  let at = start
  for (; end - at > 12; at += 12) {
    a = (a + wordAt(bytes, at, end)) | 0
    b = (b + wordAt(bytes, at + 4, end)) | 0
    c = (c + wordAt(bytes, at + 8, end)) | 0
    a = (a - c) ^ rotated(c, 4)
    c = (c + b) | 0
    b = (b - a) ^ rotated(a, 6)
    a = (a + c) | 0
    c = (c - b) ^ rotated(b, 8)
    b = (b + a) | 0
    a = (a - c) ^ rotated(c, 16)
    c = (c + b) | 0
    b = (b - a) ^ rotated(a, 19)
    a = (a + c) | 0
    c = (c - b) ^ rotated(b, 4)
    b = (b + a) | 0
  }
  if (at === end) return c >>> 0
  a = (a + wordAt(bytes, at, end)) | 0
  b = (b + wordAt(bytes, at + 4, end)) | 0
  c = (c + wordAt(bytes, at + 8, end)) | 0
  c = ((c ^ b) - rotated(b, 14)) | 0
  a = ((a ^ c) - rotated(c, 11)) | 0
  b = ((b ^ a) - rotated(a, 25)) | 0
  c = ((c ^ b) - rotated(b, 16)) | 0
  a = ((a ^ c) - rotated(c, 4)) | 0
  b = ((b ^ a) - rotated(a, 14)) | 0
  c = ((c ^ b) - rotated(b, 24)) | 0
  return c >>> 0
}
