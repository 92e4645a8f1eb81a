import { xmlAnswer } from '../answer.ts'
import { type Algorithm, algorithmNamed, DEFAULT_ALGORITHM, type StoredChecksum } from '../checksums/algorithms.ts'
import type { ObjectRecord } from '../disk/records.ts'
import { Refusal } from '../refusal.ts'
import type { S3Request } from '../request/request.ts'
import type { XmlNode } from '../xml/write.ts'
import { checkCopyCondition, checkWriteCondition } from './conditions.ts'
import { copyBytes } from './copy-bytes.ts'
import { quoted, readDescription } from './describe.ts'
import { objectOf, type Span } from './read.ts'
import { bucketOf, type Handler, keyOf, type Service } from './types.ts'

/** 5 GiB: what S3 copies in one request. */
const MAX_COPY_BYTES = 5 * 2 ** 30

/** The object that x-amz-copy-source names, held to its conditions. NoSuchKey, InvalidArgument, PreconditionFailed. */
export function copySource(service: Service, { headers }: S3Request): ObjectRecord {
  // Keys may stand there without being encoded.
  const named = Buffer.from(headers.get('x-amz-copy-source') ?? '', 'latin1').toString()
  const cut = named.indexOf('?')
  if (cut >= 0 && !/^\?versionId=null$/.test(named.slice(cut)))
    throw new Refusal('NotImplemented', 'This development server does not keep versions.')
  const [, bucket, key] = /^\/?([^/]+)\/(.+)$/s.exec(decoded(cut < 0 ? named : named.slice(0, cut))) ?? []
  if (bucket === undefined || key === undefined)
    throw new Refusal('InvalidArgument', 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey', {
      ArgumentName: 'x-amz-copy-source',
      ArgumentValue: named,
    })
  const source = objectOf(service, bucket, key)
  checkCopyCondition(headers, source)
  return source
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Refusal('InvalidArgument', 'Invalid copy source encoding.', { ArgumentName: 'x-amz-copy-source' })
  }
}

/** What x-amz-copy-source-range asks for: both ends within the object, nothing else is taken. */
export function copySpan({ headers }: S3Request, size: number): Span {
  const range = headers.get('x-amz-copy-source-range')
  if (range === undefined) return { offset: 0, length: size }
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(range) ?? []
  const offset = Number(first)
  const end = Number(last) + 1
  if (offset < end && end <= size) return { offset, length: end - offset }
  throw new Refusal(
    'InvalidArgument',
    'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
    {
      ArgumentName: 'x-amz-copy-source-range',
      ArgumentValue: range,
    },
  )
}

export function checksumNode({ checksum }: { readonly checksum?: StoredChecksum }): readonly XmlNode[] {
  if (checksum === undefined) return []
  return [
    [`Checksum${checksum.algorithm}`, checksum.value],
    ['ChecksumType', checksum.type],
  ]
}

function wantedAlgorithm({ headers }: S3Request, source: ObjectRecord): Algorithm {
  const named = headers.get('x-amz-checksum-algorithm')
  const algorithm = named === undefined ? (source.checksum?.algorithm ?? DEFAULT_ALGORITHM) : algorithmNamed(named)
  if (algorithm === undefined) throw new Refusal('InvalidRequest', 'Checksum algorithm provided is unsupported.')
  return algorithm
}

function replaces({ headers }: S3Request): boolean {
  const directive = headers.get('x-amz-metadata-directive') ?? 'COPY'
  if (directive === 'COPY' || directive === 'REPLACE') return directive === 'REPLACE'
  throw new Refusal('InvalidArgument', 'Unknown metadata directive.', {
    ArgumentName: 'x-amz-metadata-directive',
    ArgumentValue: directive,
  })
}

export const copyObject: Handler = async (service, request) => {
  const key = keyOf(request)
  const source = copySource(service, request)
  const bucket = bucketOf(service, request.bucket)
  const description = replaces(request) ? readDescription(request) : source
  if (description === source && bucket.objects.get(key) === source)
    throw new Refusal(
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    )
  if (source.size > MAX_COPY_BYTES)
    throw new Refusal(
      'InvalidRequest',
      `The specified copy source is larger than the maximum allowable size for a copy source: ${MAX_COPY_BYTES}`,
    )
  checkWriteCondition(request.headers, key, bucket.objects.get(key))
  const algorithm = wantedAlgorithm(request, source)
  const span = { offset: 0, length: source.size }
  return copyBytes(service, source, span, algorithm, (blob, { md5, checksum }) => {
    const target = bucketOf(service, request.bucket)
    checkWriteCondition(request.headers, key, target.objects.get(key))
    const object: ObjectRecord = {
      key,
      size: source.size,
      etag: md5.toString('hex'),
      modified: service.now(),
      headers: description.headers,
      metadata: description.metadata,
      checksum: { algorithm, type: 'FULL_OBJECT', value: checksum },
      blobs: [blob],
    }
    service.catalog.commit({ do: 'put', bucket: target.name, object })
    return xmlAnswer('CopyObjectResult', [
      ['LastModified', new Date(object.modified).toISOString()],
      ['ETag', quoted(object.etag)],
      ...checksumNode(object),
    ])
  })
}
