import { createHmac } from 'node:crypto'
import type { HeaderFields, Method } from '../http/types.ts'

/**
 * SharedKey authorization of the Blob service, version 2015-02-21 and later.
 * Source: "Authorize with Shared Key", Azure Storage REST API reference.
 */

export interface SharedKeyRequest {
  readonly method: Method
  /** As in the request line, encoded. */
  readonly path: string
  /** Decoded; of each name one value. */
  readonly query: readonly (readonly [name: string, value: string])[]
  /** Names in lower case, with `x-ms-date` and `x-ms-version`. */
  readonly headers: HeaderFields
  readonly contentLength: number
}

/** Header fields that stand on lines of their own, in this order; `content-length` comes third. */
const SIGNED = [
  'content-md5',
  'content-type',
  'date',
  'if-modified-since',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'range',
] as const

export function sharedKeyStringToSign(account: string, request: SharedKeyRequest): string {
  const { method, path, query, headers, contentLength } = request
  let text = `${method}\n${headers['content-encoding'] ?? ''}\n${headers['content-language'] ?? ''}\n${contentLength === 0 ? '' : contentLength}\n`
  for (const name of SIGNED) text += `${headers[name] ?? ''}\n`
  const own = Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .sort()
  for (const name of own) text += `${name}:${(headers[name] ?? '').trim()}\n`
  text += `/${account}${path}`
  const sorted = [...query].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [name, value] of sorted) text += `\n${name.toLowerCase()}:${value}`
  return text
}

export function sharedKeyAuthorization(account: string, key: Uint8Array, request: SharedKeyRequest): string {
  const signature = createHmac('sha256', key).update(sharedKeyStringToSign(account, request), 'utf8').digest('base64')
  return `SharedKey ${account}:${signature}`
}

export interface SasRequest {
  readonly account: string
  readonly key: Uint8Array
  readonly container: string
  /** Not encoded. */
  readonly blob: string
  /** r, cw and so on, in the order that the service wants. */
  readonly permissions: string
  readonly expires: Date
  readonly version: string
}

/** The query of a service SAS for one blob. Source: "Create a service SAS", version 2020-12-06 and later. */
export function blobSas({ account, key, container, blob, permissions, expires, version }: SasRequest): string {
  const expiry = `${expires.toISOString().slice(0, 19)}Z`
  const fields = [
    permissions,
    '', // start
    expiry,
    `/blob/${account}/${container}/${blob}`,
    '', // stored policy
    '', // addresses
    '', // protocol
    version,
    'b',
    '', // snapshot
    '', // encryption scope
    '', // cache-control
    '', // content-disposition
    '', // content-encoding
    '', // content-language
    '', // content-type
  ]
  const signature = createHmac('sha256', key).update(fields.join('\n'), 'utf8').digest('base64')
  const query = { sv: version, sr: 'b', sp: permissions, se: expiry, sig: signature }
  return Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')
}
