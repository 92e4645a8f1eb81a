import { empty } from '../answer.ts'
import { type Algorithm, checksumHeader, DEFAULT_ALGORITHM } from '../checksums/algorithms.ts'
import type { BlobRef, ObjectRecord } from '../disk/records.ts'
import type { Digests, Payload } from '../request/payload.ts'
import { checkWriteCondition } from './conditions.ts'
import { quoted, readDescription } from './describe.ts'
import { bucketOf, type Handler, keyOf, type Service } from './types.ts'

/**
 * Writes a body to a file of its own and checks it, then lets `name` make it count: one step of the catalog. Whatever
 * goes wrong, nothing of it stays.
 */
export async function ingest<T>(
  { catalog }: Service,
  payload: Payload,
  algorithm: Algorithm,
  name: (blob: BlobRef, digests: Digests) => T,
): Promise<T> {
  const writer = await catalog.blobs.create()
  try {
    const digests = await payload.read((bytes) => writer.write(bytes), algorithm)
    return name(await writer.close(), digests)
  } catch (error) {
    await writer.discard()
    throw error
  }
}

export const putObject: Handler = async (service, request, payload) => {
  const key = keyOf(request)
  const description = readDescription(request)
  checkWriteCondition(request.headers, key, bucketOf(service, request.bucket).objects.get(key))
  return ingest(service, payload, DEFAULT_ALGORITHM, (blob, { size, md5, algorithm, checksum }) => {
    // Others may have written meanwhile.
    const bucket = bucketOf(service, request.bucket)
    checkWriteCondition(request.headers, key, bucket.objects.get(key))
    const object: ObjectRecord = {
      key,
      size,
      etag: md5.toString('hex'),
      modified: service.now(),
      ...description,
      ...(algorithm === undefined || checksum === undefined
        ? {}
        : { checksum: { algorithm, type: 'FULL_OBJECT', value: checksum } }),
      blobs: [blob],
    }
    service.catalog.commit({ do: 'put', bucket: bucket.name, object })
    return empty(200, { etag: quoted(object.etag), ...checksumFields(object) })
  })
}

/** The checksum as an answer's fields. */
function checksumFields({ checksum }: Pick<ObjectRecord, 'checksum'>): Record<string, string> {
  if (checksum === undefined) return {}
  return { [checksumHeader(checksum.algorithm)]: checksum.value, 'x-amz-checksum-type': checksum.type }
}
