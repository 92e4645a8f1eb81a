import crypto from 'node:crypto'
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

// `hash` came with Node 20.12 and costs half of what an object for one digest does.
export const sha256Hex: (data: string | Uint8Array) => string =
  typeof crypto.hash === 'function'
    ? (data) => crypto.hash('sha256', data, 'hex')
    : (data) => crypto.createHash('sha256').update(data).digest('hex')

function hmac(key: string | Uint8Array, text: string): Buffer {
  return crypto.createHmac('sha256', key).update(text).digest()
}

/** Bytes of a block of SHA-256, and of its digest. */
const BLOCK = 64
const DIGEST = 32
/** Bytes that a string to sign may have: twice what the longest region makes of it. */
const MAX_SIGNED = 512

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
  #scope = ''
  /** The two inputs of HMAC (RFC 2104): the day's key in its two forms, each with room for what is hashed with it. */
  readonly #inner = Buffer.alloc(BLOCK + MAX_SIGNED)
  readonly #outer = Buffer.alloc(BLOCK + DIGEST)

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
    return this.#hmac(`${ALGORITHM}\n${date}\n${this.#scope}\n${sha256Hex(canonical)}`)
  }

  /** HMAC-SHA-256 with the key of the day, in hex: for every request, so without an object of Node's for each. */
  #hmac(text: string): string {
    const inner = this.#inner.subarray(0, BLOCK + this.#inner.write(text, BLOCK, 'latin1'))
    this.#outer.write(sha256Hex(inner), BLOCK, 'hex')
    return sha256Hex(this.#outer)
  }

  #turnTo(day: string): void {
    if (day === this.#day) return
    const ofDay = hmac(`AWS4${this.#identity.secretAccessKey}`, day)
    const key = hmac(hmac(hmac(ofDay, this.#region), this.#service), 'aws4_request')
    for (let i = 0; i < BLOCK; i++) {
      this.#inner[i] = (key[i] ?? 0) ^ 0x36
      this.#outer[i] = (key[i] ?? 0) ^ 0x5c
    }
    this.#scope = `${day}/${this.#region}/${this.#service}/aws4_request`
    this.#day = day
  }
}
