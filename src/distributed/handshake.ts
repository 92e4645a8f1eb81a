import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * How ranks know each other. A member says who it is; the hub shows that it knows the token, and then the member does.
 * Neither sends the token.
 */

/** "HRRANK", and the version of all that goes over a link. */
const MAGIC = Buffer.from('HRRANK\0\x01', 'latin1')
export const NONCE_BYTES = 32
const PROOF_BYTES = 32
const MAX_HOST = 255

/** Of what is accepted from who has not shown that it knows the token: bytes. */
export const STRANGER_LIMIT = 512

export interface Hello {
  readonly rank: number
  readonly size: number
  readonly nonce: Uint8Array
  readonly host: string
}

export function encodeHello({ rank, size, nonce, host }: Hello): Uint8Array {
  const numbers = Buffer.alloc(8)
  numbers.writeUInt32LE(rank, 0)
  numbers.writeUInt32LE(size, 4)
  return Buffer.concat([MAGIC, numbers, nonce, Buffer.from(host).subarray(0, MAX_HOST)])
}

/** undefined where the bytes are no hello of this version. */
export function decodeHello(payload: Uint8Array): Hello | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  const hostAt = MAGIC.length + 8 + NONCE_BYTES
  if (bytes.length < hostAt || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  return {
    rank: bytes.readUInt32LE(MAGIC.length),
    size: bytes.readUInt32LE(MAGIC.length + 4),
    nonce: bytes.subarray(MAGIC.length + 8, hostAt),
    host: bytes.toString('utf8', hostAt),
  }
}

/** What `by` sends to show that it knows the token. */
export function proofOf(token: Uint8Array, by: 'hub' | 'member', hello: Hello, hubNonce: Uint8Array): Uint8Array {
  return createHmac('sha256', token).update(by).update(hubNonce).update(encodeHello(hello)).digest()
}

export function encodeChallenge(token: Uint8Array, hello: Hello, hubNonce: Uint8Array): Uint8Array {
  return Buffer.concat([hubNonce, proofOf(token, 'hub', hello, hubNonce)])
}

/** The hub's nonce; undefined where who sent it does not know the token. */
export function openChallenge(payload: Uint8Array, token: Uint8Array, hello: Hello): Uint8Array | undefined {
  if (payload.length !== NONCE_BYTES + PROOF_BYTES) return undefined
  const hubNonce = payload.subarray(0, NONCE_BYTES)
  const isProof = isSame(payload.subarray(NONCE_BYTES), proofOf(token, 'hub', hello, hubNonce))
  return isProof ? hubNonce : undefined
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
