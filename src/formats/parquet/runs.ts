/** Reads Parquet's hybrid of runs and bit-packed groups of eight values. */

/**
 * Reads `count` values of `bitWidth` bits that lie from `at` to `end`; `onRun` gets what repeats, `onPacked` where groups
 * of eight lie, of which the last may reach beyond `count`. False where the bytes end before, or hold more than they may.
 */
function readRuns(
  bytes: Uint8Array,
  at: number,
  end: number,
  bitWidth: number,
  count: number,
  onRun: (value: number, from: number, to: number) => void,
  onPacked: (at: number, from: number, to: number) => void,
): boolean {
  const valueBytes = (bitWidth + 7) >> 3
  let done = 0
  while (done < count) {
    let head = 0
    for (let shift = 1, more = true; more; shift *= 128) {
      if (at >= end || shift > 2 ** 35) return false
      const byte = bytes[at++] as number
      head += (byte & 127) * shift
      more = byte > 127
    }
    if (head % 2 === 1) {
      const groups = (head - 1) / 2
      const length = groups * bitWidth
      const to = Math.min(count, done + groups * 8)
      // The last group may be cut where its values are not needed.
      if (groups === 0 || at + Math.ceil(((to - done) * bitWidth) / 8) > end) return false
      onPacked(at, done, to)
      done = to
      at += length
    } else {
      const to = done + head / 2
      if (head === 0 || at + valueBytes > end || to > count) return false
      let value = 0
      for (let i = 0; i < valueBytes; i++) value += (bytes[at++] as number) * 256 ** i
      onRun(value, done, to)
      done = to
    }
  }
  return true
}

/** Unpacks values of up to 32 bits that lie from byte `at` on. */
function unpack(
  bytes: Uint8Array,
  at: number,
  bitWidth: number,
  out: Uint32Array | Uint8Array,
  from: number,
  to: number,
): void {
  if (bitWidth === 0) {
    out.fill(0, from, to)
    return
  }
  if (bitWidth === 8) {
    for (let i = from; i < to; i++) out[i] = bytes[at++] as number
    return
  }
  if (bitWidth > 24) {
    unpackWide(bytes, at, bitWidth, out, from, to)
    return
  }
  const mask = 2 ** bitWidth - 1
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // A word of four bytes holds 24 bits from any bit of its first byte on.
  const whole = Math.min(to, from + Math.max(0, Math.floor(((bytes.length - at - 4) * 8) / bitWidth)))
  let bit = 0
  let i = from
  for (; i < whole; i++, bit += bitWidth) out[i] = (view.getUint32(at + (bit >> 3), true) >>> (bit & 7)) & mask
  for (; i < to; i++, bit += bitWidth) {
    let word = 0
    for (let byte = 3; byte >= 0; byte--) word = (word << 8) | (bytes[at + (bit >> 3) + byte] ?? 0)
    out[i] = (word >>> (bit & 7)) & mask
  }
}

/** Beyond 24 bits a word of 32 would run over. */
function unpackWide(
  bytes: Uint8Array,
  at: number,
  bitWidth: number,
  out: Uint32Array | Uint8Array,
  from: number,
  to: number,
): void {
  let bit = at * 8
  for (let i = from; i < to; i++) {
    let value = 0
    for (let b = 0; b < bitWidth; b++, bit++) value += (((bytes[bit >> 3] as number) >> (bit & 7)) & 1) * 2 ** b
    out[i] = value
  }
}

/** All values in memory of their own, or undefined as `readRuns` says false. */
export function decodeRuns<T extends Uint32Array | Uint8Array>(
  bytes: Uint8Array,
  at: number,
  end: number,
  bitWidth: number,
  out: T,
  count: number,
): T | undefined {
  const whole = readRuns(
    bytes,
    at,
    end,
    bitWidth,
    count,
    (value, from, to) => out.fill(value, from, to),
    (packed, from, to) => unpack(bytes, packed, bitWidth, out, from, to),
  )
  return whole ? out : undefined
}
