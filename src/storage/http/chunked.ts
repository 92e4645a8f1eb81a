import { corrupt } from './head.ts'
import type { Landing } from './landing.ts'

const CR = 13
const LF = 10
const TAB = 9
const SPACE = 32
const SEMICOLON = 59
const DELETE = 127

/** 2^52 - 1: more digits would not be exact. */
const MAX_SIZE_DIGITS = 13
/** Bytes: nobody sends extensions of chunks, and what they say is not read. */
const MAX_EXTENSION = 4096
/** Bytes of all fields after the last chunk; they are not read either. */
const MAX_TRAILERS = 64 * 1024

type Expecting = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'trailer-lf' | 'end-lf'

/** A body in chunks (RFC 9112, 7.1), cut anywhere. */
export class ChunkedBody {
  #expecting: Expecting = 'size'
  #size = 0
  #digits = 0
  /** Bytes of the extension, or of the trailers. */
  #skipped = 0
  #isLineStart = true
  /** The last chunk and the fields after it have come. */
  isComplete = false

  begin(): void {
    this.#expecting = 'size'
    this.#size = 0
    this.#digits = 0
    this.#skipped = 0
    this.isComplete = false
  }

  /** Bytes of the present chunk that have yet to come: what may be read straight into place. */
  get dataLeft(): number {
    return this.#expecting === 'data' ? this.#size : 0
  }

  /** So many of them landed. */
  landed(count: number): void {
    this.#size -= count
    if (this.#size === 0) this.#expecting = 'data-cr'
  }

  /** Takes what it can; returns where it stopped, which is before `to` only once the body is complete. */
  take(source: Uint8Array, from: number, to: number, landing: Landing): number {
    let at = from
    while (at < to && !this.isComplete) {
      if (this.#expecting === 'data') {
        const count = Math.min(this.#size, to - at)
        landing.copy(source, at, at + count)
        this.landed(count)
        at += count
      } else {
        this.#step(source[at++] ?? 0, landing)
      }
    }
    return at
  }

  #step(byte: number, landing: Landing): void {
    switch (this.#expecting) {
      case 'size':
        this.#sizeByte(byte)
        return
      case 'extension':
        this.#skip(byte, MAX_EXTENSION)
        if (byte === CR) this.#expecting = 'size-lf'
        return
      case 'size-lf':
        expectByte(byte, LF)
        this.#digits = 0
        this.#skipped = 0
        this.#isLineStart = true
        this.#expecting = this.#size === 0 ? 'trailer' : 'data'
        landing.expect(this.#size)
        return
      case 'data-cr':
        expectByte(byte, CR)
        this.#expecting = 'data-lf'
        return
      case 'data-lf':
        expectByte(byte, LF)
        this.#expecting = 'size'
        return
      case 'trailer':
        this.#trailerByte(byte)
        return
      case 'trailer-lf':
        expectByte(byte, LF)
        this.#isLineStart = true
        this.#expecting = 'trailer'
        return
      case 'end-lf':
        expectByte(byte, LF)
        this.isComplete = true
        return
    }
  }

  #sizeByte(byte: number): void {
    const digit = hexDigit(byte)
    if (digit >= 0) {
      if (++this.#digits > MAX_SIZE_DIGITS) throw corrupt(`a chunk's size has more than ${MAX_SIZE_DIGITS} digits`)
      this.#size = this.#size * 16 + digit
      return
    }
    if (this.#digits === 0) throw corrupt(`a chunk must start with its size, but starts with ${byteName(byte)}`)
    if (byte === CR) this.#expecting = 'size-lf'
    else if (byte === SEMICOLON || byte === SPACE || byte === TAB) this.#expecting = 'extension'
    else throw corrupt(`a chunk's size is followed by ${byteName(byte)}`)
  }

  #trailerByte(byte: number): void {
    if (this.#isLineStart && (byte === SPACE || byte === TAB)) throw corrupt('a field after the last chunk is folded')
    this.#skip(byte, MAX_TRAILERS)
    if (byte === CR) this.#expecting = this.#isLineStart ? 'end-lf' : 'trailer-lf'
    this.#isLineStart = false
  }

  #skip(byte: number, most: number): void {
    if ((byte < SPACE && byte !== TAB && byte !== CR) || byte === DELETE)
      throw corrupt(`${byteName(byte)} stands in a chunk's extension or after the last chunk`)
    if (++this.#skipped > most)
      throw corrupt(`a chunk's extension, or what follows the last one, has over ${most} bytes`)
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

function expectByte(byte: number, wanted: number): void {
  if (byte !== wanted) throw corrupt(`chunks must be divided by CR LF, but ${byteName(byte)} came`)
}

function byteName(byte: number): string {
  return `byte 0x${byte.toString(16).padStart(2, '0')}`
}
