/** Builds FlatBuffers from the end to the start, as their own builder does, so that equal content gives equal bytes. */
export class FlatBuffer {
  #bytes = new Uint8Array(1024)
  /** Bytes that are taken, at the end of the memory. */
  #size = 0
  #tables: number[] = []
  #fields: { readonly id: number; readonly at: number }[] = []

  get size(): number {
    return this.#size
  }

  string(text: string): number {
    const bytes = Buffer.from(text)
    this.#align(bytes.length + 1, 4)
    this.#put(0, 1)
    this.#prepend(bytes)
    this.#put(bytes.length, 4)
    return this.#size
  }

  offsets(all: readonly number[]): number {
    this.#align(all.length * 4, 4)
    for (const offset of all.toReversed()) this.#refer(offset)
    this.#put(all.length, 4)
    return this.#size
  }

  /** A table whose fields `fill` adds with `scalar` and `reference`. */
  table(fill: () => void): number {
    const start = this.#size
    this.#fields = []
    fill()
    this.#align(0, 4)
    this.#put(0, 4)
    const table = this.#size
    const count = Math.max(0, ...this.#fields.map(({ id }) => id + 1))
    const vtable = Buffer.alloc(4 + 2 * count)
    vtable.writeUInt16LE(vtable.length, 0)
    vtable.writeUInt16LE(table - start, 2)
    for (const { id, at } of this.#fields) vtable.writeUInt16LE(table - at, 4 + 2 * id)
    let known = this.#tables.find((at) => at >= vtable.length && this.#at(at, vtable.length).equals(vtable))
    if (known === undefined) {
      this.#prepend(vtable)
      known = this.#size
      this.#tables.push(known)
    }
    this.#at(table, 4).writeInt32LE(known - table, 0)
    return table
  }

  scalar(id: number, value: number, bytes: number): void {
    this.#align(0, bytes)
    this.#put(value, bytes)
    this.#fields.push({ id, at: this.#size })
  }

  reference(id: number, offset: number): void {
    this.#refer(offset)
    this.#fields.push({ id, at: this.#size })
  }

  finish(root: number): Uint8Array {
    this.#align(4, 4)
    this.#refer(root)
    return this.#bytes.slice(this.#bytes.length - this.#size)
  }

  #refer(offset: number): void {
    this.#align(0, 4)
    this.#put(this.#size - offset + 4, 4)
  }

  #at(offset: number, length: number): Buffer {
    return Buffer.from(this.#bytes.buffer, this.#bytes.length - offset, length)
  }

  #align(more: number, to: number): void {
    while ((this.#size + more) % to !== 0) this.#put(0, 1)
  }

  #put(value: number, bytes: number): void {
    const buffer = Buffer.alloc(bytes)
    for (let i = 0, rest = value; i < bytes; i++, rest = Math.floor(rest / 256)) buffer[i] = rest % 256
    this.#prepend(buffer)
  }

  #prepend(bytes: Uint8Array): void {
    if (this.#size + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array((this.#size + bytes.length) * 2)
      larger.set(this.#bytes.subarray(this.#bytes.length - this.#size), larger.length - this.#size)
      this.#bytes = larger
    }
    this.#size += bytes.length
    this.#bytes.set(bytes, this.#bytes.length - this.#size)
  }
}
