import { createHash, createHmac } from 'node:crypto'
import http from 'node:http'

/** Requests signed by hand and sent over node:http: a client that shares nothing with the server, nor with ours. */

export interface Keys {
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
}

export const KEYS: Keys = { accessKey: 'testkey', secretKey: 'testsecret', region: 'us-east-1' }

export interface Sent {
  readonly method: string
  /** Decoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** A character of a value is a byte. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** What x-amz-content-sha256 says; the body's hash where absent. */
  readonly payload?: string
  readonly keys?: Keys
  /** Milliseconds since 1970 that the request is signed at. */
  readonly at?: number
  readonly agent?: http.Agent
  /** Host field, where it is not the server's address. */
  readonly host?: string
}

export interface Answered {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
}

const hex = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex')
const hmac = (key: Uint8Array | string, text: string) => createHmac('sha256', key).update(text).digest()

export function rfc3986(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const c = String.fromCharCode(byte)
      return /[A-Za-z0-9._~-]/.test(c) ? c : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
}

export const encodePath = (path: string) => path.split('/').map(rfc3986).join('/')

export const timestamp = (at: number) => new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')

export function keyFor({ secretKey, region }: Keys, day: string): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secretKey}`, day), region), 's3'), 'aws4_request')
}

/** Target and fields of a signed request. */
export function sign(url: string, sent: Sent): { target: string; headers: Record<string, string>; signature: string } {
  const { method, path, query = {}, body = '', keys = KEYS, at = Date.now() } = sent
  const date = timestamp(at)
  const day = date.slice(0, 8)
  const scope = `${day}/${keys.region}/s3/aws4_request`
  const hash = sent.payload ?? hex(body)
  const headers: Record<string, string> = {
    host: sent.host ?? new URL(url).host,
    'x-amz-date': date,
    'x-amz-content-sha256': hash,
    ...sent.headers,
  }
  const names = Object.keys(headers)
    .filter((name) => !['content-length', 'expect', 'transfer-encoding'].includes(name))
    .sort()
  const pairs = Object.entries(query)
    .map(([name, value]) => [rfc3986(name), rfc3986(value)] as const)
    .sort((a, b) => (a[0] < b[0] ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  const canonical = [
    method,
    encodePath(path),
    pairs,
    ...names.map((name) => `${name}:${(headers[name] ?? '').trim()}`),
    '',
    names.join(';'),
    hash,
  ].join('\n')
  const signature = hmac(
    keyFor(keys, day),
    ['AWS4-HMAC-SHA256', date, scope, hex(Buffer.from(canonical, 'latin1'))].join('\n'),
  ).toString('hex')
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${keys.accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { target: encodePath(path) + (pairs === '' ? '' : `?${pairs}`), headers, signature }
}

/** A URL that carries its signature. */
export function presigned(url: string, { method, path, keys = KEYS, at = Date.now() }: Sent, expires = 60): string {
  const date = timestamp(at)
  const scope = `${date.slice(0, 8)}/${keys.region}/s3/aws4_request`
  const query = [
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${keys.accessKey}/${scope}`],
    ['X-Amz-Date', date],
    ['X-Amz-Expires', String(expires)],
    ['X-Amz-SignedHeaders', 'host'],
  ]
    .map(([name = '', value = '']) => `${name}=${rfc3986(value)}`)
    .join('&')
  const canonical = [method, encodePath(path), query, `host:${new URL(url).host}`, '', 'host', 'UNSIGNED-PAYLOAD']
  const text = ['AWS4-HMAC-SHA256', date, scope, hex(canonical.join('\n'))].join('\n')
  const signature = hmac(keyFor(keys, date.slice(0, 8)), text).toString('hex')
  return `${url}${encodePath(path)}?${query}&X-Amz-Signature=${signature}`
}

/** Sends bytes as they are and collects the answer. Rejects where the connection ends before the answer does. */
export function send(url: string, sent: Sent): Promise<Answered> {
  const { target, headers } = sign(url, sent)
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path: target, method: sent.method, headers, agent: sent.agent ?? false }
    const request = http.request(options, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.once('error', reject)
      response.once('end', () => {
        const body = Buffer.concat(pieces)
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, text: body.toString() })
      })
    })
    request.once('error', reject)
    // As bytes: a text would make Node send the fields in its encoding too.
    const body = Buffer.from(sent.body ?? '')
    if (headers.expect === undefined) request.end(body)
    else request.once('continue', () => request.end(body)).flushHeaders()
  })
}
