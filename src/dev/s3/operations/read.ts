import { type Answer, empty } from '../answer.ts'
import type { StoredChecksum } from '../checksums/algorithms.ts'
import type { ObjectRecord } from '../disk/records.ts'
import { Refusal } from '../refusal.ts'
import { queryInteger, type S3Request } from '../request/request.ts'
import { readCondition } from './conditions.ts'
import { describeObject, httpDate, quoted } from './describe.ts'
import { bucketOf, type Handler, keyOf, type Service } from './types.ts'

const MAX_PARTS = 10_000

/** Bytes `offset` to `offset + length`. */
export interface Span {
  readonly offset: number
  readonly length: number
}

export function objectOf(service: Service, bucket: string | undefined, key: string): ObjectRecord {
  const object = bucketOf(service, bucket).objects.get(key)
  if (object === undefined) throw new Refusal('NoSuchKey', 'The specified key does not exist.', { Key: key })
  return object
}

function unsatisfiable(range: string, size: number): Refusal {
  return new Refusal(
    'InvalidRange',
    'The requested range is not satisfiable',
    { RangeRequested: range, ActualObjectSize: String(size) },
    { 'content-range': `bytes */${size}` },
  )
}

/** The span that a Range field asks for; undefined where it is none that S3 reads, and the whole is sent. InvalidRange. */
function spanOf(range: string | undefined, size: number): Span | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? '') ?? []
  if (range === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    if (length === 0) throw unsatisfiable(range, size)
    return { offset: size - length, length }
  }
  const offset = Number(first)
  const end = last === '' ? size : Math.min(Number(last) + 1, size)
  if (last !== '' && Number(last) < offset) return undefined
  if (offset >= size) throw unsatisfiable(range, size)
  return { offset, length: end - offset }
}

/** The span of one part of an object; an object that was put whole is its own only part. */
function partSpan({ parts, size }: ObjectRecord, number: number): Span {
  let offset = 0
  for (const part of parts ?? [{ number: 1, size }]) {
    if (part.number === number) return { offset, length: part.size }
    offset += part.size
  }
  throw new Refusal('InvalidPartNumber', 'The requested partnumber is not satisfiable', {
    PartNumberRequested: String(number),
    ActualPartCount: String(parts?.length ?? 1),
  })
}

function requestedSpan(request: S3Request, object: ObjectRecord): Span | undefined {
  const range = request.headers.get('range')
  if (!request.query.has('partNumber')) return spanOf(range, object.size)
  if (range !== undefined)
    throw new Refusal('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter')
  return partSpan(object, queryInteger(request, 'partNumber', 1, 1, MAX_PARTS))
}

/** The checksum of the bytes of a span: the object's of the whole, a part's of a part, none of anything else. */
function checksumOf({ query }: S3Request, object: ObjectRecord, span: Span | undefined): StoredChecksum | undefined {
  const { checksum, parts } = object
  if (checksum === undefined || span === undefined) return checksum
  if (query.has('partNumber') && parts !== undefined) {
    const value = parts.find(({ number }) => number === Number(query.get('partNumber')))?.checksum
    return value === undefined ? undefined : { algorithm: checksum.algorithm, type: checksum.type, value }
  }
  return span.length === object.size ? checksum : undefined
}

/** Head of the answer to GET and HEAD alike, and the span it is about. */
function answerTo(request: S3Request, object: ObjectRecord): { readonly head: Answer; readonly span: Span } {
  const whole = { offset: 0, length: object.size }
  if (readCondition(request.headers, object) === 'not-modified') {
    const headers = { etag: quoted(object.etag), 'last-modified': httpDate(object.modified) }
    return { head: empty(304, headers), span: { offset: 0, length: 0 } }
  }
  const span = requestedSpan(request, object)
  const headers = describeObject(object, request, checksumOf(request, object, span))
  if (request.query.has('partNumber') && object.parts !== undefined)
    headers['x-amz-mp-parts-count'] = String(object.parts.length)
  if (span === undefined || (object.size === 0 && span.length === 0)) return { head: empty(200, headers), span: whole }
  const { offset, length } = span
  headers['content-range'] = `bytes ${offset}-${offset + length - 1}/${object.size}`
  return { head: empty(206, headers), span }
}

export const getObject: Handler = (service, request) => {
  const object = objectOf(service, request.bucket, keyOf(request))
  const { head, span } = answerTo(request, object)
  if (head.status === 304) return head
  return { ...head, body: service.catalog.blobs.hold(object.blobs, span.offset, span.length) }
}

export const headObject: Handler = (service, request) => {
  const object = objectOf(service, request.bucket, keyOf(request))
  const { head, span } = answerTo(request, object)
  return head.status === 304 ? head : { ...head, headers: { ...head.headers, 'content-length': String(span.length) } }
}
