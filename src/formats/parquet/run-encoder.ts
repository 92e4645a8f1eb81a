/** Groups of 8 values that one byte can count. */
const MAX_GROUPS = 63

/**
 * Parquet's hybrid of runs and bit-packed groups of eight: eight equal values in a row, or more, are a run. Byte for byte
 * what Arrow writes.
 */
export class RunEncoder {
  readonly #width: number
  readonly #group = new Uint32Array(8)
  #out: Uint8Array
  #length = 0
  #buffered = 0
  #current = 0
  #repeats = 0
  /** Bit-packed values in the run that is open, and where its head is. */
  #packed = 0
  #head = -1

  constructor(bitWidth: number, room = 256) {
    this.#width = bitWidth
    this.#out = new Uint8Array(room)
  }

  put(value: number): void {
    if (this.#current === value) {
      if (++this.#repeats > 8) return
    } else {
      if (this.#repeats >= 8) this.#endRun()
      this.#repeats = 1
      this.#current = value
    }
    this.#group[this.#buffered++] = value
    if (this.#buffered === 8) this.#endGroup()
  }

  /** The first `count` of `values`. */
  putAll(values: Uint32Array, count: number): void {
    for (let i = 0; i < count; ) {
      // Eight values that are not the same are packed, unless a run could still end among them.
      const ready = this.#buffered === 0 && this.#repeats === 0 && i + 8 <= count
      if (ready && values[i] !== values[i + 7]) {
        this.#packGroup(values, i)
        this.#current = values[i + 7] as number
        i += 8
        if (this.#packed / 8 >= MAX_GROUPS) this.#closePacked()
      } else this.put(values[i++] as number)
    }
  }

  putRun(value: number, count: number): void {
    let left = count
    for (; left > 0 && !(this.#current === value && this.#repeats >= 8); left--) this.put(value)
    this.#repeats += left
  }

  /** All that was put; nothing is added afterwards. */
  end(): Uint8Array {
    if (this.#packed > 0 || this.#repeats > 0 || this.#buffered > 0) {
      const run = this.#packed === 0 && (this.#repeats === this.#buffered || this.#buffered === 0)
      if (this.#repeats > 0 && run) this.#endRun()
      else {
        if (this.#buffered > 0) this.#group.fill(0, this.#buffered)
        if (this.#buffered > 0) this.#packGroup(this.#group, 0)
        this.#closePacked()
      }
    }
    return this.#out.subarray(0, this.#length)
  }

  #endGroup(): void {
    if (this.#repeats >= 8) {
      // They belong to the run that began within them.
      this.#buffered = 0
      this.#closePacked()
      return
    }
    this.#packGroup(this.#group, 0)
    if (this.#packed / 8 >= MAX_GROUPS) this.#closePacked()
    this.#repeats = 0
  }

  #endRun(): void {
    let head = this.#repeats * 2
    for (; head > 127; head = Math.floor(head / 128)) this.#push((head % 128) | 128)
    this.#push(head)
    for (let bits = 0; bits < this.#width; bits += 8) this.#push((this.#current >>> bits) & 0xff)
    this.#buffered = 0
    this.#repeats = 0
  }

  /** Eight values from the `first` on. */
  #packGroup(values: Uint32Array, first: number): void {
    if (this.#head < 0) {
      this.#head = this.#length
      this.#push(0)
    }
    this.#room(this.#width)
    const out = this.#out
    const width = this.#width
    let at = this.#length
    let word = 0
    let bits = 0
    for (let i = first; i < first + 8; i++) {
      word |= (values[i] as number) << bits
      bits += width
      for (; bits >= 8; bits -= 8) {
        out[at++] = word & 0xff
        word >>>= 8
      }
    }
    this.#length = at
    this.#packed += 8
    this.#buffered = 0
  }

  #closePacked(): void {
    if (this.#head < 0) return
    this.#out[this.#head] = ((this.#packed / 8) << 1) | 1
    this.#head = -1
    this.#packed = 0
  }

  #push(byte: number): void {
    this.#room(1)
    this.#out[this.#length++] = byte
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#out.length) return
    const larger = new Uint8Array((this.#length + bytes) * 2)
    larger.set(this.#out)
    this.#out = larger
  }
}
