/** Thrift's compact protocol, as far as Parquet's structures need it. */
const TRUE = 1
const FALSE = 2
const BYTE = 3
const I32 = 5
const I64 = 6
const BINARY = 8
const LIST = 9
const STRUCT = 12

export class ThriftWriter {
  #bytes = new Uint8Array(256)
  #length = 0
  /** The last field of each structure that is open. */
  #last: number[] = [0]

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  bool(field: number, value: boolean): this {
    return this.#field(field, value ? TRUE : FALSE)
  }

  byte(field: number, value: number): this {
    this.#field(field, BYTE)
    this.#push(value)
    return this
  }

  i32(field: number, value: number): this {
    return this.#field(field, I32).#zigzag(value)
  }

  i64(field: number, value: number): this {
    return this.#field(field, I64).#zigzag(value)
  }

  binary(field: number, value: Uint8Array | string): this {
    return this.#field(field, BINARY).#data(value)
  }

  i32s(field: number, values: readonly number[]): this {
    this.#list(field, I32, values.length)
    for (const value of values) this.#zigzag(value)
    return this
  }

  i64s(field: number, values: readonly number[]): this {
    this.#list(field, I64, values.length)
    for (const value of values) this.#zigzag(value)
    return this
  }

  binaries(field: number, values: readonly string[]): this {
    this.#list(field, BINARY, values.length)
    for (const value of values) this.#data(value)
    return this
  }

  struct(field: number, fill: (inner: ThriftWriter) => unknown): this {
    return this.#field(field, STRUCT).#inner(fill)
  }

  structs<T>(field: number, items: readonly T[], fill: (item: T, inner: ThriftWriter) => unknown): this {
    this.#list(field, STRUCT, items.length)
    for (const item of items) this.#inner((inner) => fill(item, inner))
    return this
  }

  /** A list of `count` structures that are encoded already. */
  encodedStructs(field: number, count: number, parts: Iterable<Uint8Array>): this {
    this.#list(field, STRUCT, count)
    for (const part of parts) this.raw(part)
    return this
  }

  /** The end of a structure that stands by itself. */
  stop(): this {
    this.#push(0)
    return this
  }

  raw(bytes: Uint8Array): this {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  #inner(fill: (inner: ThriftWriter) => unknown): this {
    this.#last.push(0)
    fill(this)
    this.#last.pop()
    return this.stop()
  }

  #list(field: number, type: number, length: number): void {
    this.#field(field, LIST)
    if (length < 15) this.#push((length << 4) | type)
    else {
      this.#push(0xf0 | type)
      this.#varint(length)
    }
  }

  #field(field: number, type: number): this {
    const open = this.#last.length - 1
    this.#push(((field - (this.#last[open] as number)) << 4) | type)
    this.#last[open] = field
    return this
  }

  #data(value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    this.#varint(bytes.length)
    return this.raw(bytes)
  }

  #zigzag(value: number): this {
    this.#varint(value < 0 ? -2 * value - 1 : 2 * value)
    return this
  }

  #varint(value: number): void {
    let rest = value
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#push((rest % 128) | 128)
    this.#push(rest)
  }

  #push(byte: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = byte
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#length + bytes, this.#bytes.length * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}
