import { randomBytes } from 'node:crypto'
import { empty, xmlAnswer } from '../answer.ts'
import {
  type Algorithm,
  algorithmNamed,
  type ChecksumType,
  combines,
  DEFAULT_ALGORITHM,
} from '../checksums/algorithms.ts'
import type { Upload } from '../disk/catalog.ts'
import type { PartRecord, UploadRecord } from '../disk/records.ts'
import { Refusal } from '../refusal.ts'
import { queryInteger, type S3Request } from '../request/request.ts'
import { copySource, copySpan } from './copy.ts'
import { copyBytes } from './copy-bytes.ts'
import { quoted, readDescription } from './describe.ts'
import { bucketOf, type Handler, keyOf, type Service } from './types.ts'
import { ingest } from './write.ts'

export const MAX_PARTS = 10_000

/** The upload that a request is about. NoSuchUpload. */
export function uploadOf(service: Service, { bucket, key, query }: S3Request): Upload {
  const upload = bucketOf(service, bucket).uploads.get(query.get('uploadId') ?? '')
  if (upload === undefined || upload.key !== key)
    throw new Refusal(
      'NoSuchUpload',
      'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      { UploadId: query.get('uploadId') ?? '' },
    )
  return upload
}

function namedAlgorithm({ headers }: S3Request): Algorithm | undefined {
  const name = headers.get('x-amz-checksum-algorithm')
  if (name === undefined) return undefined
  const algorithm = algorithmNamed(name)
  if (algorithm === undefined) throw new Refusal('InvalidRequest', 'Checksum algorithm provided is unsupported.')
  return algorithm
}

/** Of CRC64NVME and where no algorithm is named there is the whole object's only; of others the parts' unless asked for. */
function checksumTypeOf({ headers }: S3Request, algorithm: Algorithm | undefined): ChecksumType {
  const only = algorithm === undefined || algorithm === 'CRC64NVME'
  const type = headers.get('x-amz-checksum-type') ?? (only ? 'FULL_OBJECT' : 'COMPOSITE')
  if (type !== 'FULL_OBJECT' && type !== 'COMPOSITE')
    throw new Refusal('InvalidRequest', 'Value for x-amz-checksum-type header is invalid.')
  const wrong = type === 'COMPOSITE' ? only : algorithm !== undefined && !combines(algorithm)
  if (wrong)
    throw new Refusal(
      'InvalidRequest',
      `The ${type} checksum type cannot be used with the ${(algorithm ?? DEFAULT_ALGORITHM).toLowerCase()} checksum algorithm.`,
    )
  return type
}

export const createMultipartUpload: Handler = (service, request) => {
  const bucket = bucketOf(service, request.bucket)
  const algorithm = namedAlgorithm(request)
  const upload: UploadRecord = {
    id: randomBytes(24).toString('base64url'),
    key: keyOf(request),
    created: service.now(),
    ...readDescription(request),
    ...(algorithm === undefined ? {} : { algorithm }),
    checksumType: checksumTypeOf(request, algorithm),
  }
  service.catalog.commit({ do: 'create-upload', bucket: bucket.name, upload })
  const fields: Record<string, string> =
    algorithm === undefined ? {} : { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': upload.checksumType }
  return xmlAnswer(
    'InitiateMultipartUploadResult',
    [
      ['Bucket', bucket.name],
      ['Key', upload.key],
      ['UploadId', upload.id],
    ],
    fields,
  )
}

function partNumberOf(request: S3Request): number {
  if (!request.query.has('partNumber'))
    throw new Refusal('InvalidArgument', 'This operation needs a part number.', { ArgumentName: 'partNumber' })
  return queryInteger(request, 'partNumber', 1, 1, MAX_PARTS)
}

/** What the parts of an upload are summed with. */
function partAlgorithm({ algorithm }: UploadRecord): Algorithm {
  return algorithm ?? DEFAULT_ALGORITHM
}

function mismatch(expected: Algorithm, actual: Algorithm | undefined): Refusal {
  return new Refusal(
    'InvalidRequest',
    `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum Type: ${actual?.toLowerCase() ?? 'null'}`,
  )
}

/** Keeps a part; the upload may have ended while it came. */
function keepPart(service: Service, request: S3Request, part: PartRecord): void {
  const { id } = uploadOf(service, request)
  service.catalog.commit({ do: 'put-part', bucket: request.bucket ?? '', upload: id, part })
}

export const uploadPart: Handler = (service, request, payload) => {
  const upload = uploadOf(service, request)
  const number = partNumberOf(request)
  const { algorithm: wanted, checksumType } = upload
  if (wanted !== undefined && payload.algorithm !== wanted) {
    // The parts' own checksums are what a composite one is made of.
    if (payload.algorithm !== undefined || checksumType === 'COMPOSITE') throw mismatch(wanted, payload.algorithm)
  }
  return ingest(service, payload, partAlgorithm(upload), (blob, { md5, algorithm, checksum }) => {
    const part: PartRecord = {
      number,
      blob,
      etag: md5.toString('hex'),
      modified: service.now(),
      ...(algorithm === undefined || checksum === undefined ? {} : { algorithm, checksum }),
    }
    keepPart(service, request, part)
    const fields = checksum === undefined ? {} : { [`x-amz-checksum-${(algorithm ?? '').toLowerCase()}`]: checksum }
    return empty(200, { etag: quoted(part.etag), ...fields })
  })
}

export const uploadPartCopy: Handler = (service, request) => {
  const upload = uploadOf(service, request)
  const number = partNumberOf(request)
  const source = copySource(service, request)
  const algorithm = partAlgorithm(upload)
  return copyBytes(service, source, copySpan(request, source.size), algorithm, (blob, { md5, checksum }) => {
    const part: PartRecord = {
      number,
      blob,
      etag: md5.toString('hex'),
      modified: service.now(),
      algorithm,
      checksum,
    }
    keepPart(service, request, part)
    return xmlAnswer('CopyPartResult', [
      ['LastModified', new Date(part.modified).toISOString()],
      ['ETag', quoted(part.etag)],
      [`Checksum${algorithm}`, upload.algorithm === undefined ? undefined : checksum],
    ])
  })
}

export const abortMultipartUpload: Handler = (service, request) => {
  const { id } = uploadOf(service, request)
  service.catalog.commit({ do: 'abort', bucket: request.bucket ?? '', upload: id })
  return empty(204)
}
