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
        if (this.#buffered > 0) this.#packGroup()
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
    this.#packGroup()
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

  #packGroup(): void {
    if (this.#head < 0) {
      this.#head = this.#length
      this.#push(0)
    }
    this.#room(this.#width)
    let word = 0
    let bits = 0
    for (let i = 0; i < 8; i++) {
      word |= (this.#group[i] as number) << bits
      bits += this.#width
      for (; bits >= 8; bits -= 8) {
        this.#out[this.#length++] = word & 0xff
        word >>>= 8
      }
    }
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
