import { createHash } from 'node:crypto'
import { CRC32, CRC32C, CRC64NVME, Crc, type CrcParameters, combineCrcs } from './crc.ts'

export const ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

/** FULL_OBJECT: of the bytes. COMPOSITE: of the parts' checksums, with `-` and their number behind it. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE'

export interface StoredChecksum {
  readonly algorithm: Algorithm
  readonly type: ChecksumType
  /** Base64, as headers have it. */
  readonly value: string
}

/** What S3 computes where the client named none. */
export const DEFAULT_ALGORITHM: Algorithm = 'CRC64NVME'

const CRCS: Partial<Record<Algorithm, CrcParameters>> = { CRC32, CRC32C, CRC64NVME }

const DIGEST_BYTES: Readonly<Record<Algorithm, number>> = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 }

export interface Hasher {
  update(bytes: Uint8Array): unknown
  digest(): Buffer
}

export function hasher(algorithm: Algorithm): Hasher {
  const crc = CRCS[algorithm]
  return crc === undefined ? createHash(algorithm.toLowerCase()) : new Crc(crc)
}

export function algorithmNamed(name: string): Algorithm | undefined {
  return ALGORITHMS.find((algorithm) => algorithm === name.toUpperCase())
}

export function checksumHeader(algorithm: Algorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`
}

/** The algorithm whose header that is. */
export function algorithmOfHeader(name: string): Algorithm | undefined {
  return name.startsWith('x-amz-checksum-') ? algorithmNamed(name.slice('x-amz-checksum-'.length)) : undefined
}

/** Whether a text is the base64 of a digest of that algorithm, padding and all. */
export function isDigest(algorithm: Algorithm, text: string): boolean {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === DIGEST_BYTES[algorithm] && bytes.toString('base64') === text
}

interface PartChecksum {
  /** Base64. */
  readonly value: string
  /** Bytes. */
  readonly size: number
}

export function compositeChecksum(algorithm: Algorithm, parts: readonly PartChecksum[]): string {
  const whole = hasher(algorithm)
  for (const { value } of parts) whole.update(Buffer.from(value, 'base64'))
  return `${whole.digest().toString('base64')}-${parts.length}`
}

/** The checksum of the whole from those of its parts: possible for CRCs only. */
export function fullChecksum(algorithm: Algorithm, parts: readonly PartChecksum[]): string | undefined {
  const crc = CRCS[algorithm]
  if (crc === undefined) return undefined
  const pieces = parts.map(({ value, size }) => ({ digest: Buffer.from(value, 'base64'), bytes: size }))
  return combineCrcs(crc, pieces).toString('base64')
}

/** Whether objects made of parts can have a checksum of their bytes by that algorithm. */
export function combines(algorithm: Algorithm): boolean {
  return CRCS[algorithm] !== undefined
}
