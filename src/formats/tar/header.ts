/**
 * Heads of a tar archive's members: old (v7), POSIX (ustar), GNU.
 * Source of the format: POSIX.1-2017 "pax", and the manual of GNU tar, "Basic Tar Format".
 */

/** Everything in an archive begins at a multiple of this. */
export const BLOCK_BYTES = 512

/** One head as it stands there. */
export interface TarHeader {
  /** With its prefix. */
  readonly name: string
  /** One letter; '0' where the head has none. */
  readonly type: string
  /** Bytes of the member; NaN where the head says none. */
  readonly size: number
}

const SIZE_AT = 124
const CHECKSUM_AT = 148
const TYPE_AT = 156
const MAGIC_AT = 257
const PREFIX_AT = 345

export function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0)
}

/** Whether the head's checksum is right: a sum of its bytes, which some wrote as signed ones. */
export function isTarHeader(block: Uint8Array): boolean {
  if (block.length < BLOCK_BYTES) return false
  let unsigned = 8 * 32
  let signed = 8 * 32
  for (let i = 0; i < BLOCK_BYTES; i++) {
    if (i >= CHECKSUM_AT && i < CHECKSUM_AT + 8) continue
    const byte = block[i] as number
    unsigned += byte
    signed += byte < 128 ? byte : byte - 256
  }
  const said = numberIn(block, CHECKSUM_AT, 8)
  return said === unsigned || said === signed
}

/** Text up to the first zero byte. */
function textIn(block: Uint8Array, at: number, length: number): string {
  const bytes = Buffer.from(block.buffer, block.byteOffset + at, length)
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? length : end)
}

/** Octal digits, or with the highest bit set a binary number, GNU's for more than 8 GiB. NaN for neither. */
function numberIn(block: Uint8Array, at: number, length: number): number {
  const first = block[at] as number
  if (first === 0x80) {
    let value = 0
    for (let i = 1; i < length; i++) value = value * 256 + (block[at + i] as number)
    return value
  }
  const digits = textIn(block, at, length).trim()
  if (digits === '') return 0
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN
}

/** Of a block whose checksum is right. */
export function readHeader(block: Uint8Array): TarHeader {
  const code = block[TYPE_AT] as number
  const name = textIn(block, 0, 100)
  // GNU's own heads have times where POSIX has the prefix.
  const posix = textIn(block, MAGIC_AT, 6) === 'ustar'
  const prefix = posix ? textIn(block, PREFIX_AT, 155) : ''
  // Before there were types, a name that ends with a slash was a directory.
  const type = code === 0 ? (name.endsWith('/') ? '5' : '0') : String.fromCharCode(code)
  return { name: prefix === '' ? name : `${prefix}/${name}`, type, size: numberIn(block, SIZE_AT, 12) }
}

/** Records of a POSIX extended head: `LENGTH NAME=VALUE\n`, the length of all of it. undefined for what is none. */
export function readRecords(bytes: Uint8Array): ReadonlyMap<string, string> | undefined {
  const records = new Map<string, string>()
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(0x20, at)
    const digits = space < 0 ? '' : text.toString('latin1', at, space)
    const end = /^[1-9]\d{0,8}$/.test(digits) ? at + Number(digits) : 0
    const equals = text.indexOf(0x3d, space)
    if (end <= equals || end > text.length || equals < 0 || text[end - 1] !== 0x0a) return undefined
    records.set(text.toString('utf8', space + 1, equals), text.toString('utf8', equals + 1, end - 1))
    at = end
  }
  return records
}
