import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import type { HeaderFields, HttpHead } from '../http/types.ts'
import { checkContentType } from '../remote/content-type.ts'
import type { ObjectInfo, PutOptions } from '../types.ts'
import { checksumOf } from './checksums.ts'

/** What heads say of objects, both ways. */

const METADATA = 'x-amz-meta-'

let lastText = ''
let lastTime = 0

/** Milliseconds of a date of HTTP. Answers of one moment say the same, and a date costs more to read than the rest. */
function timeOf(text: string | undefined): number {
  if (text === undefined) return 0
  if (text !== lastText) {
    const time = Date.parse(text)
    lastTime = Number.isNaN(time) ? 0 : time
    lastText = text
  }
  return lastTime
}

/** Without the quotes that are around every strong etag. */
export function etagOf(text: string | undefined): string {
  if (text === undefined) return ''
  return text.length > 1 && text.charCodeAt(0) === 0x22 && text.endsWith('"') ? text.slice(1, -1) : text
}

/** As If-Match has it. */
export function quotedEtag(etag: string): string {
  if (/[^\x20-\x7e]/.test(etag)) throw new HeadraceError('E_USAGE', `ifMatch must be an etag, but got ${show(etag)}`)
  return etag.startsWith('W/') ? etag : `"${etag}"`
}

/** Non-ASCII metadata as S3 gives it (RFC 2047, its words each of whole letters). */
function decodedWords(value: string): string {
  if (!value.startsWith('=?')) return value
  return value
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, kind: string, text: string) =>
      kind.toLowerCase() === 'b'
        ? Buffer.from(text, 'base64').toString('utf8')
        : Buffer.from(
            text
              .replaceAll('_', ' ')
              .replace(/=([0-9a-f]{2})/gi, (_each, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
            'latin1',
          ).toString('utf8'),
    )
}

/** What an answer's head says of the object; `size` is that of the whole of it. */
export function infoOf(key: string, { headers }: HttpHead, size: number): ObjectInfo {
  const info: { -readonly [K in keyof ObjectInfo]: ObjectInfo[K] } = {
    key,
    size,
    etag: etagOf(headers.etag),
    modified: timeOf(headers['last-modified']),
  }
  if (headers['content-type'] !== undefined) info.contentType = headers['content-type']
  let metadata: Record<string, string> | undefined
  let checksummed = false
  for (const name in headers) {
    if (!name.startsWith('x-amz-')) continue
    if (name.startsWith(METADATA)) {
      metadata ??= {}
      metadata[name.slice(METADATA.length)] = decodedWords(headers[name] ?? '')
    } else if (name.startsWith('x-amz-checksum-')) checksummed = true
    else if (name === 'x-amz-storage-class' && headers[name] !== 'STANDARD') info.storageClass = headers[name] ?? ''
  }
  if (metadata !== undefined) info.metadata = metadata
  if (checksummed) {
    const checksum = checksumOf(headers)
    if (checksum !== undefined) info.checksum = checksum
  }
  return info
}

/** Names of metadata are tokens of HTTP, in lower case: that is how they come back. */
const METADATA_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** Bytes of names and values together: S3's limit. */
const MAX_METADATA = 2048

function metadataHeaders(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = {}
  let bytes = 0
  for (const [name, value] of Object.entries(metadata)) {
    if (!METADATA_NAME.test(name))
      throw new HeadraceError('E_USAGE', `a name of metadata must be a word in lower case, but got ${show(name)}`)
    // Runs of spaces are folded when a request is signed, and line ends would end the header.
    const plain =
      typeof value === 'string' && /^(?:[\x21-\x7e]+(?: [\x21-\x7e]+)*)?$/.test(value) && !value.startsWith('=?')
    if (typeof value !== 'string')
      throw new HeadraceError('E_USAGE', `metadata ${name} must be a text, but got ${show(value)}`)
    const sent = plain ? value : `=?UTF-8?B?${Buffer.from(value).toString('base64')}?=`
    bytes += name.length + sent.length
    headers[METADATA + name] = sent
  }
  if (bytes > MAX_METADATA)
    throw new HeadraceError('E_LIMIT', `metadata of an object may have ${MAX_METADATA} bytes, but has ${bytes}`)
  return headers
}

/** S3's own default is binary/octet-stream, other servers have others: said, it is the same everywhere. */
const DEFAULT_CONTENT_TYPE = 'application/octet-stream'

export function storageClassHeader({ storageClass: name }: PutOptions): HeaderFields {
  if (name === undefined) return {}
  if (typeof name === 'string' && /^[A-Z_]{1,64}$/.test(name)) return { 'x-amz-storage-class': name }
  throw new HeadraceError('E_USAGE', `storageClass must be a name such as STANDARD_IA, but got ${show(name)}`)
}

/** What the head of an upload says of the object. */
export function headersOfObject(options: PutOptions): HeaderFields {
  const { contentType: type, metadata } = options
  const plain = {
    'content-type': type === undefined ? DEFAULT_CONTENT_TYPE : checkContentType(type),
    ...storageClassHeader(options),
  }
  return metadata === undefined ? plain : { ...plain, ...metadataHeaders(metadata) }
}

/** What is known of an object that was just written, without asking: `modified` is the time of the answer. */
export function writtenInfo(
  key: string,
  answer: HttpHead,
  size: number,
  options: PutOptions,
  etag?: string,
): ObjectInfo {
  const checksum = checksumOf(answer.headers)
  return {
    key,
    size,
    etag: etag ?? etagOf(answer.headers.etag),
    modified: timeOf(answer.headers.date),
    contentType: options.contentType ?? DEFAULT_CONTENT_TYPE,
    ...(checksum !== undefined && { checksum }),
    ...(options.metadata !== undefined && Object.keys(options.metadata).length > 0 && { metadata: options.metadata }),
  }
}
