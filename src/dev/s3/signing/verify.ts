import { timingSafeEqual } from 'node:crypto'
import { Refusal } from '../refusal.ts'
import type { S3Request } from '../request/request.ts'
import { canonicalRequest, type Scope, scopeText, sha256, signatureOf, signingKey } from './canonical.ts'
import { type Claim, readClaim } from './credential.ts'

/** The one account of the server. */
export interface Account {
  readonly accessKey: string
  readonly secretKey: string
  /** Where set, requests must carry it as temporary credentials do. */
  readonly sessionToken?: string
}

/** How the body of an accepted request proves itself. */
export type PayloadProof =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'hash'; readonly sha256: string }
  | { readonly kind: 'chunks'; readonly signer: ChunkSigner | undefined; readonly trailer: boolean }

/** What every chunk's signature is computed with; the first follows the request's own. */
export interface ChunkSigner {
  readonly key: Uint8Array
  readonly timestamp: string
  readonly scope: string
  readonly seed: string
}

/** 15 minutes. */
const MAX_SKEW_MS = 900_000

function timeOf(timestamp: string): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp) ?? []
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(time))
    throw new Refusal('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  return time
}

function checkTime(claim: Claim, now: number): void {
  const time = timeOf(claim.timestamp)
  const serverTime = new Date(now).toISOString()
  if (claim.expires !== undefined && now > time + claim.expires * 1000)
    throw new Refusal('AccessDenied', 'Request has expired', {
      'X-Amz-Expires': String(claim.expires),
      Expires: new Date(time + claim.expires * 1000).toISOString(),
      ServerTime: serverTime,
    })
  if (claim.expires === undefined ? Math.abs(now - time) <= MAX_SKEW_MS : time <= now + MAX_SKEW_MS) return
  throw new Refusal(
    'RequestTimeTooSkewed',
    'The difference between the request time and the current time is too large.',
    {
      RequestTime: claim.timestamp,
      ServerTime: serverTime,
      MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS),
    },
  )
}

function checkScope(claim: Claim, region: string): void {
  const [code, subject] =
    claim.from === 'header'
      ? (['AuthorizationHeaderMalformed', 'The authorization header is malformed'] as const)
      : (['AuthorizationQueryParametersError', 'Error parsing the X-Amz-Credential parameter'] as const)
  if (claim.region !== region)
    throw new Refusal(
      code,
      `${subject}; the region '${claim.region}' is wrong; expecting '${region}'`,
      { Region: region },
      { 'x-amz-bucket-region': region },
    )
  if (claim.timestamp.slice(0, 8) !== claim.day)
    throw new Refusal(
      code,
      `${subject}; Invalid credential date "${claim.day}". This date is not the same as X-Amz-Date.`,
    )
}

function checkKeys(claim: Claim, { accessKey, sessionToken }: Account): void {
  if (claim.accessKey !== accessKey)
    throw new Refusal('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', {
      AWSAccessKeyId: claim.accessKey,
    })
  if (claim.token !== sessionToken)
    throw new Refusal('InvalidToken', 'The provided token is malformed or otherwise invalid.')
}

/** Fields whose meaning an attacker could change, were they not signed. */
function checkSignedHeaders({ headers }: S3Request, { from, signedHeaders }: Claim): void {
  const unsigned = [...headers.keys()].filter((name) => name.startsWith('x-amz-') && !signedHeaders.includes(name))
  // A presigned query has its hash, or the lack of one, where others have the header.
  const loose = from === 'query' ? unsigned.filter((name) => name !== 'x-amz-content-sha256') : unsigned
  if (loose.length > 0)
    throw new Refusal('AccessDenied', 'There were headers present in the request which were not signed', {
      HeadersNotSigned: loose.join(', '),
    })
  const absent = signedHeaders.filter((name) => !headers.has(name))
  if (absent.length > 0)
    throw new Refusal('AccessDenied', 'There were headers signed which are not in the request', {
      HeadersNotPresent: absent.join(', '),
    })
}

const CHUNKED: Readonly<Record<string, { readonly signed: boolean; readonly trailer: boolean }>> = {
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { signed: true, trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { signed: true, trailer: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { signed: false, trailer: true },
}

function payloadHashOf({ headers, query }: S3Request, { from }: Claim): string {
  const named = headers.get('x-amz-content-sha256')
  if (from === 'query') return named ?? query.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD'
  if (named === undefined)
    throw new Refusal('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
  return named
}

function proofOf(hash: string, signer: ChunkSigner): PayloadProof {
  if (hash === 'UNSIGNED-PAYLOAD') return { kind: 'unsigned' }
  const chunked = Object.hasOwn(CHUNKED, hash) ? CHUNKED[hash] : undefined
  if (chunked !== undefined)
    return { kind: 'chunks', signer: chunked.signed ? signer : undefined, trailer: chunked.trailer }
  if (/^[0-9a-f]{64}$/.test(hash)) return { kind: 'hash', sha256: hash }
  throw new Refusal(
    'InvalidArgument',
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a valid sha256 value.',
    { ArgumentName: 'x-amz-content-sha256', ArgumentValue: hash },
  )
}

function sameSignature(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

/**
 * Lets a request in, or throws why not. `now`: milliseconds since 1970 by the server's clock. The body is not looked
 * at: what comes back says how it is to be checked while it is read.
 */
export function verifyRequest(request: S3Request, account: Account, region: string, now: number): PayloadProof {
  const claim = readClaim(request)
  checkKeys(claim, account)
  checkScope(claim, region)
  checkTime(claim, now)
  const payloadHash = payloadHashOf(request, claim)
  const { signedHeaders, timestamp } = claim
  const scope: Scope = claim
  const canonical = canonicalRequest({
    method: request.method,
    path: request.path,
    pairs: claim.from === 'query' ? request.pairs.filter(([name]) => name !== 'X-Amz-Signature') : request.pairs,
    headers: request.headers,
    signedHeaders,
    payloadHash,
  })
  const key = signingKey(account.secretKey, scope)
  const lines = ['AWS4-HMAC-SHA256', timestamp, scopeText(scope), sha256(Buffer.from(canonical, 'latin1'))]
  if (!sameSignature(signatureOf(key, lines), claim.signature))
    throw new Refusal(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
      {
        AWSAccessKeyId: claim.accessKey,
        StringToSign: lines.join('\n'),
        SignatureProvided: claim.signature,
        CanonicalRequest: canonical,
      },
    )
  checkSignedHeaders(request, claim)
  return proofOf(payloadHash, { key, timestamp, scope: scopeText(scope), seed: claim.signature })
}
