import type { IncomingMessage } from 'node:http'
import { Refusal } from '../refusal.ts'

/** What a client asks for, read but not yet believed. */
export interface S3Request {
  readonly method: string
  /** The path of the request line, decoded: what is signed. */
  readonly path: string
  /** Names and values of the query, decoded, in the order they came. */
  readonly pairs: readonly (readonly [name: string, value: string])[]
  readonly query: ReadonlyMap<string, string>
  /**
   * Names in lower case; values of fields that came more than once are joined by a comma. A character is a byte, as Node
   * reads and writes fields: what is kept and sent back stays what came, whatever its encoding.
   */
  readonly headers: ReadonlyMap<string, string>
  readonly bucket: string | undefined
  readonly key: string | undefined
}

/** Bytes of UTF-8. */
const MAX_KEY_BYTES = 1024

/** What may stand before a host of ours: its bucket. Any `*.localhost` is this machine (RFC 6761). */
const DOMAIN = 'localhost'

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Refusal('InvalidURI', "Couldn't parse the specified URI.", { URI: text })
  }
}

/** Fields as they came, values of one name together. */
function readHeaders(raw: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    const value = raw[i + 1] ?? ''
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before},${value}`)
  }
  return headers
}

function readQuery(text: string): (readonly [string, string])[] {
  return text
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const cut = pair.indexOf('=')
      const part = (from: number, to?: number) => decode(pair.slice(from, to).replaceAll('+', ' '))
      return cut < 0 ? [part(0), ''] : [part(0, cut), part(cut + 1)]
    })
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase()
}

/** The bucket that a host names, as in `photos.localhost:9900`. */
function bucketOfHost(host: string): string | undefined {
  const name = hostName(host)
  return name.endsWith(`.${DOMAIN}`) ? name.slice(0, -DOMAIN.length - 1) : undefined
}

/** Method, bucket, key, query and fields of a request. InvalidURI, InvalidRequest, KeyTooLongError. */
export function readRequest({ method = '', url = '', rawHeaders }: IncomingMessage): S3Request {
  const headers = readHeaders(rawHeaders)
  const host = headers.get('host')
  if (host === undefined) throw new Refusal('InvalidRequest', 'Missing required header for this request: Host')
  const target = url.replace(/^https?:\/\/[^/?]*/i, '')
  const cut = target.indexOf('?')
  const path = decode(cut < 0 ? target : target.slice(0, cut))
  if (!path.startsWith('/')) throw new Refusal('InvalidURI', "Couldn't parse the specified URI.", { URI: url })
  const pairs = cut < 0 ? [] : readQuery(target.slice(cut + 1))
  const place = locate(path, bucketOfHost(host))
  if (place.key !== undefined && Buffer.byteLength(place.key) > MAX_KEY_BYTES)
    throw new Refusal('KeyTooLongError', 'Your key is too long', {
      Size: String(Buffer.byteLength(place.key)),
      MaxSizeAllowed: String(MAX_KEY_BYTES),
    })
  return { method, path, pairs, query: new Map(pairs), headers, ...place }
}

function locate(path: string, virtual: string | undefined): Pick<S3Request, 'bucket' | 'key'> {
  const rest = path.slice(1)
  if (virtual !== undefined) return { bucket: virtual, key: rest === '' ? undefined : rest }
  const cut = rest.indexOf('/')
  const bucket = cut < 0 ? rest : rest.slice(0, cut)
  const key = cut < 0 ? '' : rest.slice(cut + 1)
  if (bucket === '' && key !== '') throw new Refusal('InvalidBucketName', 'The specified bucket is not valid.')
  return { bucket: bucket === '' ? undefined : bucket, key: key === '' ? undefined : key }
}

/** A whole number in the query, within bounds, or the default where it is absent. */
export function queryInteger({ query }: S3Request, name: string, fallback: number, min: number, max: number): number {
  const text = query.get(name)
  if (text === undefined) return fallback
  const value = Number(text)
  if (/^\d{1,10}$/.test(text) && value >= min && value <= max) return value
  throw new Refusal('InvalidArgument', `Provided ${name} not an integer or within integer range`, {
    ArgumentName: name,
    ArgumentValue: text,
  })
}
