import { createHash } from 'node:crypto'
import { encodeKey, encodeQueryPart } from '../remote/encoding.ts'
import type { Endpoint } from '../remote/types.ts'

/** V4 signed URLs. Source: "V4 signing process with your own program", Cloud Storage. */

export interface SignedUrl {
  readonly endpoint: Endpoint
  readonly method: 'GET' | 'PUT'
  readonly bucket: string
  readonly name: string
  /** Seconds, up to 604,800. */
  readonly expires: number
  readonly email: string
  readonly now: Date
}

/** What is signed, and the URL that the signature (hex) completes. */
export function urlToSign({ endpoint, method, bucket, name, expires, email, now }: SignedUrl): {
  readonly text: string
  readonly url: string
} {
  const time = now.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const scope = `${time.slice(0, 8)}/auto/storage/goog4_request`
  const { origin, basePath } = endpoint
  const { host } = new URL(
    `${origin.protocol}//${origin.host.includes(':') ? `[${origin.host}]` : origin.host}:${origin.port}`,
  )
  const path = `${basePath}/${bucket}/${encodeKey(name)}`
  const query = [
    ['X-Goog-Algorithm', 'GOOG4-RSA-SHA256'],
    ['X-Goog-Credential', `${email}/${scope}`],
    ['X-Goog-Date', time],
    ['X-Goog-Expires', String(expires)],
    ['X-Goog-SignedHeaders', 'host'],
  ]
    .map(([key = '', value = '']) => `${key}=${encodeQueryPart(value)}`)
    .join('&')
  const canonical = `${method}\n${path}\n${query}\nhost:${host}\n\nhost\nUNSIGNED-PAYLOAD`
  const hash = createHash('sha256').update(canonical).digest('hex')
  return { text: `GOOG4-RSA-SHA256\n${time}\n${scope}\n${hash}`, url: `${origin.protocol}//${host}${path}?${query}` }
}
