import { checksumHeader, type StoredChecksum } from '../checksums/algorithms.ts'
import type { Description, ObjectRecord } from '../disk/records.ts'
import { Refusal } from '../refusal.ts'
import type { S3Request } from '../request/request.ts'

/** Kept as they are given, and given back with the object. */
const STANDARD = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
] as const

const PREFIX = 'x-amz-meta-'

/** 2 KiB: names and values together, as S3 counts. */
const MAX_METADATA_BYTES = 2048

const DEFAULT_TYPE = 'binary/octet-stream'

/** What the request says about the object beside its bytes. MetadataTooLarge. */
export function readDescription({ headers }: S3Request): Description {
  const kept: Record<string, string> = { 'content-type': DEFAULT_TYPE }
  for (const name of STANDARD) {
    const value = headers.get(name)
    if (value !== undefined && value !== '') kept[name] = value
  }
  const encoding = withoutTransferCoding(kept['content-encoding'])
  if (encoding === undefined) delete kept['content-encoding']
  else kept['content-encoding'] = encoding
  const metadata: Record<string, string> = Object.create(null)
  let bytes = 0
  for (const [name, value] of headers) {
    if (!name.startsWith(PREFIX)) continue
    metadata[name.slice(PREFIX.length)] = value
    bytes += name.length - PREFIX.length + value.length
  }
  if (bytes > MAX_METADATA_BYTES)
    throw new Refusal('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', {
      Size: String(bytes),
      MaxSizeAllowed: String(MAX_METADATA_BYTES),
    })
  return { headers: kept, metadata }
}

/** `aws-chunked` is how the body travelled, not what it is. */
function withoutTransferCoding(encoding: string | undefined): string | undefined {
  const codings = encoding
    ?.split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== 'aws-chunked' && coding !== '')
  return codings === undefined || codings.length === 0 ? undefined : codings.join(',')
}

export function httpDate(time: number): string {
  return new Date(time).toUTCString()
}

export function quoted(etag: string): string {
  return `"${etag}"`
}

/** A text of the query as the bytes of a field. InvalidArgument where it could end the field. */
function fieldValue(name: string, text: string): string {
  if (/\p{Cc}/u.test(text))
    throw new Refusal('InvalidArgument', 'Header value cannot have control characters.', { ArgumentName: name })
  return Buffer.from(text).toString('latin1')
}

/** The fields that GET and HEAD answer with. A checksum is told where it is of the bytes that are sent. */
export function describeObject(
  object: ObjectRecord,
  { headers, query }: S3Request,
  checksum: StoredChecksum | undefined,
): Record<string, string> {
  const described: Record<string, string> = {
    'accept-ranges': 'bytes',
    etag: quoted(object.etag),
    'last-modified': httpDate(object.modified),
    ...object.headers,
  }
  for (const name of STANDARD) {
    const override = query.get(`response-${name}`)
    if (override !== undefined) described[name] = fieldValue(`response-${name}`, override)
  }
  for (const [name, value] of Object.entries(object.metadata)) described[PREFIX + name] = value
  if (checksum !== undefined && headers.get('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED') {
    described[checksumHeader(checksum.algorithm)] = checksum.value
    described['x-amz-checksum-type'] = checksum.type
  }
  return described
}
