import { createHash } from 'node:crypto'
import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import type { HeaderFields } from '../http/types.ts'
import type { ObjectBody } from '../types.ts'
import type { AzChecksums } from './options.ts'

function crc64(pieces: readonly Uint8Array[]): string {
  let crc = 0n
  for (const piece of pieces) crc = native.crc64nvme(piece, crc)
  const bytes = Buffer.allocUnsafe(8)
  // Least significant byte first, unlike S3's.
  bytes.writeBigUInt64LE(crc)
  return bytes.toString('base64')
}

function md5(pieces: readonly Uint8Array[]): string {
  const hash = createHash('md5')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('base64')
}

export function md5Hex(pieces: readonly Uint8Array[]): string {
  return Buffer.from(md5(pieces), 'base64').toString('hex')
}

/** What the service compares with the bytes that came, before it keeps them. */
export function checksumHeader(checksums: AzChecksums, pieces: readonly Uint8Array[]): HeaderFields {
  if (checksums === 'off' || pieces.length === 0) return {}
  return checksums === 'md5' ? { 'content-md5': md5(pieces) } : { 'x-ms-content-crc64': crc64(pieces) }
}

/** E_CHECKSUM where a whole blob is not what its own MD5 says. */
export function verifyMd5({ info: { key, size, checksum }, data }: ObjectBody, url: string): void {
  if (checksum?.algorithm !== 'md5' || data.length !== size) return
  const found = createHash('md5').update(data).digest('hex')
  if (found === checksum.value) return
  throw new HeadraceError(
    'E_CHECKSUM',
    `cannot read ${show(key)}: its md5 is ${checksum.value}, but that of what came is ${found}`,
    { url, key },
  )
}
