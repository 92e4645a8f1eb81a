import { createHash } from 'node:crypto'
import { xmlAnswer } from '../answer.ts'
import {
  ALGORITHMS,
  type Algorithm,
  algorithmOfHeader,
  compositeChecksum,
  DEFAULT_ALGORITHM,
  fullChecksum,
  hasher,
  type StoredChecksum,
} from '../checksums/algorithms.ts'
import type { Upload } from '../disk/catalog.ts'
import type { ObjectRecord, PartRecord } from '../disk/records.ts'
import { Refusal } from '../refusal.ts'
import type { S3Request } from '../request/request.ts'
import { childText, parseXml, type XmlElement } from '../xml/read.ts'
import { checkWriteCondition } from './conditions.ts'
import { checksumNode } from './copy.ts'
import { quoted } from './describe.ts'
import { MAX_PARTS, uploadOf } from './multipart.ts'
import { bucketOf, type Handler, keyOf, type Service } from './types.ts'

/** Ten thousand parts with an etag and a checksum each. */
const MAX_DOCUMENT_BYTES = 4 * 2 ** 20

interface NamedPart {
  readonly number: number
  readonly etag: string
  readonly checksums: ReadonlyMap<Algorithm, string>
}

function readPart(element: XmlElement): NamedPart {
  const number = Number(childText(element, 'PartNumber'))
  const etag = childText(element, 'ETag')
    ?.trim()
    .replace(/^"(.*)"$/, '$1')
  if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS || etag === undefined) throw malformed()
  const checksums = ALGORITHMS.flatMap((algorithm): [Algorithm, string][] => {
    const value = childText(element, `Checksum${algorithm}`)
    return value === undefined ? [] : [[algorithm, value.trim()]]
  })
  return { number, etag, checksums: new Map(checksums) }
}

function malformed(): Refusal {
  return new Refusal(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
  )
}

function readParts(text: string): readonly NamedPart[] {
  const root = parseXml(text)
  const parts = root.children.filter(({ name }) => name === 'Part').map(readPart)
  if (root.name !== 'CompleteMultipartUpload' || parts.length === 0 || parts.length > MAX_PARTS) throw malformed()
  return parts
}

/** The stored part that one of the request names, found to be the same. InvalidPart. */
function matching({ parts, algorithm, checksumType }: Upload, named: NamedPart): PartRecord {
  const part = parts.get(named.number)
  const invalid = () =>
    new Refusal(
      'InvalidPart',
      "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
      { PartNumber: String(named.number), ETag: named.etag },
    )
  if (part === undefined || part.etag !== named.etag) throw invalid()
  for (const [of, value] of named.checksums) {
    if (part.algorithm !== of || part.checksum !== value) throw invalid()
  }
  if (algorithm !== undefined && checksumType === 'COMPOSITE' && !named.checksums.has(algorithm))
    throw new Refusal(
      'InvalidRequest',
      `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${named.number} in the request.`,
    )
  return part
}

function checkOrder(parts: readonly NamedPart[]): void {
  for (let i = 1; i < parts.length; i++) {
    if ((parts[i]?.number ?? 0) <= (parts[i - 1]?.number ?? 0))
      throw new Refusal(
        'InvalidPartOrder',
        'The list of parts was not in ascending order. The parts list must be specified in order by part number.',
      )
  }
}

function checkSizes(parts: readonly PartRecord[], least: number): void {
  const small = parts.slice(0, -1).find(({ blob }) => blob.size < least)
  if (small !== undefined)
    throw new Refusal('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
      ProposedSize: String(small.blob.size),
      MinSizeAllowed: String(least),
      PartNumber: String(small.number),
      ETag: small.etag,
    })
}

/** Of a part that came with another algorithm's checksum than the object's, the bytes are read again. */
async function partChecksum({ catalog }: Service, { blob, algorithm, checksum }: PartRecord, wanted: Algorithm) {
  if (algorithm === wanted && checksum !== undefined) return { value: checksum, size: blob.size }
  const computed = hasher(wanted)
  const held = catalog.blobs.hold([blob], 0, blob.size)
  try {
    for await (const bytes of held.read()) computed.update(bytes)
  } finally {
    held.release()
  }
  return { value: computed.digest().toString('base64'), size: blob.size }
}

