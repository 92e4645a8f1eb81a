/**
 * LZF, which h5py brings to HDF5 as a filter of its own: literal runs, and references to what came up to 8 KiB before. A
 * byte below 32 is the length of a run less 1; others hold three bits of a reference's length less 2 (7: one more byte
 * adds to it) above five bits of its distance less 1, whose other eight follow.
 * Source of the format: the description in LibLZF's lzf.h.
 */

const MOST_LITERALS = 32
const MOST_DISTANCE = 2 ** 13
/** 7 + 255 in the code, and the 2 that it leaves out. */
const MOST_LENGTH = 264
/** Places that are looked up by their next three bytes. */
const TABLE_BITS = 14

/** Written to at most `bytes.length - 1` bytes; undefined where that does not suffice. */
export function lzfCompressed(bytes: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(bytes.length)
  const table = new Int32Array(2 ** TABLE_BITS).fill(-1)
  const limit = bytes.length - 1
  let to = 0
  let literals = 0
  const put = (count: number): boolean => {
    for (let from = literals; from < literals + count; from += MOST_LITERALS) {
      const some = Math.min(MOST_LITERALS, literals + count - from)
      if (to + 1 + some > limit) return false
      out[to++] = some - 1
      out.set(bytes.subarray(from, from + some), to)
      to += some
    }
    return true
  }
  let at = 0
  while (at + 2 < bytes.length) {
    const next = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    const slot = Math.imul(next, 0x9e3779b1) >>> (32 - TABLE_BITS)
    const before = table[slot] as number
    table[slot] = at
    const distance = at - before - 1
    const same =
      before >= 0 &&
      distance < MOST_DISTANCE &&
      bytes[before] === bytes[at] &&
      bytes[before + 1] === bytes[at + 1] &&
      bytes[before + 2] === bytes[at + 2]
    if (!same) {
      at++
      continue
    }
    const most = Math.min(MOST_LENGTH, bytes.length - at)
    let length = 3
    while (length < most && bytes[before + length] === bytes[at + length]) length++
    const code = length - 2
    if (!put(at - literals) || to + (code < 7 ? 2 : 3) > limit) return undefined
    out[to++] = (Math.min(7, code) << 5) | (distance >> 8)
    if (code >= 7) out[to++] = code - 7
    out[to++] = distance & 0xff
    at += length
    literals = at
  }
  return put(bytes.length - literals) && to <= limit ? out.subarray(0, to) : undefined
}

/** The `length` bytes that were compressed. Throws where `packed` holds fewer, more, or what cannot be. */
export function lzfDecompressed(packed: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  let to = 0
  for (let at = 0; at < packed.length; ) {
    const code = packed[at++] as number
    if (code < MOST_LITERALS) {
      const end = at + code + 1
      if (end > packed.length || to + code + 1 > length) throw new Error('an LZF run reaches too far')
      out.set(packed.subarray(at, end), to)
      to += code + 1
      at = end
      continue
    }
    let count = (code >> 5) + 2
    if (count === 9) count += packed[at++] ?? length
    const from = to - ((code & 0x1f) << 8) - (packed[at++] ?? length) - 1
    if (from < 0 || to + count > length) throw new Error('an LZF reference reaches too far')
    // What is referred to may be what is being written.
    for (let i = 0; i < count; i++) out[to + i] = out[from + i] as number
    to += count
  }
  if (to !== length) throw new Error(`LZF of ${to} bytes instead of ${length}`)
  return out
}
