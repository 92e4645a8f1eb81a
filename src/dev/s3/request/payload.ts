import { createHash, type Hash } from 'node:crypto'
import {
  type Algorithm,
  algorithmNamed,
  algorithmOfHeader,
  checksumHeader,
  type Hasher,
  hasher,
  isDigest,
} from '../checksums/algorithms.ts'
import { Refusal } from '../refusal.ts'
import type { PayloadProof } from '../signing/verify.ts'
import { ChunkDecoder } from './chunks.ts'
import type { Operation } from './operation.ts'
import type { S3Request } from './request.ts'

/** 5 GiB: what S3 takes in one request. */
const MAX_BODY_BYTES = 5 * 2 ** 30

/** Operations of whose body a checksum field speaks; that of CompleteMultipartUpload is about the object. */
const SUMMED: readonly Operation[] = ['PutObject', 'UploadPart', 'DeleteObjects']

/** Where the client puts the checksum of a body. */
interface Declared {
  readonly algorithm: Algorithm
  /** Base64; undefined where it comes behind the body. */
  readonly value: string | undefined
}

/** What is known of a body once it was read to its end. */
export interface Digests {
  /** Bytes. */
  readonly size: number
  readonly md5: Buffer
  readonly algorithm: Algorithm | undefined
  /** Base64, of the algorithm. */
  readonly checksum: string | undefined
}

/**
 * The body of a request, decoded and checked while it is read: length, signatures of chunks, SHA-256 where it is signed,
 * Content-MD5 and one checksum. Reading throws a Refusal at the end where one of them is wrong.
 */
export class Payload {
  /** Bytes that the client says will come. */
  readonly size: number
  /** Whether the client gave an MD5 or a checksum. */
  readonly declaresDigest: boolean
  /** The algorithm of the client's own checksum. */
  readonly algorithm: Algorithm | undefined
  readonly #source: AsyncIterable<Buffer>
  readonly #proof: PayloadProof
  readonly #declared: Declared | undefined
  readonly #md5: string | undefined

  /** `source`: the bytes as they come from the socket. MissingContentLength, EntityTooLarge, InvalidDigest, InvalidRequest. */
  constructor(source: AsyncIterable<Buffer>, request: S3Request, operation: Operation, proof: PayloadProof) {
    this.#source = source
    this.#proof = proof
    this.#declared = SUMMED.includes(operation) ? declaredChecksum(request) : undefined
    this.#md5 = declaredMd5(request)
    this.algorithm = this.#declared?.algorithm
    this.declaresDigest = this.#declared !== undefined || this.#md5 !== undefined
    this.size = declaredSize(request, proof)
  }

  /** Hands the bytes to `take`, piece by piece, and computes `fallback` where the client named no algorithm. */
  async read(take: (bytes: Buffer) => Promise<void> | void, fallback?: Algorithm): Promise<Digests> {
    const algorithm = this.#declared?.algorithm ?? fallback
    const checksum = algorithm === undefined ? undefined : hasher(algorithm)
    const md5 = createHash('md5')
    const sha256 = this.#proof.kind === 'hash' ? createHash('sha256') : undefined
    const decoder =
      this.#proof.kind === 'chunks' ? new ChunkDecoder(this.#proof.signer, this.#proof.trailer) : undefined
    let size = 0
    const accept = (bytes: Buffer) => {
      size += bytes.length
      if (size > this.size) throw incomplete(this.size, size)
      md5.update(bytes)
      checksum?.update(bytes)
      sha256?.update(bytes)
      return take(bytes)
    }
    for await (const piece of this.#source) {
      if (decoder === undefined) await accept(piece)
      else for (const bytes of decoder.push(piece)) await accept(bytes)
    }
    decoder?.end()
    if (size !== this.size) throw incomplete(this.size, size)
    return this.#finish(size, { md5, sha256, checksum, algorithm, trailers: decoder?.trailers })
  }

  /** The whole body in memory. MaxMessageLengthExceeded above `limit` bytes. */
  async collect(limit: number): Promise<Buffer> {
    if (this.size > limit)
      throw new Refusal('MaxMessageLengthExceeded', 'Your request was too big.', {
        MaxMessageLengthBytes: String(limit),
      })
    const pieces: Buffer[] = []
    await this.read((bytes) => void pieces.push(bytes))
    return Buffer.concat(pieces)
  }

