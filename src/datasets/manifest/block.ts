import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { HeadraceError } from '../../errors.ts'
import type { ManifestEntry } from './types.ts'

/**
 * Entries of a block: enough for keys to share their beginnings, few enough to be unpacked for one of them (some 30 us).
 */
export const BLOCK_ENTRIES = 256

/** Longer keys are in no store: S3 has 1,024 bytes, file systems 4,096. */
const MAX_KEY = 2 ** 16
const MAX_ETAG = 2 ** 12

/** A block as it is stored: deflated text, then the bytes of digests, which nothing makes smaller. */
export interface PackedBlock {
  readonly deflated: Uint8Array
  readonly digests: Uint8Array
  /** Of the text before it was deflated, bytes. */
  readonly textBytes: number
}

/** S3's etags: an MD5, or one of the MD5s of so many parts. */
const DIGEST = /^([0-9a-f]{32})(?:-([1-9]\d{0,4}))?$/
const DIGEST_BYTES = 16

/** Kinds of etags; a number above is that of the parts and DIGEST. */
const OTHER = 0
const DIGEST_ALONE = 1

class Bytes {
  #bytes = Buffer.allocUnsafe(16 * 1024)
  #length = 0

  get view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Little-endian base 128. */
  number(value: number): void {
    this.#reserve(8)
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) | 128
    this.#bytes[this.#length++] = rest
  }

  put(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(2 * (this.#length + more))
    larger.set(this.view)
    this.#bytes = larger
  }
}

function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length)
  let i = 0
  while (i < shorter && a[i] === b[i]) i++
  return i
}

/** At most BLOCK_ENTRIES entries, in order. E_LIMIT for a key or an etag that no store has. */
export function packBlock(entries: readonly ManifestEntry[]): PackedBlock {
  const text = new Bytes()
  const digests = new Bytes()
  let before: Uint8Array = new Uint8Array()
  for (const { key, size, etag } of entries) {
    const bytes = Buffer.from(key)
    if (bytes.length > MAX_KEY || etag.length > MAX_ETAG)
      throw new HeadraceError('E_LIMIT', `a key of ${bytes.length} bytes and an etag of ${etag.length} are too long`)
    const shared = sharedBytes(before, bytes)
    text.number(shared)
    text.number(bytes.length - shared)
    text.put(bytes.subarray(shared))
    text.number(size)
    putEtag(etag, text, digests)
    before = bytes
  }
  return { deflated: deflateRawSync(text.view), digests: digests.view, textBytes: text.view.length }
}

function putEtag(etag: string, text: Bytes, digests: Bytes): void {
  const [, digest, parts] = DIGEST.exec(etag) ?? []
  if (digest === undefined) {
    const bytes = Buffer.from(etag)
    text.number(OTHER)
    text.number(bytes.length)
    text.put(bytes)
    return
  }
  text.number(parts === undefined ? DIGEST_ALONE : DIGEST_ALONE + Number(parts))
  digests.put(Buffer.from(digest, 'hex'))
}

function damaged(what: string): HeadraceError {
  return new HeadraceError('E_CORRUPT', what)
}

/** Reads what `Bytes` wrote. */
class Cursor {
  readonly bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get done(): boolean {
    return this.#at === this.bytes.length
  }

  number(): number {
    const first = this.bytes[this.#at++]
    if (first === undefined) throw damaged('a number is cut off')
    return first < 128 ? first : this.#longNumber(first & 127)
  }

  /** Passes over so many bytes; returns where they begin. */
  skip(length: number): number {
    const start = this.#at
    if (start + length > this.bytes.length) throw damaged(`${length} bytes are cut off`)
    this.#at = start + length
    return start
  }

  #longNumber(first: number): number {
    let value = first
    for (let scale = 128; ; scale *= 128) {
      const byte = this.bytes[this.#at++]
      if (byte === undefined || scale > 2 ** 49) throw damaged('a number does not end')
      value += (byte & 127) * scale
      if (byte < 128) break
    }
    if (!Number.isSafeInteger(value)) throw damaged('a number is too large')
    return value
  }
}

/** Of an entry: bytes that its key shares with the one before, place and length of the others; etag's kind, place, length. */
const COLUMNS = 6

/**
 * A block unpacked, as far as that is cheap: keys and etags are put together when they are asked for, which is done for
 * few of them.
 */
export class Block {
  readonly length: number
  readonly #text: Buffer
  readonly #digests: Buffer
  readonly #sizes: Float64Array
  readonly #places: Uint32Array

