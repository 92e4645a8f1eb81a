import { at, expect, type Strip, taker } from './sample.ts'

/** A strip's six sections, as bytes. */
export interface Sections {
  readonly dc: Uint8Array
  readonly hdr: Uint8Array
  readonly mask: Uint8Array
  readonly nib: Uint8Array
  readonly esc: Uint8Array
  readonly wide: Uint8Array
}

/** What says that the value is elsewhere: a nibble that it is in ESC, a byte that it is in WIDE. */
const NIBBLE_ESCAPE = 0
const BYTE_ESCAPE = 0x80

export function setBits(byte: number): number {
  let bits = 0
  for (let rest = byte; rest !== 0; rest >>= 1) bits += rest & 1
  return bits
}

/** The sum of what each byte counts for. */
export function total(bytes: Uint8Array, weight: (byte: number) => number): number {
  return bytes.reduce((sum, byte) => sum + weight(byte), 0)
}

export const isWide = (byte: number): number => (byte === BYTE_ESCAPE ? 1 : 0)

/** How many of the first `values` nibbles say that the value is in ESC. */
export function escapesOf(nib: Uint8Array, values: number): number {
  let escapes = 0
  for (let i = 0; i < values; i++) if (nibble(nib, i) === NIBBLE_ESCAPE) escapes++
  return escapes
}

function nibble(nib: Uint8Array, i: number): number {
  return (at(nib, i >> 1) >> (4 * (i & 1))) & 15
}

/** The sections of the strips of one MCU row of the plain form, whose bytes they are exactly. */
export function cutRow(strips: readonly Strip[], row: Uint8Array): Sections[] {
  const take = taker(row)
  const all = strips.map((strip): Sections => {
    const { across } = strip.component
    const dc = take(across)
    const hdr = take(across)
    const mask = take(total(hdr, setBits))
    const values = total(mask, setBits)
    const nib = take(Math.ceil(values / 2))
    const esc = take(escapesOf(nib, values))
    const wide = take(2 * (total(dc, isWide) + total(esc, isWide)))
    return { dc, hdr, mask, nib, esc, wide }
  })
  const used = all.reduce((sum, sections) => sum + bytesOf(sections), 0)
  expect(used === row.length, 'the strips end elsewhere than their row')
  return all
}

const bytesOf = (sections: Sections): number =>
  Object.values(sections).reduce((sum: number, section: Uint8Array) => sum + section.length, 0)

/** Coefficients of a strip's blocks, not yet dequantised: 64 a block, row by row. */
export function coefficientsOf(strip: Strip, { dc, hdr, mask, nib, esc, wide }: Sections): Int16Array {
  const { across } = strip.component
  const out = new Int16Array(64 * across)
  let nextMask = 0
  let nextNibble = 0
  let nextEscape = 0
  let nextWide = 0
  const byteOrWide = (byte: number): number => {
    if (byte !== BYTE_ESCAPE) return (byte << 24) >> 24
    const low = at(wide, 2 * nextWide)
    const high = at(wide, 2 * nextWide + 1)
    nextWide++
    return ((high << 24) >> 16) | low
  }

  let left = 0
  for (let block = 0; block < across; block++) {
    left += byteOrWide(at(dc, block))
    out[64 * block] = left // wraps modulo 2^16
  }
  for (let block = 0; block < across; block++) {
    for (let group = 0; group < 8; group++) {
      if (((at(hdr, block) >> group) & 1) === 0) continue
      const bits = at(mask, nextMask++)
      expect(group > 0 || (bits & 1) === 0, 'a MASK bit for DC')
      for (let k = 0; k < 8; k++) {
        if (((bits >> k) & 1) === 0) continue
        const code = nibble(nib, nextNibble++)
        const value = code === NIBBLE_ESCAPE ? byteOrWide(at(esc, nextEscape++)) : (code << 28) >> 28
        out[64 * block + placeOf(8 * group + k)] = value
      }
    }
  }
  return out
}

/** Where position s of the scan lies in a block. */
function placeOf(s: number): number {
  const quarter = s >> 4
  const row = ((s >> 2) & 3) + 4 * (quarter >> 1)
  const column = (s & 3) + 4 * (quarter & 1)
  return 8 * row + column
}
