import { createHash } from 'node:crypto'
import zlib from 'node:zlib'
import { isHeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import type { Checksum, ChecksumAlgorithm, ObjectInfo } from '../types.ts'
import { readObject } from './object-read.ts'
import type { Side } from './place.ts'

/** Whether two objects hold the same, as far as that can be told without reading what is far away. */

/** Both keep one of the same kind: what it says; otherwise undefined. */
export function checksumsAgree(a: ObjectInfo, b: ObjectInfo): boolean | undefined {
  if (a.checksum === undefined || a.checksum.algorithm !== b.checksum?.algorithm) return undefined
  return a.checksum.value === b.checksum.value
}

type Crc = (bytes: Uint8Array, before: number) => number

/** Absent for what is no CRC of 32 bits, or not to be had: zlib's came with Node.js 20.15. */
function crcOf(algorithm: ChecksumAlgorithm): Crc | undefined {
  if (algorithm === 'crc32c') return (bytes, before) => native.crc32c(bytes, before)
  return algorithm === 'crc32' ? zlib.crc32 : undefined
}

interface Digest {
  add(bytes: Uint8Array): void
  value(): string
}

/** Takes an object in piece by piece; undefined for what cannot be computed here. */
function digestOf(algorithm: ChecksumAlgorithm): Digest | undefined {
  const next = crcOf(algorithm)
  if (next !== undefined) {
    let crc = 0
    const add = (bytes: Uint8Array) => {
      crc = next(bytes, crc)
    }
    return { add, value: () => (crc >>> 0).toString(16).padStart(8, '0') }
  }
  if (algorithm === 'crc64nvme') {
    let crc = 0n
    const add = (bytes: Uint8Array) => {
      crc = native.crc64nvme(bytes, crc)
    }
    return { add, value: () => crc.toString(16).padStart(16, '0') }
  }
  if (algorithm === 'crc32') return undefined
  const hash = createHash(algorithm)
  return { add: (bytes) => void hash.update(bytes), value: () => hash.digest('hex') }
}

/** Of a local file, by reading it; undefined elsewhere: what is far away is not fetched to be compared. */
async function computed(
  side: Side,
  { key }: ObjectInfo,
  algorithm: ChecksumAlgorithm,
  signal?: AbortSignal,
): Promise<Checksum | undefined> {
  const digest = digestOf(algorithm)
  if (digest === undefined || side.localPath === undefined) return undefined
  for await (const bytes of readObject(side, key, signal ? { signal } : {})) digest.add(bytes)
  return { algorithm, value: digest.value() }
}

/** What is not to be had is not known: the copy itself tells what is wrong. */
async function known(side: Side, { key }: ObjectInfo, signal?: AbortSignal): Promise<Checksum | undefined> {
  if (side.localPath !== undefined) return undefined
  try {
    return (await side.store.head(key, signal ? { signal } : {}))?.checksum
  } catch (error) {
    if (isHeadraceError(error, 'E_CANCELLED') || isHeadraceError(error, 'E_CREDENTIALS')) throw error
    return undefined
  }
}

/**
 * Compares checksums of two objects of one size, asking stores for theirs and reading local files. undefined where there
 * are none of one kind.
 */
export async function contentsAgree(
  a: readonly [Side, ObjectInfo],
  b: readonly [Side, ObjectInfo],
  signal?: AbortSignal,
): Promise<boolean | undefined> {
  const [ofA, ofB] = await Promise.all([known(...a, signal), known(...b, signal)])
  const bothLocal = [a, b].every(([side]) => side.localPath !== undefined)
  const algorithm = ofA?.algorithm ?? ofB?.algorithm ?? (bothLocal ? 'crc32c' : undefined)
  if (algorithm === undefined) return undefined
  const [one, other] = await Promise.all([
    ofA ?? computed(...a, algorithm, signal),
    ofB ?? computed(...b, algorithm, signal),
  ])
  return one === undefined || one.algorithm !== other?.algorithm ? undefined : one.value === other.value
}
