import { allocate } from '../file/descriptor.ts'

/** 64 KiB: what a part begins with where it may turn out to be all there is; each further piece doubles it. */
const FIRST_PIECE = 64 * 2 ** 10

/** One part of an upload, filled from the front. */
export class PartBuffer {
  readonly size: number
  readonly #key: string
  readonly #memory: Uint8Array[]
  #capacity: number
  #filled = 0
  /** Its memory is the caller's. */
  #lent = false

  constructor(key: string, size: number, memory?: Uint8Array) {
    this.#key = key
    this.size = size
    this.#memory = memory === undefined ? [] : [memory]
    this.#capacity = memory?.length ?? 0
  }

  /** A part that lies in memory of the caller as it is. */
  static over(key: string, bytes: Uint8Array): PartBuffer {
    const part = new PartBuffer(key, bytes.length, bytes)
    part.#filled = bytes.length
    part.#lent = true
    return part
  }

  get filled(): number {
    return this.#filled
  }

  get full(): boolean {
    return this.#filled === this.size
  }

  /** Copies bytes of `chunk` from `from` on, as many as there is room for; returns how many. */
  append(chunk: Uint8Array, from: number): number {
    let done = 0
    const wanted = Math.min(chunk.length - from, this.size - this.#filled)
    while (done < wanted) {
      if (this.#filled === this.#capacity) this.#grow()
      const last = this.#memory.at(-1) ?? new Uint8Array()
      const at = last.length - (this.#capacity - this.#filled)
      const count = Math.min(wanted - done, this.#capacity - this.#filled)
      last.set(chunk.subarray(from + done, from + done + count), at)
      this.#filled += count
      done += count
    }
    return done
  }

  /** What was filled in, without a copy. */
  pieces(): readonly Uint8Array[] {
    const unused = this.#capacity - this.#filled
    if (unused === 0) return this.#memory
    return this.#memory.map((piece, i) =>
      i === this.#memory.length - 1 ? piece.subarray(0, piece.length - unused) : piece,
    )
  }

  /** Its memory in one piece, to be used for another part; undefined where it came in several, or is the caller's. */
  whole(): Uint8Array | undefined {
    return this.#memory.length === 1 && !this.#lent ? this.#memory[0] : undefined
  }

  #grow(): void {
    const length = Math.min(Math.max(FIRST_PIECE, this.#capacity), this.size - this.#capacity)
    this.#memory.push(allocate(length, this.#key))
    this.#capacity += length
  }
}

/** Memory of the parts of one upload. What a part was sent from serves the next one: new memory costs its page faults. */
export class PartMemory {
  readonly #key: string
  #free: Uint8Array[] = []

  constructor(key: string) {
    this.#key = key
  }

  take(size: number): PartBuffer {
    const memory = this.#free.pop()
    // Parts never become smaller: but for the last one: what is too small now is of no use.
    if (memory !== undefined && memory.length < size) this.#free = []
    const enough = memory !== undefined && memory.length >= size
    return new PartBuffer(this.#key, size, enough ? memory : allocate(size, this.#key))
  }

  giveBack(buffer: PartBuffer): void {
    const memory = buffer.whole()
    if (memory !== undefined) this.#free.push(memory)
  }

  drop(): void {
    this.#free = []
  }
}
