type Growable = Uint8Array | Uint32Array | Float64Array

/** A column that is added to, of which nobody knows how long it will be. */
export class Growing<A extends Growable> {
  #array: A
  #length = 0
  readonly #make: (length: number) => A

  constructor(make: (length: number) => A) {
    this.#make = make
    this.#array = make(1024)
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    this.#reserve(1)
    this.#array[this.#length++] = value
  }

  add(values: ArrayLike<number>): void {
    this.#reserve(values.length)
    this.#array.set(values, this.#length)
    this.#length += values.length
  }

  taken(): A {
    return this.#array.subarray(0, this.#length) as A
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#array.length) return
    const larger = this.#make(2 * (this.#length + more))
    larger.set(this.taken())
    this.#array = larger
  }
}

export const growingFloat64 = (): Growing<Float64Array> => new Growing((length) => new Float64Array(length))
export const growingUint32 = (): Growing<Uint32Array> => new Growing((length) => new Uint32Array(length))
export const growingUint8 = (): Growing<Uint8Array> => new Growing((length) => new Uint8Array(length))
