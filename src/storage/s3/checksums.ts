import { createHash } from 'node:crypto'
import zlib from 'node:zlib'
import { HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import type { HeaderFields } from '../http/types.ts'
import type { Checksum } from '../types.ts'

type Algorithm = 'crc32c' | 'crc64nvme' | 'crc32' | 'sha1' | 'sha256'

/** What S3 can keep of an object and Node can compute, fastest first. CRC-32 came to Node with 20.15. */
const ALGORITHMS: readonly Algorithm[] = [
  'crc32c',
  'crc64nvme',
  ...(typeof zlib.crc32 === 'function' ? (['crc32'] as const) : []),
  'sha1',
  'sha256',
]

/** Digits of hex. */
const LENGTHS: Readonly<Record<Algorithm, number>> = { crc32c: 8, crc64nvme: 16, crc32: 8, sha1: 40, sha256: 64 }

function hexOf(crc: number): string {
  return (crc >>> 0).toString(16).padStart(8, '0')
}

/** The CRC-32C of pieces put together, as S3's headers have it: base64 of four bytes, most significant first. */
export function crc32cHeader(pieces: readonly Uint8Array[]): string {
  let crc = 0
  for (const piece of pieces) crc = native.crc32c(piece, crc)
  return base64OfCrc(crc)
}

export function base64OfCrc(crc: number): string {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(crc >>> 0)
  return bytes.toString('base64')
}

/** The checksum of a whole object that an answer's head names, if any. Checksums of checksums of parts are of no use. */
export function checksumOf(headers: HeaderFields): Checksum | undefined {
  if (headers['x-amz-checksum-type'] === 'COMPOSITE') return undefined
  for (const algorithm of ALGORITHMS) {
    const text = headers[`x-amz-checksum-${algorithm}`]
    if (text === undefined) continue
    const value = Buffer.from(text, 'base64').toString('hex')
    // 'base64-7' is of seven parts; what has another length is no checksum at all.
    if (!text.includes('-') && value.length === LENGTHS[algorithm]) return { algorithm, value }
  }
  return undefined
}

function compute(algorithm: Checksum['algorithm'], data: Uint8Array): string {
  switch (algorithm) {
    case 'crc32c':
      return hexOf(native.crc32c(data))
    case 'crc64nvme':
      return native.crc64nvme(data).toString(16).padStart(16, '0')
    case 'crc32':
      return hexOf(zlib.crc32(data))
    default:
      return createHash(algorithm).update(data).digest('hex')
  }
}

/** E_CHECKSUM where the bytes are not those that the checksum was made of. */
export function verifyChecksum(data: Uint8Array, { algorithm, value }: Checksum, what: string, url: string): void {
  const found = compute(algorithm, data)
  if (found === value) return
  throw new HeadraceError(
    'E_CHECKSUM',
    `cannot ${what}: its ${algorithm} is ${value}, but that of what came is ${found}`,
    {
      url,
    },
  )
}
