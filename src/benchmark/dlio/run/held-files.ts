import type { OpenSource } from '../../../formats/byte-source.ts'
import { heldSource, type Sources } from './sources.ts'

/** States of a file. */
const UNKNOWN = 0
const COMING = 1
const HELD = 2
/** There is no room for it. */
const LEFT_OUT = 3

/** 1 GiB: files lie in pieces of memory of so many bytes, none across two. */
const PIECE = 2 ** 30

/** Shared memory for the contents of files, for `workerData`. What is not written yet costs nothing. */
export interface HeldMemory {
  readonly pieces: readonly SharedArrayBuffer[]
  /** Bytes of each piece that are given away. */
  readonly used: SharedArrayBuffer
  readonly states: SharedArrayBuffer
  /** Piece, offset and length of each file. */
  readonly places: SharedArrayBuffer
}

/** `bytes`: most that are held. */
export function heldMemory(files: number, bytes: number): HeldMemory {
  const pieces = Math.max(1, Math.ceil(bytes / PIECE))
  return {
    pieces: Array.from({ length: pieces }, (_, i) => new SharedArrayBuffer(Math.min(PIECE, bytes - i * PIECE))),
    used: new SharedArrayBuffer(4 * pieces),
    states: new SharedArrayBuffer(4 * files),
    places: new SharedArrayBuffer(24 * files),
  }
}

/** The contents of files that were read once, for all readers of a rank: `read_type: memory`. */
export class HeldFiles {
  readonly #pieces: readonly Uint8Array[]
  readonly #used: Int32Array
  readonly #states: Int32Array
  readonly #places: Float64Array

  constructor({ pieces, used, states, places }: HeldMemory) {
    this.#pieces = pieces.map((piece) => new Uint8Array(piece))
    this.#used = new Int32Array(used)
    this.#states = new Int32Array(states)
    this.#places = new Float64Array(places)
  }

  /** The same files; the first time each is read whole and kept, while there is room. */
  around(inner: Sources): Sources {
    return {
      parallel: inner.parallel,
      open: async (key, whole, file) =>
        file === undefined ? inner.open(key, whole) : (this.#held(key, file) ?? this.#keep(inner, key, whole, file)),
    }
  }

  #held(key: string, file: number): OpenSource | undefined {
    if (Atomics.load(this.#states, file) !== HELD) return undefined
    const [piece = 0, offset = 0, length = 0] = this.#places.subarray(3 * file, 3 * file + 3)
    return heldSource(key, (this.#pieces[piece] as Uint8Array).subarray(offset, offset + length))
  }

  async #keep(inner: Sources, key: string, whole: boolean, file: number): Promise<OpenSource> {
    // Who comes while another reader keeps it does not wait.
    const first = Atomics.compareExchange(this.#states, file, UNKNOWN, COMING) === UNKNOWN
    if (!first) return inner.open(key, whole, file)
    let state = UNKNOWN
    try {
      const source = await inner.open(key, whole, file)
      const place = this.#take(source.size)
      if (place === undefined) {
        state = LEFT_OUT
        return source
      }
      try {
        const [piece, offset] = place
        const memory = (this.#pieces[piece] as Uint8Array).subarray(offset, offset + source.size)
        await source.read(0, source.size, memory)
        this.#places.set([piece, offset, source.size], 3 * file)
        state = HELD
        return heldSource(key, memory)
      } finally {
        source.close()
      }
    } finally {
      Atomics.store(this.#states, file, state)
    }
  }

  /** Room for so many bytes in the first piece that has it. */
  #take(bytes: number): readonly [piece: number, offset: number] | undefined {
    for (const [piece, memory] of this.#pieces.entries()) {
      if (bytes > memory.length) continue
      for (let used = Atomics.load(this.#used, piece); used + bytes <= memory.length; ) {
        const found = Atomics.compareExchange(this.#used, piece, used, used + bytes)
        if (found === used) return [piece, used]
        used = found
      }
    }
    return undefined
  }
}
