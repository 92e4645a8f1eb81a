import type { PageData } from './page-data.ts'
import { DamagedPage, type Values } from './page-values.ts'
import type { Leaf } from './schema.ts'

/** A column of some rows, its values one after the other as records hold them. */
export interface ColumnData {
  readonly bytes: Uint8Array
  /** Bytes of every row, where they are the same. */
  readonly rowBytes?: number
  /** Otherwise where each row starts, and where the last one ends. */
  readonly rowStarts?: Uint32Array
  /** 1 for rows that are null, or hold a value that is; absent where there are none. */
  readonly nulls?: Uint8Array
}

/** Puts the pages of a column together. What is null is zeros, or nothing where values differ in length. */
export class ColumnBuilder {
  readonly #leaf: Leaf
  readonly #rows: number
  #bytes: Uint8Array
  #used = 0
  readonly #starts: Uint32Array | undefined
  #nulls: Uint8Array | undefined
  #row = 0

  /** `bytes`: about how many there will be. */
  constructor(leaf: Leaf, rows: number, bytes: number) {
    this.#leaf = leaf
    this.#rows = rows
    this.#bytes = new Uint8Array(bytes)
    if (leaf.valueBytes === 0 || leaf.maxRepetition > 0) this.#starts = new Uint32Array(rows + 1)
  }

  /** Where the next values will lie, if they are added as they are. */
  readonly room = (bytes: number): Uint8Array => {
    if (this.#used % 4 !== 0) return new Uint8Array(bytes)
    this.#grow(bytes)
    return this.#bytes.subarray(this.#used, this.#used + bytes)
  }

  add(page: PageData): void {
    const { values, repetition, definition } = page
    if (repetition === undefined && definition === undefined && this.#starts === undefined) {
      if (this.#row + values.count > this.#rows) throw this.#tooMany()
      this.#append(values.bytes)
      this.#row += values.count
      return
    }
    if (definition === undefined && values.offsets === undefined && repetition !== undefined)
      this.#addLists(values, repetition)
    else this.#addEach(page)
  }

  end(): ColumnData {
    if (this.#row !== this.#rows) throw new DamagedPage(`it has ${this.#row} rows instead of ${this.#rows}`)
    const column = { bytes: this.#bytes.subarray(0, this.#used), ...(this.#nulls && { nulls: this.#nulls }) }
    const starts = this.#starts
    if (starts === undefined) return { ...column, rowBytes: this.#leaf.valueBytes }
    starts[this.#rows] = this.#used
    const rowBytes = this.#rows > 0 ? (starts[1] as number) : 0
    for (let row = 1; row < this.#rows; row++)
      if ((starts[row + 1] as number) - (starts[row] as number) !== rowBytes) return { ...column, rowStarts: starts }
    return { ...column, rowBytes }
  }

  /** Lists of values of one size, all of them there. */
  #addLists({ bytes, count }: Values, repetition: Uint8Array): void {
    const { valueBytes } = this.#leaf
    const starts = this.#starts as Uint32Array
    if (repetition.length > count) throw new DamagedPage('it has fewer values than levels')
    if (this.#row === 0 && repetition[0] !== 0) throw new DamagedPage('it begins in the middle of a row')
    for (let i = repetition.indexOf(0); i >= 0; i = repetition.indexOf(0, i + 1)) {
      if (this.#row === this.#rows) throw this.#tooMany()
      starts[this.#row++] = this.#used + i * valueBytes
    }
    this.#append(bytes)
  }

  #addEach({ entries, values, repetition, definition }: PageData): void {
    const { maxDefinition, elementDefinition, valueBytes } = this.#leaf
    const nothing = new Uint8Array(valueBytes)
    let value = 0
    for (let i = 0; i < entries; i++) {
      if (repetition === undefined || repetition[i] === 0) {
        if (this.#row === this.#rows) throw this.#tooMany()
        if (this.#starts !== undefined) this.#starts[this.#row] = this.#used
        this.#row++
      } else if (this.#row === 0) throw new DamagedPage('it begins in the middle of a row')
      const level = definition?.[i] ?? maxDefinition
      if (level === maxDefinition) this.#append(valueAt(values, value++, valueBytes))
      else {
        // One below that of an element, a list is there and empty.
        if (level !== elementDefinition - 1) this.#markNull()
        if (level >= elementDefinition) this.#append(nothing)
      }
    }
  }

  #markNull(): void {
    this.#nulls ??= new Uint8Array(this.#rows)
    this.#nulls[this.#row - 1] = 1
  }

  #append(bytes: Uint8Array): void {
    const there = bytes.buffer === this.#bytes.buffer && bytes.byteOffset === this.#bytes.byteOffset + this.#used
    if (!there) {
      this.#grow(bytes.length)
      this.#bytes.set(bytes, this.#used)
    }
    this.#used += bytes.length
  }

  #grow(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#used + bytes, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#used))
    this.#bytes = larger
  }

  #tooMany(): Error {
    return new DamagedPage(`it has more than ${this.#rows} rows`)
  }
}

function valueAt({ bytes, offsets }: Values, i: number, valueBytes: number): Uint8Array {
  return offsets === undefined
    ? bytes.subarray(i * valueBytes, (i + 1) * valueBytes)
    : bytes.subarray(offsets[i], offsets[i + 1])
}
