/** What the threads of one run share: which file is next, and how far all of them are. */
const COUNTS = { next: 0, written: 1, kept: 2, bytes: 3 } as const

/** In shared memory, 64 bits each: bytes of a data set are more than 32 bits hold. */
export class Tally {
  readonly memory: SharedArrayBuffer
  readonly #counts: BigInt64Array

  constructor(memory = new SharedArrayBuffer(8 * Object.keys(COUNTS).length)) {
    this.memory = memory
    this.#counts = new BigInt64Array(memory)
  }

  /** Files are taken one after the other, by whoever is free. */
  takeNext(): number {
    return Number(Atomics.add(this.#counts, COUNTS.next, 1n))
  }

  add(name: 'written' | 'kept' | 'bytes', count: number): void {
    Atomics.add(this.#counts, COUNTS[name], BigInt(count))
  }

  /** Files that were written, files that were there already, bytes that were written. */
  get(name: 'written' | 'kept' | 'bytes'): number {
    return Number(Atomics.load(this.#counts, COUNTS[name]))
  }
}
