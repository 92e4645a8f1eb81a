import { HeadraceError } from '../../errors.ts'
import { type Packing, unpackedPieces } from '../../formats/unpack.ts'
import type { ShardReads } from './ranged-reads.ts'
import type { Shards } from './shards.ts'

interface Asked {
  readonly offset: number
  readonly into: Uint8Array
  readonly signal: AbortSignal | undefined
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface Piece {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** One compressed shard, unpacked from front to back; the last bytes stay at hand for what is asked for out of order. */
class UnpackedShard {
  readonly #name: string
  readonly #unpack: () => AsyncGenerator<Uint8Array>
  readonly #keep: () => number
  #stream: AsyncGenerator<Uint8Array> | undefined
  #pieces: Piece[] = []
  #end = 0
  #asked: Asked[] = []
  #working = false
  /** Bytes. */
  held = 0
  /** How often it had to begin anew for what lay further back than what was kept. */
  restarts = 0

  /** `keep`: bytes of passed pieces that may be held now. */
  constructor(name: string, unpack: () => AsyncGenerator<Uint8Array>, keep: () => number) {
    this.#name = name
    this.#unpack = unpack
    this.#keep = keep
  }

  get idle(): boolean {
    return !this.#working
  }

  read(offset: number, into: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ offset, into, signal, resolve, reject })
      if (this.#working) return
      this.#working = true
      queueMicrotask(() => void this.#work())
    })
  }

  /** Starts from the front at the next read. */
  reset(): void {
    // What a generator does at its end may fail as its reads do, and nobody asked for it.
    this.#stream?.return(undefined).catch(() => {})
    this.#stream = undefined
    this.#pieces = []
    this.held = 0
    this.#end = 0
  }

  /** Serves what is asked for, front first, so that the stream need not go back. */
  async #work(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { signal, resolve, reject } = next
      if (signal?.aborted) {
        reject(new HeadraceError('E_CANCELLED', 'reading was cancelled', { cause: signal.reason }))
        continue
      }
      try {
        await this.#serve(next)
        resolve()
      } catch (error) {
        this.reset()
        reject(error)
      }
    }
    this.#working = false
  }

  /** The nearest one that the stream has not passed; else the first of all. */
  #next(): Asked | undefined {
    const start = this.#pieces[0]?.offset ?? 0
    let best = -1
    for (const [i, { offset }] of this.#asked.entries()) {
      const than = this.#asked[best]?.offset
      const ahead = offset >= start
      const bestAhead = than !== undefined && than >= start
      if (than === undefined || (ahead && !bestAhead) || (ahead === bestAhead && offset < than)) best = i
    }
    return best < 0 ? undefined : this.#asked.splice(best, 1)[0]
  }

  async #serve({ offset, into }: Asked): Promise<void> {
    if (offset < (this.#pieces[0]?.offset ?? 0)) {
      this.reset()
      this.restarts++
    }
    this.#stream ??= this.#unpack()
    const stream = this.#stream
    while (this.#end < offset + into.length) {
      const { done, value } = await stream.next()
      if (this.#stream !== stream) throw new HeadraceError('E_CANCELLED', `${this.#name} was closed while it was read`)
      if (done === true)
        throw new HeadraceError(
          'E_CORRUPT',
          `${this.#name} ends at ${this.#end} when unpacked, before ${offset + into.length}`,
          {
            path: this.#name,
            offset,
          },
        )
      this.#pieces.push({ offset: this.#end, bytes: value })
      this.#end += value.length
      this.held += value.length
      this.#drop(offset)
    }
    for (const piece of this.#pieces) {
      const from = Math.max(offset, piece.offset)
      const to = Math.min(offset + into.length, piece.offset + piece.bytes.length)
      if (from < to) into.set(piece.bytes.subarray(from - piece.offset, to - piece.offset), from - offset)
    }
  }

  /** Drops the oldest pieces that lie before `needed`, as far as they are too many. */
  #drop(needed: number): void {
    const keep = this.#keep()
    let gone = 0
    for (const { offset, bytes } of this.#pieces) {
      if (this.held <= keep || offset + bytes.length > needed) break
      this.held -= bytes.length
      gone++
    }
    if (gone > 0) this.#pieces.splice(0, gone)
  }
}

/** Shards that are unpacked at once: those that a window of samples reaches into. */
const MOST_OPEN = 4

/**
 * Reads of compressed shards. Each is unpacked from front to back: in order it costs one pass, and as far out of order as
 * `bufferBytes` reach. What lies further back means a new start of its shard.
 */
export class UnpackedReads implements ShardReads {
  readonly #shards: Shards
  readonly #packing: (shard: number) => Packing
  readonly #bufferBytes: number
  /** The one used last is the last one. */
  readonly #open = new Map<number, UnpackedShard>()
  /** Of shards that are not open any more. */
  #restarts = 0

  constructor(shards: Shards, packing: (shard: number) => Packing, bufferBytes: number) {
    this.#shards = shards
    this.#packing = packing
    this.#bufferBytes = bufferBytes
  }

  read(shard: number, offset: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const known = this.#open.get(shard)
    this.#open.delete(shard)
    const stream = known ?? this.#make(shard)
    this.#open.set(shard, stream)
    for (const [number, other] of this.#open) {
      if (this.#open.size <= MOST_OPEN) break
      if (!other.idle || other === stream) continue
      other.reset()
      this.#restarts += other.restarts
      this.#open.delete(number)
    }
    return stream.read(offset, into, signal)
  }

  get restarts(): number {
    let restarts = this.#restarts
    for (const stream of this.#open.values()) restarts += stream.restarts
    return restarts
  }

  close(): void {
    for (const stream of this.#open.values()) stream.reset()
    this.#open.clear()
  }

  #make(shard: number): UnpackedShard {
    const others = (): number => {
      let held = 0
      for (const [number, stream] of this.#open) if (number !== shard) held += stream.held
      return held
    }
    return new UnpackedShard(
      this.#shards.key(shard),
      () => unpackedPieces(this.#shards.source(shard), this.#packing(shard)),
      () => Math.max(0, this.#bufferBytes - others()),
    )
  }
}
