/** Bytes that are fetched where few are asked for: libhdf5 reads descriptions a few bytes at a time. */
const BLOCK = 16 * 1024
/** How many blocks of a file are kept. */
const KEPT = 64

/** A file for callers that wait: small reads come from blocks that are kept, others are fetched as they are. */
export class Blocks {
  readonly size: number
  readonly #fetch: (offset: number, into: Uint8Array) => void
  /** By number; the one used last is the last one. */
  readonly #kept = new Map<number, Uint8Array>()

  constructor(size: number, fetch: (offset: number, into: Uint8Array) => void) {
    this.size = size
    this.#fetch = fetch
  }

  /** Fills `into` as far as the file goes; returns how far. */
  read(offset: number, into: Uint8Array): number {
    const length = Math.max(0, Math.min(into.length, this.size - offset))
    if (length >= BLOCK) {
      this.#fetch(offset, into.subarray(0, length))
      return length
    }
    for (let done = 0; done < length; ) {
      const number = Math.floor((offset + done) / BLOCK)
      const from = offset + done - number * BLOCK
      const part = this.#block(number).subarray(from, from + length - done)
      into.set(part, done)
      done += part.length
    }
    return length
  }

  #block(number: number): Uint8Array {
    let block = this.#kept.get(number)
    if (block === undefined) {
      block = new Uint8Array(Math.min(BLOCK, this.size - number * BLOCK))
      this.#fetch(number * BLOCK, block)
    }
    this.#kept.delete(number)
    this.#kept.set(number, block)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > KEPT && oldest !== undefined) this.#kept.delete(oldest)
    return block
  }
}
