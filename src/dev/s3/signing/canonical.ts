import { createHash, createHmac } from 'node:crypto'

/**
 * The text that a version 4 signature is over, and the signature, from the server's side: computed again from what
 * arrived. Source: "Signature Calculations for the Authorization Header" of the S3 reference.
 */

export const EMPTY_SHA256 = createHash('sha256').digest('hex')

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** RFC 3986: everything but the unreserved characters. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

export interface Signed {
  readonly method: string
  /** Decoded. */
  readonly path: string
  /** Decoded, without X-Amz-Signature. */
  readonly pairs: readonly (readonly [name: string, value: string])[]
  readonly headers: ReadonlyMap<string, string>
  /** Lower case, in order. */
  readonly signedHeaders: readonly string[]
  readonly payloadHash: string
}

function order(a: string, b: string): number {
  return Number(a > b) - Number(a < b)
}

/** A character is a byte: all but the values of fields is ASCII. */
export function canonicalRequest({ method, path, pairs, headers, signedHeaders, payloadHash }: Signed): string {
  const query = pairs
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]))
    .map((pair) => pair.join('='))
    .join('&')
  const fields = signedHeaders.map((name) => `${name}:${(headers.get(name) ?? '').trim().replace(/ +/g, ' ')}\n`)
  const uri = path.split('/').map(percentEncode).join('/')
  return [method, uri, query, fields.join(''), signedHeaders.join(';'), payloadHash].join('\n')
}

/** Day, region, service and the word that ends them. */
export interface Scope {
  /** YYYYMMDD */
  readonly day: string
  readonly region: string
}

export function scopeText({ day, region }: Scope): string {
  return `${day}/${region}/s3/aws4_request`
}

function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

export function signingKey(secretKey: string, { day, region }: Scope): Buffer {
  return ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${secretKey}`, day), region))
}

export function signatureOf(key: Uint8Array, lines: readonly string[]): string {
  return createHmac('sha256', key).update(lines.join('\n')).digest('hex')
}
