import { HeadraceError } from '../../errors.ts'
import { type Packing, packingOf, unpackedPieces } from '../../formats/unpack.ts'
import { type Growing, growingFloat64, growingUint32 } from '../shards/growing.ts'
import { type IndexContent, scanShards } from '../shards/shard-index.ts'
import type { Shards } from '../shards/shards.ts'
import { startsOf } from '../shards/starts.ts'

/** What the index says beside its columns. */
export interface JsonlFacts {
  /** Of each shard. */
  readonly packings: readonly Packing[]
}

/** 64 MiB: what is longer is no line of text. */
const MAX_LINE = 2 ** 26
/** 8 MiB of lines are read together where neighbours are. */
const RUN = 2 ** 23

const LINE_FEED = 10
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d
}

/** Finds the lines of a text that comes in pieces; those with nothing but blanks are none. */
export class LineFinder {
  readonly #found: (offset: number, size: number) => void
  readonly #file: string
  /** Of the next piece. */
  #offset = 0
  /** Of the line that has begun: where its first byte that is no blank lies, and where the last one ends. */
  #first = -1
  #end = 0

  constructor(file: string, found: (offset: number, size: number) => void) {
    this.#file = file
    this.#found = found
  }

  push(piece: Uint8Array): void {
    const start = this.#offset
    let at = start === 0 && BYTE_ORDER_MARK.every((byte, i) => piece[i] === byte) ? BYTE_ORDER_MARK.length : 0
    for (let feed = piece.indexOf(LINE_FEED, at); feed >= 0; feed = piece.indexOf(LINE_FEED, at)) {
      this.#add(piece, at, feed, start)
      this.end()
      at = feed + 1
    }
    this.#add(piece, at, piece.length, start)
    this.#offset = start + piece.length
  }

  /** The last line may have no end. */
  end(): void {
    if (this.#first >= 0) this.#found(this.#first, this.#end - this.#first)
    this.#first = -1
  }

  #add(piece: Uint8Array, from: number, to: number, start: number): void {
    let last = to
    while (last > from && isBlank(piece[last - 1])) last--
    if (last === from) return
    if (this.#first < 0) {
      let first = from
      while (isBlank(piece[first])) first++
      this.#first = start + first
    }
    this.#end = start + last
    if (this.#end - this.#first > MAX_LINE)
      throw new HeadraceError('E_LIMIT', `${this.#file}: a line of more than ${MAX_LINE} bytes`, {
        path: this.#file,
        offset: this.#first,
      })
  }
}

interface ScannedShard {
  readonly packing: Packing
  /** Of each line in the unpacked shard. */
  readonly offsets: Growing<Float64Array>
  readonly sizes: Growing<Uint32Array>
}

/** Reads every shard once, from front to back. */
export async function buildJsonlIndex(shards: Shards, signal: AbortSignal | undefined): Promise<IndexContent> {
  const scanned = await scanShards(shards, signal, (shard) => scanShard(shards, shard, signal))
  const [offsets, sizes, runs] = [growingFloat64(), growingUint32(), growingFloat64()]
  for (const shard of scanned) {
    addRuns(runs, offsets.length, shard)
    offsets.add(shard.offsets.taken())
    sizes.add(shard.sizes.taken())
  }
  runs.push(offsets.length)
  const facts: JsonlFacts = { packings: scanned.map(({ packing }) => packing) }
  return {
    about: { ...facts },
    columns: {
      starts: startsOf(scanned.map((shard) => shard.sizes.length)),
      runs: runs.taken(),
      offsets: offsets.taken(),
      sizes: sizes.taken(),
    },
  }
}

/** The first lines of runs; a compressed shard is one, for it is read as a whole. */
function addRuns(runs: Growing<Float64Array>, before: number, { packing, offsets }: ScannedShard): void {
  let end = -1
  offsets.taken().forEach((offset, line) => {
    if (offset < end) return
    runs.push(before + line)
    end = packing === 'none' ? offset + RUN : Infinity
  })
}

async function scanShard(shards: Shards, shard: number, signal: AbortSignal | undefined): Promise<ScannedShard> {
  const source = shards.source(shard, signal)
  const packing = packingOf(await source.read(0, Math.min(4, source.size)))
  const [offsets, sizes] = [growingFloat64(), growingUint32()]
  const lines = new LineFinder(source.name, (offset, size) => {
    offsets.push(offset)
    sizes.push(size)
  })
  for await (const piece of unpackedPieces(source, packing)) lines.push(piece)
  lines.end()
  return { packing, offsets, sizes }
}
