/**
 * The records of a zip archive, as Python's zipfile writes them.
 * Source of the format: PKWARE's APPNOTE.TXT 6.3.
 */

export const LOCAL_SIGNATURE = 0x04034b50
export const CENTRAL_SIGNATURE = 0x02014b50
export const END_SIGNATURE = 0x06054b50
export const END64_SIGNATURE = 0x06064b50
export const LOCATOR64_SIGNATURE = 0x07064b50
const DESCRIPTOR_SIGNATURE = 0x08074b50

export const LOCAL_BYTES = 30
export const CENTRAL_BYTES = 46
export const END_BYTES = 22
export const LOCATOR64_BYTES = 20
export const END64_BYTES = 56

/** What no 32-bit field holds stands in the ZIP64 field instead. */
export const LIMIT32 = 0xffffffff
export const LIMIT16 = 0xffff
export const ZIP64_FIELD = 1

export const STORED = 0
export const DEFLATED = 8

/** Checksum and sizes follow the data: the flag that says so. */
export const SIZES_FOLLOW = 8
const UTF8_NAME = 0x800

/** 1980-01-01, the first day that zip knows: NumPy's. */
const FIRST_DAY = 0x21
const VERSION_ZIP64 = 45
const VERSION_DEFLATE = 20
const UNIX = 3
/** A regular file that its owner may read and write. */
const ATTRIBUTES = (0o600 << 16) >>> 0

export interface ZipEntry {
  readonly name: string
  readonly method: typeof STORED | typeof DEFLATED
  readonly flags: number
  readonly crc: number
  /** Bytes, unpacked. */
  readonly size: number
  /** Bytes in the archive. */
  readonly storedSize: number
  /** Of its local header. */
  readonly offset: number
  /** The local header has a ZIP64 field whether or not it needs one. */
  readonly zip64: boolean
}

/** 2 GiB: from here on Python's zipfile takes the wide fields, so that the archive has the size of its. */
const WIDE_FROM = 2 ** 31

function needsZip64({ size, storedSize, zip64 }: ZipEntry): boolean {
  return zip64 || size >= WIDE_FROM || storedSize >= WIDE_FROM
}

function nameBytes(name: string): { bytes: Buffer; flags: number } {
  const bytes = Buffer.from(name, 'utf8')
  return { bytes, flags: bytes.length === name.length ? 0 : UTF8_NAME }
}

export function localHeader(entry: ZipEntry): Uint8Array {
  const { bytes, flags } = nameBytes(entry.name)
  const wide = needsZip64(entry)
  const follow = (entry.flags & SIZES_FOLLOW) !== 0
  const header = Buffer.alloc(LOCAL_BYTES + bytes.length + (wide ? 20 : 0))
  header.writeUInt32LE(LOCAL_SIGNATURE, 0)
  header.writeUInt16LE(wide ? VERSION_ZIP64 : VERSION_DEFLATE, 4)
  header.writeUInt16LE(entry.flags | flags, 6)
  header.writeUInt16LE(entry.method, 8)
  header.writeUInt16LE(FIRST_DAY, 12)
  header.writeUInt32LE(follow ? 0 : entry.crc, 14)
  header.writeUInt32LE(wide ? LIMIT32 : follow ? 0 : entry.storedSize, 18)
  header.writeUInt32LE(wide ? LIMIT32 : follow ? 0 : entry.size, 22)
  header.writeUInt16LE(bytes.length, 26)
  header.writeUInt16LE(wide ? 20 : 0, 28)
  header.set(bytes, LOCAL_BYTES)
  if (!wide) return header
  const extra = LOCAL_BYTES + bytes.length
  header.writeUInt16LE(ZIP64_FIELD, extra)
  header.writeUInt16LE(16, extra + 2)
  header.writeBigUInt64LE(BigInt(follow ? 0 : entry.size), extra + 4)
  header.writeBigUInt64LE(BigInt(follow ? 0 : entry.storedSize), extra + 12)
  return header
}

