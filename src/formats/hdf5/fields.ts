/** Little-endian fields of HDF5's structures, one after the other. */

/** All bits set: an address where there is nothing. */
export const UNDEFINED_ADDRESS = 2 ** 64

export class FieldWriter {
  #bytes = new Uint8Array(512)
  #length = 0

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  get length(): number {
    return this.#length
  }

  /** An unsigned integer of `size` bytes. */
  uint(value: number, size: number): this {
    const at = this.#room(size)
    if (value === UNDEFINED_ADDRESS) this.#bytes.fill(0xff, at, at + size)
    else for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256)) this.#bytes[at + i] = rest % 256
    return this
  }

  ascii(text: string): this {
    const at = this.#room(text.length)
    for (let i = 0; i < text.length; i++) this.#bytes[at + i] = text.charCodeAt(i)
    return this
  }

  bytes(bytes: Uint8Array | readonly number[]): this {
    // Making room may put others in the place of these bytes.
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  zeros(count: number): this {
    this.#room(count)
    return this
  }

  #room(bytes: number): number {
    const at = this.#length
    this.#length += bytes
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    return at
  }
}

/** Reads fields between `at` and the end of `bytes`; `cut` makes the error for what ends before. */
export class FieldReader {
  readonly bytes: Uint8Array
  readonly #cut: (at: number) => Error
  at: number
  readonly end: number

  constructor(bytes: Uint8Array, cut: (at: number) => Error, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.#cut = cut
    this.at = at
    this.end = end
  }

  get left(): number {
    return this.end - this.at
  }

  /** An unsigned integer of `size` bytes, exact below 2^53; UNDEFINED_ADDRESS where all bits of 8 bytes are set. */
  uint(size: number): number {
    const at = this.#pass(size)
    let value = 0
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.bytes[at + i] as number)
    return value
  }

  ascii(length: number): string {
    const at = this.#pass(length)
    return String.fromCharCode(...this.bytes.subarray(at, at + length))
  }

  utf8(length: number): string {
    const at = this.#pass(length)
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + at, length).toString('utf8')
  }

  skip(bytes: number): void {
    this.#pass(bytes)
  }

  /** The next `length` bytes as fields of their own. */
  part(length: number): FieldReader {
    const at = this.#pass(length)
    return new FieldReader(this.bytes, this.#cut, at, at + length)
  }

  #pass(bytes: number): number {
    const at = this.at
    if (bytes > this.end - at) throw this.#cut(at)
    this.at = at + bytes
    return at
  }
}
