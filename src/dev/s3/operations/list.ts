import { type Answer, xmlAnswer } from '../answer.ts'
import type { ObjectRecord } from '../disk/records.ts'
import { Refusal } from '../refusal.ts'
import { queryInteger, type S3Request } from '../request/request.ts'
import { percentEncode } from '../signing/canonical.ts'
import type { XmlNode } from '../xml/write.ts'
import { quoted } from './describe.ts'
import { type Page, type Position, pageOf } from './page.ts'
import { bucketOf, type Handler, OWNER } from './types.ts'

const MAX_KEYS = 1000

/** Larger numbers are taken and mean no more than this. */
export function pageLimit(request: S3Request, name: string): number {
  return Math.min(MAX_KEYS, queryInteger(request, name, MAX_KEYS, 0, 2 ** 31 - 1))
}

/** How names are written into a listing: as they are, or for keys that XML cannot hold, percent-encoded. */
export function nameEncoding({ query }: S3Request): (name: string) => string {
  const encoding = query.get('encoding-type')
  if (encoding === undefined) return (name) => name
  if (encoding !== 'url')
    throw new Refusal('InvalidArgument', 'Invalid Encoding Method specified in Request', {
      ArgumentName: 'encoding-type',
      ArgumentValue: encoding,
    })
  // As forms are encoded, but for slashes: a space is a plus.
  return (name) => name.split('/').map(percentEncode).join('/').replaceAll('%20', '+')
}

/** A marker that is a common prefix stands for all that it covers. */
export function markerPosition(marker: string | undefined, prefix: string, delimiter: string): Position | undefined {
  if (marker === undefined || marker === '') return undefined
  const covers = delimiter !== '' && marker.startsWith(prefix) && marker.indexOf(delimiter, prefix.length) >= 0
  const name = covers ? marker.slice(0, marker.indexOf(delimiter, prefix.length) + delimiter.length) : marker
  return covers && name === marker ? { kind: 'prefix', name } : { kind: 'key', name: marker }
}

function tokenOf({ kind, name }: Position): string {
  return Buffer.from(`${kind}:${name}`).toString('base64url')
}

function positionOf(token: string): Position {
  const [, kind, name] = /^(key|prefix):(.+)$/s.exec(Buffer.from(token, 'base64url').toString()) ?? []
  if ((kind !== 'key' && kind !== 'prefix') || name === undefined)
    throw new Refusal('InvalidArgument', 'The continuation token provided is incorrect', {
      ArgumentName: 'continuation-token',
    })
  return { kind, name }
}

function contentsNode(object: ObjectRecord, encode: (name: string) => string, withOwner: boolean): XmlNode {
  const { key, modified, etag, size, checksum } = object
  return [
    'Contents',
    [
      ['Key', encode(key)],
      ['LastModified', new Date(modified).toISOString()],
      ['ETag', quoted(etag)],
      ['ChecksumAlgorithm', checksum?.algorithm],
      ['ChecksumType', checksum?.type],
      ['Size', size],
      ['Owner', withOwner ? OWNER : undefined],
      ['StorageClass', 'STANDARD'],
    ],
  ]
}

export function prefixNode(prefix: string): XmlNode {
  return ['CommonPrefixes', [['Prefix', prefix]]]
}

/** What both versions say in the same words. */
interface Common {
  readonly bucket: string
  readonly page: Page<ObjectRecord>
  readonly encode: (name: string) => string
  readonly withOwner: boolean
  readonly own: readonly XmlNode[]
}

function listing(request: S3Request, { bucket, page, encode, withOwner, own }: Common): Answer {
  const delimiter = request.query.get('delimiter')
  return xmlAnswer('ListBucketResult', [
    ['Name', bucket],
    ['Prefix', encode(request.query.get('prefix') ?? '')],
    ['Delimiter', delimiter === undefined ? undefined : encode(delimiter)],
    ['EncodingType', request.query.get('encoding-type')],
    ['IsTruncated', page.last !== undefined],
    ...own,
    ...page.values.map((object) => contentsNode(object, encode, withOwner)),
    ...page.prefixes.map((prefix) => prefixNode(encode(prefix))),
  ])
}

export const listObjectsV2: Handler = (service, request) => {
  const { name: bucket, objects } = bucketOf(service, request.bucket)
  const { query } = request
  if (query.get('list-type') !== '2')
    throw new Refusal('InvalidArgument', 'Invalid List Type specified in Request', { ArgumentName: 'list-type' })
  const encode = nameEncoding(request)
  const limit = pageLimit(request, 'max-keys')
  const token = query.get('continuation-token')
  const startAfter = query.get('start-after')
  const after: Position | undefined =
    token === undefined ? (startAfter === undefined ? undefined : { kind: 'key', name: startAfter }) : positionOf(token)
  const [prefix = '', delimiter = ''] = [query.get('prefix'), query.get('delimiter')]
  const page = pageOf(objects, { prefix, delimiter, after, limit })
  return listing(request, {
    bucket,
    page,
    encode,
    withOwner: query.get('fetch-owner') === 'true',
    own: [
      ['MaxKeys', limit],
      ['KeyCount', page.values.length + page.prefixes.length],
      ['StartAfter', startAfter === undefined ? undefined : encode(startAfter)],
      ['ContinuationToken', token],
      ['NextContinuationToken', page.last === undefined ? undefined : tokenOf(page.last)],
    ],
  })
}

export const listObjects: Handler = (service, request) => {
  const { name: bucket, objects } = bucketOf(service, request.bucket)
  const { query } = request
  const encode = nameEncoding(request)
  const limit = pageLimit(request, 'max-keys')
  const [prefix = '', delimiter = '', marker = ''] = [query.get('prefix'), query.get('delimiter'), query.get('marker')]
  const page = pageOf(objects, { prefix, delimiter, after: markerPosition(marker, prefix, delimiter), limit })
  return listing(request, {
    bucket,
    page,
    encode,
    withOwner: true,
    own: [
      ['Marker', encode(marker)],
      ['MaxKeys', limit],
      // Without a delimiter the last key is the next marker.
      ['NextMarker', page.last === undefined || delimiter === '' ? undefined : encode(page.last.name)],
    ],
  })
}
