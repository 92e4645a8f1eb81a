import type { ByteSource } from './types.ts'
import { type Packing, unpackedPieces } from './unpack.ts'

/** Bytes that are read from front to back, with leaps: how files are looked through once. */
export interface ForwardBytes {
  /** How many there are; undefined as long as that is not known. */
  readonly end: number | undefined
  /**
   * `length` bytes from `offset` on, fewer where they end; `offset` never goes back. They stay as they are until the next
   * read.
   */
  read(offset: number, length: number): Promise<Uint8Array>
  /** Goes to the end where what was read is not certain before: a checksum stands there. The last read. */
  finish(): Promise<void>
  close(): Promise<void>
}

/** 1 MiB at once where little is passed over. */
const WINDOW = 2 ** 20

/** Looks through a source; `leap`: bytes that are passed over rather than read. */
export function forwardBytes(source: ByteSource, packing: Packing, leap: number): ForwardBytes {
  return packing === 'none' ? new PlainBytes(source, leap) : new UnpackedBytes(source, packing)
}

class PlainBytes implements ForwardBytes {
  readonly end: number
  readonly #source: ByteSource
  readonly #leap: number
  #window: Uint8Array = new Uint8Array(0)
  #start = 0
  /** Where the read before this one ended. */
  #last = 0

  constructor(source: ByteSource, leap: number) {
    this.#source = source
    this.#leap = leap
    this.end = source.size
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.end - offset))
    const leapt = offset - this.#last
    this.#last = offset + wanted
    if (wanted === 0) return new Uint8Array(0)
    if (offset < this.#start || offset + wanted > this.#start + this.#window.length) {
      const bytes = leapt > this.#leap ? wanted : Math.max(wanted, Math.min(WINDOW, this.end - offset))
      this.#window = await this.#source.read(offset, bytes)
      this.#start = offset
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + wanted)
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {
    this.#window = new Uint8Array(0)
  }
}

class UnpackedBytes implements ForwardBytes {
  end: number | undefined
  readonly #pieces: AsyncGenerator<Uint8Array>
  #held: Uint8Array = new Uint8Array(0)
  /** Of the first byte held. */
  #start = 0

  constructor(source: ByteSource, packing: Packing) {
    this.#pieces = unpackedPieces(source, packing)
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    while (this.end === undefined && this.#start + this.#held.length < offset + length) {
      const { done, value } = await this.#pieces.next()
      const passed = Math.min(this.#held.length, offset - this.#start)
      const kept = this.#held.subarray(passed)
      this.#start += passed
      if (done === true) {
        this.#held = kept
        this.end = this.#start + kept.length
      } else this.#held = kept.length === 0 ? value : Buffer.concat([kept, value])
    }
    const from = Math.min(this.#held.length, offset - this.#start)
    return this.#held.subarray(from, from + length)
  }

  async finish(): Promise<void> {
    this.#held = new Uint8Array(0)
    for await (const _ of this.#pieces);
  }

  async close(): Promise<void> {
    this.#held = new Uint8Array(0)
    await this.#pieces.return(undefined)
  }
}