  /** `count` entries are in it. E_CORRUPT says what is wrong, not where. */
  constructor({ deflated, digests, textBytes }: PackedBlock, count: number) {
    const text = new Cursor(inflate(deflated, textBytes))
    const raw = new Cursor(digests)
    const sizes = new Float64Array(count)
    const places = new Uint32Array(COLUMNS * count)
    let before = 0
    for (let i = 0, at = 0; i < count; i++, at += COLUMNS) {
      const shared = text.number()
      const rest = text.number()
      if (shared > before || shared + rest > MAX_KEY) throw damaged(`the key of entry ${i} is none`)
      before = shared + rest
      places[at] = shared
      places[at + 1] = text.skip(rest)
      places[at + 2] = rest
      sizes[i] = text.number()
      const kind = text.number()
      const length = kind === OTHER ? text.number() : DIGEST_BYTES
      places[at + 3] = kind
      places[at + 4] = kind === OTHER ? text.skip(length) : raw.skip(length)
      places[at + 5] = length
    }
    if (!text.done || !raw.done) throw damaged(`it has more than ${count} entries`)
    this.length = count
    this.#text = text.bytes
    this.#digests = raw.bytes
    this.#sizes = sizes
    this.#places = places
  }

  size(i: number): number {
    return this.#sizes[i] as number
  }

  entry(i: number): ManifestEntry {
    return { key: this.#key(i), size: this.size(i), etag: this.#etag(i) }
  }

  /** From entry `start` on, each key made of the one before. */
  *entries(start: number): Generator<ManifestEntry> {
    if (start >= this.length) return
    let key: Buffer = Buffer.from(this.#key(start))
    for (let i = start; i < this.length; i++) {
      const at = COLUMNS * i
      const shared = this.#places[at] as number
      const from = this.#places[at + 1] as number
      const length = shared + (this.#places[at + 2] as number)
      if (length > key.length) key = Buffer.concat([key], 2 * length)
      this.#text.copy(key, shared, from, from + length - shared)
      yield { key: key.toString('utf8', 0, length), size: this.size(i), etag: this.#etag(i) }
    }
  }

  /** From its end to its beginning, which one of the keys before has. */
  #key(i: number): string {
    const places = this.#places
    let at = COLUMNS * i
    let end = (places[at] as number) + (places[at + 2] as number)
    const key = Buffer.allocUnsafe(end)
    for (; end > 0; at -= COLUMNS) {
      const shared = places[at] as number
      if (shared >= end) continue
      const from = places[at + 1] as number
      this.#text.copy(key, shared, from, from + end - shared)
      end = shared
    }
    return key.toString()
  }

  #etag(i: number): string {
    const at = COLUMNS * i
    const kind = this.#places[at + 3] as number
    const from = this.#places[at + 4] as number
    const to = from + (this.#places[at + 5] as number)
    if (kind === OTHER) return this.#text.toString('utf8', from, to)
    const digest = this.#digests.toString('hex', from, to)
    return kind === DIGEST_ALONE ? digest : `${digest}-${kind - DIGEST_ALONE}`
  }
}

function inflate(deflated: Uint8Array, textBytes: number): Uint8Array {
  try {
    const text = inflateRawSync(deflated, { maxOutputLength: textBytes })
    if (text.length === textBytes) return text
  } catch {}
  throw damaged(`it does not unpack to ${textBytes} bytes`)
}
