/** Thrift's compact protocol, within bounds: what ends early or nests too deeply throws what `broken` makes. */
const TRUE = 1
const FALSE = 2
const BYTE = 3
const I16 = 4
const I32 = 5
const I64 = 6
const DOUBLE = 7
const BINARY = 8
const LIST = 9
const SET = 10
const MAP = 11
const STRUCT = 12
const MAX_DEPTH = 16

export class ThriftReader {
  readonly #bytes: Uint8Array
  readonly #broken: (at: number) => Error
  readonly #end: number
  at: number
  #type = 0
  #depth = 0

  constructor(bytes: Uint8Array, broken: (at: number) => Error, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#broken = broken
    this.at = at
    this.#end = end
  }

  /** Reads a structure: `visit` is called with the number of each field, and reads its value or leaves it. */
  struct(visit: (field: number) => void): void {
    if (++this.#depth > MAX_DEPTH) throw this.#broken(this.at)
    for (let field = 0; ; ) {
      const head = this.#byte()
      if (head === 0) break
      const type = head & 15
      field = head >> 4 === 0 ? this.#zigzag() : field + (head >> 4)
      this.#type = type
      const before = this.at
      visit(field)
      // Nothing of a boolean is left to read: its type is its value.
      if (this.at === before && this.#type !== 0) this.#skip(type)
    }
    this.#depth--
  }

  /** The value of the field that is being visited; a wrong type is broken. */
  int(): number {
    const type = this.#taken()
    if (type === BYTE) return (this.#byte() << 24) >> 24
    if (type < I16 || type > I64) throw this.#broken(this.at)
    return this.#zigzag()
  }

  bool(): boolean {
    const type = this.#taken()
    if (type !== TRUE && type !== FALSE) throw this.#broken(this.at)
    return type === TRUE
  }

  binary(): Uint8Array {
    if (this.#taken() !== BINARY) throw this.#broken(this.at)
    return this.#data()
  }

  text(): string {
    return Buffer.from(this.binary()).toString('utf8')
  }

  inner(visit: (field: number) => void): void {
    if (this.#taken() !== STRUCT) throw this.#broken(this.at)
    this.struct(visit)
  }

  /** A list of structures; returns how many. */
  structs(begin: (index: number) => (field: number) => void): number {
    const count = this.#listOf(STRUCT)
    for (let i = 0; i < count; i++) this.struct(begin(i))
    return count
  }

  ints(): number[] {
    const count = this.#listOf(I32, I64)
    return Array.from({ length: count }, () => this.#zigzag())
  }

  texts(): string[] {
    const count = this.#listOf(BINARY)
    return Array.from({ length: count }, () => Buffer.from(this.#data()).toString('utf8'))
  }

  #taken(): number {
    const type = this.#type
    this.#type = 0
    return type
  }

  #listOf(...types: number[]): number {
    if (this.#taken() !== LIST) throw this.#broken(this.at)
    const [count, type] = this.#listHead()
    if (count > 0 && !types.includes(type)) throw this.#broken(this.at)
    return count
  }

  #listHead(): [count: number, type: number] {
    const head = this.#byte()
    const count = head >> 4 === 15 ? this.#varint() : head >> 4
    // Every element takes a byte at least.
    if (count > this.#end - this.at) throw this.#broken(this.at)
    return [count, head & 15]
  }

  #skip(type: number): void {
    switch (type) {
      case TRUE:
      case FALSE:
        return
      case BYTE:
        this.#pass(1)
        return
      case I16:
      case I32:
      case I64:
        this.#varint()
        return
      case DOUBLE:
        this.#pass(8)
        return
      case BINARY:
        this.#pass(this.#varint())
        return
      case LIST:
      case SET: {
        const [count, of] = this.#listHead()
        for (let i = 0; i < count; i++) this.#skipElement(of)
        return
      }
      case MAP: {
        const count = this.#varint()
        if (count > this.#end - this.at) throw this.#broken(this.at)
        const types = count > 0 ? this.#byte() : 0
        for (let i = 0; i < count; i++) {
          this.#skipElement(types >> 4)
          this.#skipElement(types & 15)
        }
        return
      }
      case STRUCT:
        this.struct(() => {})
        return
      default:
        throw this.#broken(this.at)
    }
  }

  /** Booleans in lists take a byte. */
  #skipElement(type: number): void {
    if (type === TRUE || type === FALSE) this.#pass(1)
    else this.#skip(type)
  }

  #data(): Uint8Array {
    const length = this.#varint()
    const at = this.at
    this.#pass(length)
    return this.#bytes.subarray(at, at + length)
  }

  #zigzag(): number {
    const value = this.#varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  #varint(): number {
    let value = 0
    for (let scale = 1, i = 0; i < 10; i++, scale *= 128) {
      const byte = this.#byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw this.#broken(this.at)
  }

  #pass(bytes: number): void {
    if (bytes > this.#end - this.at) throw this.#broken(this.at)
    this.at += bytes
  }

  #byte(): number {
    if (this.at >= this.#end) throw this.#broken(this.at)
    return this.#bytes[this.at++] as number
  }
}
