/** Undoes Snappy within bounds (https://github.com/google/snappy/blob/main/format_description.txt). */

/** A copy of fewer bytes is a loop. */
const SHORT = 16

/** Fills `plain` with what `packed` holds; throws for what does not come to that. */
export function snappyDecode(packed: Uint8Array, plain: Uint8Array): void {
  const end = packed.length
  let at = 0
  let length = 0
  for (let scale = 1, byte = 128; byte > 127; scale *= 128) {
    if (at >= end || scale > 2 ** 28) throw new Error('no length')
    byte = packed[at++] as number
    length += (byte & 127) * scale
  }
  if (length !== plain.length) throw new Error(`${length} bytes instead of ${plain.length}`)
  let out = 0
  while (at < end) {
    const tag = packed[at++] as number
    const kind = tag & 3
    if (kind === 0) {
      let count = (tag >> 2) + 1
      if (count > 60) {
        const bytes = count - 60
        if (at + bytes > end) throw new Error('a literal is cut short')
        count = 1
        for (let i = 0; i < bytes; i++) count += (packed[at++] as number) * 256 ** i
      }
      if (count > end - at || count > length - out) throw new Error('a literal is cut short')
      plain.set(packed.subarray(at, at + count), out)
      at += count
      out += count
      continue
    }
    const bytes = kind === 3 ? 4 : kind
    if (at + bytes > end) throw new Error('a copy is cut short')
    let offset = kind === 1 ? (tag >> 5) << 8 : 0
    for (let i = 0; i < bytes; i++) offset += (packed[at++] as number) * 256 ** i
    const count = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    if (offset === 0 || offset > out || count > length - out) throw new Error(`a copy from ${offset} bytes before`)
    // What is copied may be made by the copy itself.
    if (offset >= count && count >= SHORT) plain.copyWithin(out, out - offset, out - offset + count)
    else for (let i = 0; i < count; i++) plain[out + i] = plain[out + i - offset] as number
    out += count
  }
  if (out !== length) throw new Error(`${out} bytes instead of ${length}`)
}
