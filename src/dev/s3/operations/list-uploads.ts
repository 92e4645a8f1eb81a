import { xmlAnswer } from '../answer.ts'
import type { Upload } from '../disk/catalog.ts'
import { OrderedMap } from '../disk/keys.ts'
import { queryInteger } from '../request/request.ts'
import type { XmlNode } from '../xml/write.ts'
import { quoted } from './describe.ts'
import { markerPosition, nameEncoding, pageLimit, prefixNode } from './list.ts'
import { MAX_PARTS, uploadOf } from './multipart.ts'
import { pageOf } from './page.ts'
import { bucketOf, type Handler, OWNER } from './types.ts'

const PEOPLE: readonly XmlNode[] = [
  ['Initiator', OWNER],
  ['Owner', OWNER],
  ['StorageClass', 'STANDARD'],
]

function checksumNodes({ algorithm, checksumType }: Upload): readonly XmlNode[] {
  return [
    ['ChecksumAlgorithm', algorithm],
    ['ChecksumType', algorithm === undefined ? undefined : checksumType],
  ]
}

/** Between key and id of an upload: sorts before all that a key may go on with. */
const BETWEEN = '\0'

/** By key, those of one key by their beginning. */
function inOrder(uploads: Iterable<Upload>): OrderedMap<Upload> {
  const ordered = new OrderedMap<Upload>()
  for (const upload of uploads) ordered.set(sortKey(upload), upload)
  return ordered
}

function sortKey({ key, created, id }: Upload): string {
  return key + BETWEEN + String(created).padStart(16, '0') + BETWEEN + id
}

export const listMultipartUploads: Handler = (service, request) => {
  const { name: bucket, uploads } = bucketOf(service, request.bucket)
  const { query } = request
  const encode = nameEncoding(request)
  const limit = pageLimit(request, 'max-uploads')
  const [prefix = '', delimiter = ''] = [query.get('prefix'), query.get('delimiter')]
  const keyMarker = query.get('key-marker') ?? ''
  const idMarker = keyMarker === '' ? '' : (query.get('upload-id-marker') ?? '')
  const marked = uploads.get(idMarker)
  // Without an upload to go on behind, all of the marker's key are over.
  const behindKey = { kind: 'prefix', name: keyMarker + BETWEEN } as const
  const after =
    keyMarker === ''
      ? undefined
      : marked?.key === keyMarker
        ? ({ kind: 'key', name: sortKey(marked) } as const)
        : (prefixPosition(keyMarker, prefix, delimiter) ?? behindKey)
  const page = pageOf(inOrder(uploads.values()), { prefix, delimiter, after, limit }, (_, { key }) => key)
  const last = page.last?.kind === 'prefix' ? { key: page.last.name, id: '' } : page.values.at(-1)
  return xmlAnswer('ListMultipartUploadsResult', [
    ['Bucket', bucket],
    ['KeyMarker', encode(keyMarker)],
    ['UploadIdMarker', idMarker],
    ['NextKeyMarker', page.last === undefined ? undefined : encode(last?.key ?? '')],
    ['NextUploadIdMarker', page.last === undefined ? undefined : last?.id],
    ['Prefix', encode(prefix)],
    ['Delimiter', delimiter === '' ? undefined : encode(delimiter)],
    ['EncodingType', query.get('encoding-type')],
    ['MaxUploads', limit],
    ['IsTruncated', page.last !== undefined],
    ...page.values.map(
      (upload): XmlNode => [
        'Upload',
        [
          ['Key', encode(upload.key)],
          ['UploadId', upload.id],
          ...PEOPLE,
          ['Initiated', new Date(upload.created).toISOString()],
          ...checksumNodes(upload),
        ],
      ],
    ),
    ...page.prefixes.map((name) => prefixNode(encode(name))),
  ])
}

function prefixPosition(marker: string, prefix: string, delimiter: string) {
  const position = markerPosition(marker, prefix, delimiter)
  return position?.kind === 'prefix' ? position : undefined
}

export const listParts: Handler = (service, request) => {
  const upload = uploadOf(service, request)
  const limit = pageLimit(request, 'max-parts')
  const marker = queryInteger(request, 'part-number-marker', 0, 0, MAX_PARTS)
  const rest = [...upload.parts.values()].filter(({ number }) => number > marker).sort((a, b) => a.number - b.number)
  const parts = rest.slice(0, limit)
  const truncated = limit > 0 && rest.length > limit
  return xmlAnswer('ListPartsResult', [
    ['Bucket', request.bucket],
    ['Key', upload.key],
    ['UploadId', upload.id],
    ...PEOPLE,
    ['PartNumberMarker', marker],
    ['NextPartNumberMarker', parts.at(-1)?.number ?? marker],
    ['MaxParts', limit],
    ['IsTruncated', truncated],
    ...checksumNodes(upload),
    ...parts.map(
      ({ number, modified, etag, blob, algorithm, checksum }): XmlNode => [
        'Part',
        [
          ['PartNumber', number],
          ['LastModified', new Date(modified).toISOString()],
          ['ETag', quoted(etag)],
          ['Size', blob.size],
          [`Checksum${algorithm ?? ''}`, algorithm === upload.algorithm ? checksum : undefined],
        ],
      ],
    ),
  ])
}
