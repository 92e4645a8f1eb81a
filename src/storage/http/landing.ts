import { HeadraceError } from '../../errors.ts'
import { corrupt } from './head.ts'

/** What the caller's `place` threw: it ends the exchange and is passed on as it is. */
export class ThrownByCaller {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

const NOTHING = new Uint8Array(0)

/** 16 KiB: the first memory for a body whose length nobody said. */
const FIRST_ROOM = 16 * 1024

/** Where the bytes of one body go: memory of the caller's, of exactly its length, or memory that grows up to a bound. */
export class Landing {
  #memory: Uint8Array = NOTHING
  #landed = 0
  #limit = 0
  #isCallers = false

  /** Into memory of the caller's. */
  into(memory: Uint8Array): void {
    this.#memory = memory
    this.#landed = 0
    this.#limit = memory.length
    this.#isCallers = true
  }

  /** Collects up to `limit` bytes; `expected` of them will come, where that is known. */
  collect(limit: number, expected: number | undefined): void {
    if (expected !== undefined && expected > limit) throw overLimit(limit)
    this.#memory = expected === undefined || expected === 0 ? NOTHING : Buffer.allocUnsafeSlow(expected)
    this.#landed = 0
    this.#limit = limit
    this.#isCallers = false
  }

  /** Lets go of the memory: an idle connection keeps nothing alive. */
  clear(): void {
    this.#memory = NOTHING
  }

  /** Refuses bytes that there is no place for, before they are read. */
  expect(count: number): void {
    if (count <= this.#limit - this.#landed) return
    throw this.#isCallers ? tooLong(this.#limit) : overLimit(this.#limit)
  }

  /** Memory for the next up to `wanted` bytes of a read; undefined where none is left. */
  room(wanted: number): Uint8Array | undefined {
    const landed = this.#landed
    const count = Math.min(wanted, this.#limit - landed)
    if (count === 0) return undefined
    this.#checkAttached()
    if (this.#memory.length === landed) this.#grow(landed + Math.min(count, Math.max(landed, FIRST_ROOM)))
    const memory = this.#memory
    return new Uint8Array(memory.buffer, memory.byteOffset + landed, Math.min(count, memory.length - landed))
  }

  /** So many bytes were read into `room`. */
  landed(count: number): void {
    this.#landed += count
  }

  copy(source: Uint8Array, from: number, to: number): void {
    if (from === to) return
    this.expect(to - from)
    this.#checkAttached()
    const end = this.#landed + to - from
    if (end > this.#memory.length) this.#grow(Math.min(this.#limit, Math.max(end, 2 * this.#landed, FIRST_ROOM)))
    this.#memory.set(source.subarray(from, to), this.#landed)
    this.#landed = end
  }

  /** The body, all of which has come. */
  finish(): Uint8Array {
    const memory = this.#memory
    const landed = this.#landed
    this.#memory = NOTHING
    if (memory.length === landed) return memory
    if (this.#isCallers)
      throw corrupt(`the body ended after ${landed} of the ${memory.length} bytes that it should have`)
    return memory.subarray(0, landed)
  }

  #checkAttached(): void {
    if (this.#isCallers && this.#memory.length !== this.#limit)
      throw new HeadraceError('E_STATE', 'the memory for the body was detached before the body was there')
  }

  #grow(size: number): void {
    const memory = Buffer.allocUnsafeSlow(size)
    memory.set(this.#memory)
    this.#memory = memory
  }
}

function tooLong(length: number): HeadraceError {
  return corrupt(`the body is longer than the ${length} bytes that it should have`)
}

function overLimit(limit: number): HeadraceError {
  return new HeadraceError('E_LIMIT', `the body is longer than ${limit} bytes, which is the most that is collected`)
}
