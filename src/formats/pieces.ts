import type { ByteSink, Content } from './types.ts'

/** 2 MiB: large enough for every sink, two of them small beside a file. */
export const PIECE_BYTES = 2 * 2 ** 20

/** 8 MiB stay with the process: to clear new memory costs more than a small file. */
const MOST_SPARE = 4
const spare: Uint8Array[] = []

/** Memory of one piece, with anything in it. */
export function takePiece(): Uint8Array {
  return spare.pop() ?? new Uint8Array(PIECE_BYTES)
}

/** For the next one who needs a piece; nobody else may use it any more. */
export function givePiece(piece: Uint8Array): void {
  if (spare.length < MOST_SPARE) spare.push(piece)
}

/** Gathers bytes into pieces for a sink: one is filled while the other is written. */
export class Pieces {
  readonly #sink: ByteSink
  #filling = takePiece()
  #writing: Uint8Array | undefined
  #used = 0
  #pending: Promise<void> | undefined
  /** Bytes that were put in so far. */
  bytes = 0

  constructor(sink: ByteSink) {
    this.#sink = sink
  }

  /** No room is left: `flush` makes it. */
  get full(): boolean {
    return this.#used === PIECE_BYTES
  }

  /** Memory for the next bytes, `wanted` of them or as many as there is room for; counts as filled. */
  take(wanted: number): Uint8Array {
    const start = this.#used
    this.#used = Math.min(PIECE_BYTES, start + wanted)
    this.bytes += this.#used - start
    return this.#filling.subarray(start, this.#used)
  }

  /** Room for at least `bytes` in one piece, up to PIECE_BYTES. */
  async reserve(bytes: number): Promise<void> {
    if (PIECE_BYTES - this.#used < bytes) await this.flush()
  }

  async put(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      if (this.full) await this.flush()
      const room = this.take(bytes.length - done)
      room.set(bytes.subarray(done, done + room.length))
      done += room.length
    }
  }

  /** Hands the piece to the sink as soon as the one before it is written. */
  async flush(): Promise<void> {
    await this.#pending
    if (this.#used === 0) return
    const full = this.#filling
    this.#pending = this.#sink.write(full.subarray(0, this.#used))
    // It is awaited by the next flush; until then nobody listens.
    this.#pending.catch(() => {})
    this.#filling = this.#writing ?? takePiece()
    this.#writing = full
    this.#used = 0
  }

  /** Everything is with the sink when it resolves. The last call. */
  async end(): Promise<void> {
    await this.flush()
    await this.#pending
    givePiece(this.#filling)
    if (this.#writing !== undefined) givePiece(this.#writing)
  }
}

/** The bytes of one record, in order; `seen` looks at each piece. */
export async function putRecord(
  out: Pieces,
  content: Content,
  sample: number,
  bytes: number,
  seen?: (piece: Uint8Array) => void,
): Promise<void> {
  for (let done = 0; done < bytes; ) {
    if (out.full) await out.flush()
    const room = out.take(bytes - done)
    content.fill(sample, done, room)
    seen?.(room)
    done += room.length
  }
}
