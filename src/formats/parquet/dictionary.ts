import type { DType } from '../../dtype.ts'

/** Gives every different value of a column a number, in the order in which they first come. */
export interface Dictionary {
  readonly size: number
  /** Bytes of all values as a page holds them. */
  readonly bytes: number
  /** Writes the numbers of the values from `from` to `to` of `block` to `out`, from `at` on. */
  add(block: Uint8Array, from: number, to: number, out: Uint32Array, at: number): void
  /** The values as a page holds them. */
  page(): Uint8Array
}

/** No number yet. */
const EMPTY = -1
/** Values that there is room for at first. */
const FIRST = 8 * 1024
/** Values of a table that is not kept for the next column. */
const KEPT = 64 * 1024

const mixed = (word: number): number => {
  const once = Math.imul(word ^ (word >>> 16), 0x45d9f3b)
  return once ^ (once >>> 15)
}

/** Values of one or two bytes: a table of all that there can be. They are stored as 32-bit numbers, float16 as it is. */
class SmallDictionary implements Dictionary {
  size = 0
  #dtype: DType = 'uint8'
  readonly #numbers: Int32Array
  readonly #values: Uint16Array

  constructor(valueBytes: number) {
    this.#numbers = new Int32Array(256 ** valueBytes).fill(EMPTY)
    this.#values = new Uint16Array(256 ** valueBytes)
  }

  begin(dtype: DType): this {
    for (let number = 0; number < this.size; number++) this.#numbers[this.#values[number] as number] = EMPTY
    this.size = 0
    this.#dtype = dtype
    return this
  }

  get bytes(): number {
    return this.size * (this.#dtype === 'float16' ? 2 : 4)
  }

  add(block: Uint8Array, from: number, to: number, out: Uint32Array, at: number): void {
    const wide = this.#numbers.length > 256
    const values = wide ? new Uint16Array(block.buffer, block.byteOffset, block.byteLength >> 1) : block
    for (let i = from; i < to; i++) {
      const value = values[i] as number
      let number = this.#numbers[value] as number
      if (number === EMPTY) {
        number = this.size++
        this.#numbers[value] = number
        this.#values[number] = value
      }
      out[at++] = number
    }
  }

  page(): Uint8Array {
    const values = this.#values.subarray(0, this.size)
    if (this.#dtype === 'float16') return new Uint8Array(values.slice().buffer)
    return new Uint8Array(Int32Array.from(values, signExtension(this.#dtype)).buffer)
  }
}

/** Small integers are 32-bit ones in Parquet. */
function signExtension(dtype: DType): (value: number) => number {
  if (dtype === 'int8') return (value) => (value << 24) >> 24
  if (dtype === 'int16') return (value) => (value << 16) >> 16
  return (value) => value
}

/** Values of four or eight bytes, by their bits: a NaN is as good as any other value. */
class WordDictionary implements Dictionary {
  size = 0
  readonly #words: number
  /** Numbers at the places where their values' bits lead; as many free places as taken ones, or more. */
  #table: Int32Array
  #values: Uint32Array

  constructor(valueBytes: number) {
    this.#words = valueBytes / 4
    this.#table = new Int32Array(2 * FIRST)
    this.#values = new Uint32Array(FIRST * this.#words)
  }

  begin(): this {
    this.size = 0
    this.#table.fill(EMPTY)
    return this
  }

  get bytes(): number {
    return this.size * this.#words * 4
  }

  add(block: Uint8Array, from: number, to: number, out: Uint32Array, at: number): void {
    while (this.#table.length < 2 * (this.size + to - from)) this.#grow()
    const table = this.#table
    const values = this.#values
    const mask = table.length - 1
    const words = new Uint32Array(block.buffer, block.byteOffset, block.byteLength >> 2)
    if (this.#words === 1) {
      for (let i = from; i < to; i++) {
        const word = words[i] as number
        let place = mixed(word) & mask
        let number = table[place] as number
        while (number !== EMPTY && values[number] !== word) {
          place = (place + 1) & mask
          number = table[place] as number
        }
        if (number === EMPTY) {
          number = this.size++
          table[place] = number
          values[number] = word
        }
        out[at++] = number
      }
      return
    }
    for (let i = from; i < to; i++) {
      const low = words[2 * i] as number
      const high = words[2 * i + 1] as number
      let place = mixed(low ^ Math.imul(high, 0x9e3779b1)) & mask
      let number = table[place] as number
      while (number !== EMPTY && (values[2 * number] !== low || values[2 * number + 1] !== high)) {
        place = (place + 1) & mask
        number = table[place] as number
      }
      if (number === EMPTY) {
        number = this.size++
        table[place] = number
        values[2 * number] = low
        values[2 * number + 1] = high
      }
      out[at++] = number
    }
  }

  page(): Uint8Array {
    return new Uint8Array(this.#values.slice(0, this.size * this.#words).buffer)
  }

  #grow(): void {
    const larger = new Int32Array(this.#table.length * 2).fill(EMPTY)
    const values = new Uint32Array(this.#values.length * 2)
    values.set(this.#values)
    const mask = larger.length - 1
    for (let number = 0; number < this.size; number++) {
      const low = values[this.#words * number] as number
      const high = this.#words === 1 ? 0 : (values[2 * number + 1] as number)
      let place = mixed(this.#words === 1 ? low : low ^ Math.imul(high, 0x9e3779b1)) & mask
      while (larger[place] !== EMPTY) place = (place + 1) & mask
      larger[place] = number
    }
    this.#table = larger
    this.#values = values
  }
}

/** Numbers of values of any length, each given on its own. */
export class BytesDictionary {
  bytes = 0
  readonly #numbers = new Map<string, number>()

  get size(): number {
    return this.#numbers.size
  }

  add(value: Buffer): number {
    const key = value.toString('latin1')
    let number = this.#numbers.get(key)
    if (number === undefined) {
      number = this.#numbers.size
      this.#numbers.set(key, number)
      this.bytes += 4 + value.length
    }
    return number
  }

  page(): Uint8Array {
    const page = Buffer.allocUnsafe(this.bytes)
    let at = 0
    for (const key of this.#numbers.keys()) {
      at = page.writeUInt32LE(key.length, at)
      at += page.write(key, at, 'latin1')
    }
    return page
  }
}

/** Dictionaries that are used for one column after the other: one at a time of each size of value. */
export class Dictionaries {
  readonly #small = new Map<number, SmallDictionary>()
  readonly #words = new Map<number, WordDictionary>()

  of(dtype: DType, valueBytes: number): Dictionary {
    if (valueBytes <= 2) {
      const small = this.#small.get(valueBytes) ?? new SmallDictionary(valueBytes)
      this.#small.set(valueBytes, small)
      return small.begin(dtype)
    }
    const known = this.#words.get(valueBytes)
    const words = known !== undefined && known.size <= KEPT ? known : new WordDictionary(valueBytes)
    this.#words.set(valueBytes, words)
    return words.begin()
  }
}