async function checksumOf(service: Service, upload: Upload, parts: readonly PartRecord[]): Promise<StoredChecksum> {
  const algorithm = upload.algorithm ?? DEFAULT_ALGORITHM
  const type = upload.checksumType
  const pieces: { value: string; size: number }[] = []
  for (const part of parts) pieces.push(await partChecksum(service, part, algorithm))
  const full = type === 'FULL_OBJECT' ? fullChecksum(algorithm, pieces) : undefined
  return { algorithm, type, value: full ?? compositeChecksum(algorithm, pieces) }
}

/** What the client says of the whole. BadDigest, InvalidRequest. */
function checkWhole({ headers }: S3Request, checksum: StoredChecksum, size: number): void {
  const said = headers.get('x-amz-mp-object-size')
  if (said !== undefined && said !== String(size))
    throw new Refusal(
      'InvalidRequest',
      `The provided 'x-amz-mp-object-size' header value ${said} does not match what was computed: ${size}`,
    )
  const type = headers.get('x-amz-checksum-type')
  if (type !== undefined && type !== checksum.type)
    throw new Refusal(
      'InvalidRequest',
      `The upload was created using the ${checksum.type} checksum mode. The complete request must use the same checksum mode.`,
    )
  for (const [name, value] of headers) {
    const algorithm = algorithmOfHeader(name)
    if (algorithm === undefined) continue
    if (algorithm !== checksum.algorithm || value.replace(/-\d+$/, '') !== checksum.value.replace(/-\d+$/, ''))
      throw new Refusal('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
  }
}

function etagOf(parts: readonly PartRecord[]): string {
  const whole = createHash('md5')
  for (const { etag } of parts) whole.update(Buffer.from(etag, 'hex'))
  return `${whole.digest('hex')}-${parts.length}`
}

function sizeOf(parts: readonly PartRecord[]): number {
  return parts.reduce((sum, { blob }) => sum + blob.size, 0)
}

interface Settled {
  readonly upload: Upload
  readonly parts: readonly PartRecord[]
  readonly checksum: StoredChecksum
}

/** The parts and the checksum over them, at a moment when both hold: parts may come anew while bytes are read. */
async function settled(service: Service, request: S3Request, named: readonly NamedPart[]): Promise<Settled> {
  for (;;) {
    const upload = uploadOf(service, request)
    const parts = named.map((part) => matching(upload, part))
    checkSizes(parts, service.minPartSize)
    const checksum = await checksumOf(service, upload, parts)
    const now = uploadOf(service, request)
    if (parts.every((part) => now.parts.get(part.number) === part)) return { upload, parts, checksum }
  }
}

export const completeMultipartUpload: Handler = async (service, request, payload) => {
  const key = keyOf(request)
  uploadOf(service, request)
  const named = readParts((await payload.collect(MAX_DOCUMENT_BYTES)).toString())
  checkOrder(named)
  const { upload, parts, checksum } = await settled(service, request, named)
  const size = sizeOf(parts)
  checkWhole(request, checksum, size)
  const bucket = bucketOf(service, request.bucket)
  checkWriteCondition(request.headers, key, bucket.objects.get(key))
  const object: ObjectRecord = {
    key,
    size,
    etag: etagOf(parts),
    modified: service.now(),
    headers: upload.headers,
    metadata: upload.metadata,
    checksum,
    blobs: parts.filter(({ blob }) => blob.size > 0).map(({ blob }) => blob),
    parts: parts.map((part) => ({
      number: part.number,
      size: part.blob.size,
      ...(part.checksum === undefined || part.algorithm !== checksum.algorithm ? {} : { checksum: part.checksum }),
    })),
  }
  service.catalog.commit({ do: 'put', bucket: bucket.name, object, upload: upload.id })
  return xmlAnswer('CompleteMultipartUploadResult', [
    ['Location', `http://${request.headers.get('host') ?? ''}/${bucket.name}/${key}`],
    ['Bucket', bucket.name],
    ['Key', key],
    ['ETag', quoted(object.etag)],
    ...checksumNode(object),
  ])
}
