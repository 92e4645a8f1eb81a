import { createHash, type Hash } from 'node:crypto'
import { Refusal } from '../refusal.ts'
import { EMPTY_SHA256, sha256, signatureOf } from '../signing/canonical.ts'
import type { ChunkSigner } from '../signing/verify.ts'

/** Size, signature and extensions of a chunk; longer lines are no chunk's. */
const MAX_LINE_BYTES = 4096
const MAX_TRAILER_BYTES = 16_384
/** 5 GiB: what one body may have. */
const MAX_CHUNK_BYTES = 5 * 2 ** 30

const TRAILER_SIGNATURE = 'x-amz-trailer-signature'

function broken(message: string): Refusal {
  return new Refusal('IncompleteBody', message)
}

type State =
  | { readonly at: 'header' }
  | { readonly at: 'data'; left: number; readonly signature: string; readonly hash: Hash | undefined }
  | { readonly at: 'data-end' }
  | { readonly at: 'trailer' }
  | { readonly at: 'end' }

/**
 * Takes the frames off a body in `aws-chunked` coding, whatever pieces it comes in, and checks the signature of every
 * chunk once it is whole. Bytes are handed on before that: who keeps them must wait for `end`.
 */
export class ChunkDecoder {
  readonly #signer: ChunkSigner | undefined
  readonly #trailer: boolean
  readonly #trailers = new Map<string, string>()
  #previous: string
  #state: State = { at: 'header' }
  /** The beginning of a line whose end is still to come. */
  #line = Buffer.alloc(0)
  #trailerBytes = 0

  constructor(signer: ChunkSigner | undefined, trailer: boolean) {
    this.#signer = signer
    this.#trailer = trailer
    this.#previous = signer?.seed ?? ''
  }

  /** Fields behind the last chunk, names in lower case; whole after `end`. */
  get trailers(): ReadonlyMap<string, string> {
    return this.#trailers
  }

  /** The data in a piece of the body, in views of it. */
  *push(piece: Buffer): Generator<Buffer> {
    let at = 0
    while (at < piece.length) {
      const state = this.#state
      if (state.at === 'end') throw broken('There are bytes behind the last chunk of the body.')
      if (state.at === 'data') {
        const data = piece.subarray(at, at + state.left)
        at += data.length
        state.left -= data.length
        state.hash?.update(data)
        if (data.length > 0) yield data
        if (state.left === 0) this.#endChunk(state.signature, state.hash)
        continue
      }
      const end = piece.indexOf(10, at)
      this.#line = Buffer.concat([this.#line, piece.subarray(at, end < 0 ? piece.length : end)])
      at = end < 0 ? piece.length : end + 1
      if (this.#line.length > MAX_LINE_BYTES) throw broken('A line between the chunks of the body is too long.')
      if (end >= 0) this.#takeLine()
    }
  }

  /** Throws where the body ended early. */
  end(): void {
    if (this.#state.at !== 'end')
      throw broken('You did not provide the number of bytes specified by the Content-Length HTTP header')
  }

  #takeLine(): void {
    const text = this.#line.toString('latin1')
    this.#line = Buffer.alloc(0)
    if (!text.endsWith('\r')) throw broken('A line between the chunks of the body does not end in CR LF.')
    const line = text.slice(0, -1)
    if (this.#state.at === 'header') this.#takeHeader(line)
    else if (this.#state.at === 'trailer') this.#takeTrailer(line)
    else if (line !== '') throw broken('A chunk is longer than its size says.')
    else this.#state = { at: 'header' }
  }

  #takeHeader(line: string): void {
    const [, size = '', rest = ''] = /^([0-9a-fA-F]{1,12})((?:;.*)?)$/.exec(line) ?? []
    const left = size === '' ? Number.NaN : Number.parseInt(size, 16)
    const signature = /;chunk-signature=([0-9a-f]{64})$/.exec(rest)?.[1] ?? ''
    if (!(left <= MAX_CHUNK_BYTES)) throw broken('The size of a chunk of the body cannot be read.')
    if (this.#signer !== undefined && signature === '') throw broken('A chunk of the body has no signature.')
    const hash = this.#signer === undefined ? undefined : createHash('sha256')
    if (left > 0) this.#state = { at: 'data', left, signature, hash }
    else this.#endLast(signature, hash)
  }

  #endLast(signature: string, hash: Hash | undefined): void {
    this.#check(signature, hash)
    this.#state = { at: 'trailer' }
  }

  #endChunk(signature: string, hash: Hash | undefined): void {
    this.#check(signature, hash)
    this.#state = { at: 'data-end' }
  }

  #check(signature: string, hash: Hash | undefined): void {
    if (this.#signer === undefined || hash === undefined) return
    const { key, timestamp, scope } = this.#signer
    const lines = ['AWS4-HMAC-SHA256-PAYLOAD', timestamp, scope, this.#previous, EMPTY_SHA256, hash.digest('hex')]
    this.#compare(signatureOf(key, lines), signature)
  }

  #compare(expected: string, given: string): void {
    if (expected !== given)
      throw new Refusal('SignatureDoesNotMatch', 'The signature of a chunk of the body does not match.')
    this.#previous = expected
  }

  /** One field, or the empty line that ends them all. */
  #takeTrailer(line: string): void {
    this.#trailerBytes += line.length
    if (this.#trailerBytes > MAX_TRAILER_BYTES) throw broken('The trailer of the body is too long.')
    if (line === '') {
      this.#checkTrailer()
      this.#state = { at: 'end' }
      return
    }
    const cut = line.indexOf(':')
    if (cut < 1 || !this.#trailer)
      throw new Refusal('MalformedTrailerError', 'The request contained trailing data that was not well-formed.')
    this.#trailers.set(line.slice(0, cut).toLowerCase(), line.slice(cut + 1).trim())
  }

  #checkTrailer(): void {
    const given = this.#trailers.get(TRAILER_SIGNATURE)
    this.#trailers.delete(TRAILER_SIGNATURE)
    if (this.#signer === undefined || !this.#trailer) return
    const { key, timestamp, scope } = this.#signer
    const fields = [...this.#trailers].map(([name, value]) => `${name}:${value}\n`).join('')
    const lines = ['AWS4-HMAC-SHA256-TRAILER', timestamp, scope, this.#previous, sha256(fields)]
    this.#compare(signatureOf(key, lines), given ?? '')
  }
}
