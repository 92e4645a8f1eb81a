import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { native } from '../../native.ts'

/**
 * One file of the disk cache: 48 bytes of header, then the data.
 * 0..7 'HRCACHE1'; 8..15 bytes of data (u64le); 16..19 CRC-32C of the data (u32le); 20..43 the first 24 bytes of the
 * entry's id; 44..47 CRC-32C of bytes 0..43. The id is the SHA-256 of what the data is (store, key, version, place), so
 * that a file under a wrong name is no entry.
 */
const HEADER = 48
const MAGIC = Buffer.from('HRCACHE1', 'latin1')
const ID_BYTES = 24

/** Names an entry; `parts` in any number and of any letters. */
export function entryId(...parts: readonly (string | number)[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest()
}

export function entryHeader(id: Buffer, data: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER)
  MAGIC.copy(header)
  header.writeBigUInt64LE(BigInt(data.length), 8)
  header.writeUInt32LE(native.crc32c(data), 16)
  id.copy(header, 20, 0, ID_BYTES)
  header.writeUInt32LE(native.crc32c(header.subarray(0, HEADER - 4)), HEADER - 4)
  return header
}

/** Bytes of the file of an entry with so much data. */
export function entrySize(length: number): number {
  return HEADER + length
}

/** Bytes of data in a file of that size. */
export function dataSize(fileSize: number): number {
  return Math.max(0, fileSize - HEADER)
}

function readBoth(fd: number, header: Buffer, data: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.readv(fd, [header, data], 0, (error, count) => (error ? reject(error) : resolve(count)))
  })
}

/** Fills `data` from an entry's file; false where that is not whole, or holds something else. */
export async function readEntry(fd: number, id: Buffer, data: Uint8Array): Promise<boolean> {
  const header = Buffer.alloc(HEADER)
  if ((await readBoth(fd, header, data)) !== HEADER + data.length) return false
  return (
    header.subarray(0, MAGIC.length).equals(MAGIC) &&
    header.readUInt32LE(HEADER - 4) === native.crc32c(header.subarray(0, HEADER - 4)) &&
    header.readBigUInt64LE(8) === BigInt(data.length) &&
    header.subarray(20, 20 + ID_BYTES).equals(id.subarray(0, ID_BYTES)) &&
    header.readUInt32LE(16) === native.crc32c(data)
  )
}
