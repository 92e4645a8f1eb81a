import { createHash, createHmac } from 'node:crypto'
import type { HeaderFields } from '../http/types.ts'
import { canonicalQuery, type QueryPairs } from '../remote/encoding.ts'

/** AWS Signature Version 4: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html. */

/** Secret: never part of a message. */
export interface Identity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** What a signature covers. */
export interface SignedRequest {
  readonly method: string
  /** Encoded. */
  readonly path: string
  /** As `canonicalQuery` makes it. */
  readonly query: string
  /** All of them are signed; names in lower case, `host` among them. */
  readonly headers: HeaderFields
  /** SHA-256 of the body in hex, or UNSIGNED_PAYLOAD. */
  readonly payload: string
}

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'

const ALGORITHM = 'AWS4-HMAC-SHA256'

let lastSecond = Number.NaN
let lastDate = ''

/** 20260102T030405Z. */
export function amzDate(milliseconds: number): string {
  const second = Math.floor(milliseconds / 1000)
  if (second !== lastSecond) {
    lastDate = new Date(second * 1000).toISOString().replace(/[-:]|\.\d+/g, '')
    lastSecond = second
  }
  return lastDate
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: string | Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** Spaces around a value go, runs of them within become one. */
function folded(value: string): string {
  return value.includes('  ') || value.startsWith(' ') || value.endsWith(' ') ? value.trim().replace(/ +/g, ' ') : value
}

/** Signs for one identity, region and service. The key of a day is derived once. */
export class Signer {
  readonly #identity: Identity
  readonly #region: string
  readonly #service: string
  #day = ''
  #key: Uint8Array = new Uint8Array()
  #scope = ''

  constructor(identity: Identity, region: string, service = 's3') {
    this.#identity = identity
    this.#region = region
    this.#service = service
  }

  /** The `authorization` header of a request that has `x-amz-date` among its headers. */
  authorize(request: SignedRequest): string {
    const date = request.headers['x-amz-date'] ?? ''
    this.#turnTo(date.slice(0, 8))
    const names = Object.keys(request.headers).sort()
    const signature = this.#sign(request, names, request.query, date)
    return `${ALGORITHM} Credential=${this.#identity.accessKeyId}/${this.#scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  }

  /** The query of a URL that needs no `authorization` for `expires` seconds from `date` on. */
  presign(request: Omit<SignedRequest, 'query'>, query: QueryPairs, date: string, expires: number): string {
    this.#turnTo(date.slice(0, 8))
    const names = Object.keys(request.headers).sort()
    const { accessKeyId, sessionToken } = this.#identity
    const pairs: (readonly [string, string])[] = [
      ...query,
      ['X-Amz-Algorithm', ALGORITHM],
      ['X-Amz-Credential', `${accessKeyId}/${this.#scope}`],
      ['X-Amz-Date', date],
      ['X-Amz-Expires', `${expires}`],
      ['X-Amz-SignedHeaders', names.join(';')],
    ]
    if (sessionToken !== undefined) pairs.push(['X-Amz-Security-Token', sessionToken])
    const canonical = canonicalQuery(pairs)
    return `${canonical}&X-Amz-Signature=${this.#sign(request, names, canonical, date)}`
  }

  #sign(request: Omit<SignedRequest, 'query'>, names: readonly string[], query: string, date: string): string {
    let canonical = `${request.method}\n${request.path}\n${query}\n`
    for (const name of names) canonical += `${name}:${folded(request.headers[name] ?? '')}\n`
    canonical += `\n${names.join(';')}\n${request.payload}`
    return createHmac('sha256', this.#key)
      .update(`${ALGORITHM}\n${date}\n${this.#scope}\n${sha256Hex(canonical)}`)
      .digest('hex')
  }

  #turnTo(day: string): void {
    if (day === this.#day) return
    const ofDay = hmac(`AWS4${this.#identity.secretAccessKey}`, day)
    this.#key = hmac(hmac(hmac(ofDay, this.#region), this.#service), 'aws4_request')
    this.#scope = `${day}/${this.#region}/${this.#service}/aws4_request`
    this.#day = day
  }
}