/** What follows the data of an entry whose header could not say it. */
export function descriptor(entry: ZipEntry): Uint8Array {
  const wide = needsZip64(entry)
  const bytes = Buffer.alloc(wide ? 24 : 16)
  bytes.writeUInt32LE(DESCRIPTOR_SIGNATURE, 0)
  bytes.writeUInt32LE(entry.crc, 4)
  if (wide) {
    bytes.writeBigUInt64LE(BigInt(entry.storedSize), 8)
    bytes.writeBigUInt64LE(BigInt(entry.size), 16)
  } else {
    bytes.writeUInt32LE(entry.storedSize, 8)
    bytes.writeUInt32LE(entry.size, 12)
  }
  return bytes
}

export function centralHeader(entry: ZipEntry): Uint8Array {
  const { bytes, flags } = nameBytes(entry.name)
  const longSizes = entry.size >= WIDE_FROM || entry.storedSize >= WIDE_FROM
  const longOffset = entry.offset >= WIDE_FROM
  const wide = [...(longSizes ? [entry.size, entry.storedSize] : []), ...(longOffset ? [entry.offset] : [])]
  const extra = wide.length === 0 ? 0 : 4 + 8 * wide.length
  const version = needsZip64(entry) || longOffset ? VERSION_ZIP64 : VERSION_DEFLATE
  const header = Buffer.alloc(CENTRAL_BYTES + bytes.length + extra)
  header.writeUInt32LE(CENTRAL_SIGNATURE, 0)
  header.writeUInt16LE(version | (UNIX << 8), 4)
  header.writeUInt16LE(version, 6)
  header.writeUInt16LE(entry.flags | flags, 8)
  header.writeUInt16LE(entry.method, 10)
  header.writeUInt16LE(FIRST_DAY, 14)
  header.writeUInt32LE(entry.crc, 16)
  header.writeUInt32LE(longSizes ? LIMIT32 : entry.storedSize, 20)
  header.writeUInt32LE(longSizes ? LIMIT32 : entry.size, 24)
  header.writeUInt16LE(bytes.length, 28)
  header.writeUInt16LE(extra, 30)
  header.writeUInt32LE(ATTRIBUTES, 38)
  header.writeUInt32LE(longOffset ? LIMIT32 : entry.offset, 42)
  header.set(bytes, CENTRAL_BYTES)
  if (extra === 0) return header
  let at = CENTRAL_BYTES + bytes.length
  header.writeUInt16LE(ZIP64_FIELD, at)
  header.writeUInt16LE(8 * wide.length, at + 2)
  at += 4
  for (const value of wide) at = header.writeBigUInt64LE(BigInt(value), at)
  return header
}

/** What an archive ends with: `size` bytes of central headers that begin at `offset`. */
export function endOfDirectory(entries: number, size: number, offset: number): Uint8Array {
  const wide = entries > LIMIT16 || size >= WIDE_FROM || offset >= WIDE_FROM
  const bytes = Buffer.alloc((wide ? END64_BYTES + LOCATOR64_BYTES : 0) + END_BYTES)
  let at = 0
  if (wide) {
    bytes.writeUInt32LE(END64_SIGNATURE, 0)
    bytes.writeBigUInt64LE(BigInt(END64_BYTES - 12), 4)
    bytes.writeUInt16LE(VERSION_ZIP64, 12)
    bytes.writeUInt16LE(VERSION_ZIP64, 14)
    bytes.writeBigUInt64LE(BigInt(entries), 24)
    bytes.writeBigUInt64LE(BigInt(entries), 32)
    bytes.writeBigUInt64LE(BigInt(size), 40)
    bytes.writeBigUInt64LE(BigInt(offset), 48)
    at = END64_BYTES
    bytes.writeUInt32LE(LOCATOR64_SIGNATURE, at)
    bytes.writeBigUInt64LE(BigInt(offset + size), at + 8)
    bytes.writeUInt32LE(1, at + 16)
    at += LOCATOR64_BYTES
  }
  bytes.writeUInt32LE(END_SIGNATURE, at)
  bytes.writeUInt16LE(Math.min(entries, LIMIT16), at + 8)
  bytes.writeUInt16LE(Math.min(entries, LIMIT16), at + 10)
  bytes.writeUInt32LE(Math.min(size, LIMIT32), at + 12)
  bytes.writeUInt32LE(Math.min(offset, LIMIT32), at + 16)
  return bytes
}
