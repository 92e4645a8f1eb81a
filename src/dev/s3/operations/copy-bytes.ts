import { createHash } from 'node:crypto'
import { type Algorithm, hasher } from '../checksums/algorithms.ts'
import type { BlobRef, ObjectRecord } from '../disk/records.ts'
import type { Span } from './read.ts'
import type { Service } from './types.ts'

interface CopyDigests {
  readonly md5: Buffer
  /** Base64. */
  readonly checksum: string
}

/** Copies bytes of an object to a file of their own and lets `name` make it count. Nothing stays where that fails. */
export async function copyBytes<T>(
  { catalog }: Service,
  source: ObjectRecord,
  { offset, length }: Span,
  algorithm: Algorithm,
  name: (blob: BlobRef, digests: CopyDigests) => T,
): Promise<T> {
  const held = catalog.blobs.hold(source.blobs, offset, length)
  const md5 = createHash('md5')
  const checksum = hasher(algorithm)
  try {
    const writer = await catalog.blobs.create()
    try {
      for await (const bytes of held.read()) {
        md5.update(bytes)
        checksum.update(bytes)
        await writer.write(bytes)
      }
      const digests = { md5: md5.digest(), checksum: checksum.digest().toString('base64') }
      return name(await writer.close(), digests)
    } catch (error) {
      await writer.discard()
      throw error
    }
  } finally {
    held.release()
  }
}