  #finish(
    size: number,
    computed: {
      readonly md5: Hash
      readonly sha256: Hash | undefined
      readonly checksum: Hasher | undefined
      readonly algorithm: Algorithm | undefined
      readonly trailers: ReadonlyMap<string, string> | undefined
    },
  ): Digests {
    const { algorithm, trailers } = computed
    const md5 = computed.md5.digest()
    const sha256 = computed.sha256?.digest('hex')
    const checksum = computed.checksum?.digest().toString('base64')
    if (this.#proof.kind === 'hash' && this.#proof.sha256 !== sha256)
      throw new Refusal(
        'XAmzContentSHA256Mismatch',
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        { ClientComputedContentSHA256: this.#proof.sha256, S3ComputedContentSHA256: sha256 ?? '' },
      )
    if (this.#md5 !== undefined && this.#md5 !== md5.toString('base64'))
      throw new Refusal('BadDigest', 'The Content-MD5 you specified did not match what we received.', {
        ExpectedDigest: this.#md5,
        CalculatedDigest: md5.toString('base64'),
      })
    if (this.#declared !== undefined) checkChecksum(this.#declared, trailers, checksum)
    return { size, md5, algorithm, checksum }
  }
}

function incomplete(wanted: number, got: number): Refusal {
  return new Refusal(
    'IncompleteBody',
    `You did not provide the number of bytes specified by the Content-Length HTTP header: ${wanted} were said, ${got} came.`,
  )
}

function checkChecksum(
  { algorithm, value }: Declared,
  trailers: ReadonlyMap<string, string> | undefined,
  computed: string | undefined,
) {
  const name = checksumHeader(algorithm)
  const given = value ?? trailers?.get(name)
  if (given === undefined)
    throw new Refusal('MalformedTrailerError', `The trailer ${name} was announced and did not come.`)
  if (value === undefined) checkDigest(algorithm, given)
  if (given !== computed)
    throw new Refusal('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`)
}

function checkDigest(algorithm: Algorithm, value: string): void {
  if (!isDigest(algorithm, value))
    throw new Refusal('InvalidRequest', `Value for ${checksumHeader(algorithm)} header is invalid.`)
}

function declaredSize({ headers }: S3Request, proof: PayloadProof): number {
  const name = proof.kind === 'chunks' ? 'x-amz-decoded-content-length' : 'content-length'
  const text = headers.get(name)
  if (text === undefined && headers.has('transfer-encoding'))
    throw new Refusal('NotImplemented', 'A header you provided implies functionality that is not implemented.', {
      Header: 'Transfer-Encoding',
    })
  // A message without either has no body (RFC 9112).
  const size = Number(text ?? (proof.kind === 'chunks' ? Number.NaN : 0))
  if (!Number.isSafeInteger(size) || size < 0)
    throw new Refusal('MissingContentLength', `You must provide the ${name} HTTP header.`)
  if (size > MAX_BODY_BYTES)
    throw new Refusal('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
      ProposedSize: String(size),
      MaxSizeAllowed: String(MAX_BODY_BYTES),
    })
  return size
}

function declaredMd5({ headers }: S3Request): string | undefined {
  const value = headers.get('content-md5')
  if (value === undefined) return undefined
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length !== 16 || bytes.toString('base64') !== value)
    throw new Refusal('InvalidDigest', 'The Content-MD5 you specified is not valid.', { 'Content-MD5': value })
  return value
}

/** The one checksum of a request: in a header, or announced by `x-amz-trailer`. */
function declaredChecksum({ headers }: S3Request): Declared | undefined {
  const found: Declared[] = []
  for (const [name, value] of headers) {
    const algorithm = algorithmOfHeader(name)
    if (algorithm !== undefined) found.push({ algorithm, value })
  }
  for (const name of (headers.get('x-amz-trailer') ?? '').split(',')) {
    const algorithm = algorithmOfHeader(name.trim().toLowerCase())
    if (algorithm !== undefined) found.push({ algorithm, value: undefined })
  }
  const [first, second] = found
  if (second !== undefined)
    throw new Refusal(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    )
  const wanted = headers.get('x-amz-sdk-checksum-algorithm')
  if (wanted !== undefined && first?.algorithm !== algorithmNamed(wanted))
    throw new Refusal(
      'InvalidRequest',
      first === undefined
        ? 'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.'
        : `Value for x-amz-sdk-checksum-algorithm header is invalid.`,
    )
  if (first?.value !== undefined) checkDigest(first.algorithm, first.value)
  return first
}
