import { LegacyRandom } from './legacy-random.ts'

/** Files whose sides are drawn, kept and dropped together. */
const CHUNK = 65_536

/** Chunks kept at once, 256 KiB each, or 512 where sides are far from their mean: 64 MiB. */
const MOST_CHUNKS = 256

/** A square's sides as DLIO has them: of a record of so many bytes, and how far they spread. */
export interface SidesRule {
  readonly side: number
  /** Of a side; 0: all are the same. */
  readonly stdev: number
}

/** `bytes` and `stdev`: of a record. */
export function sidesRule(bytes: number, stdev: number): SidesRule {
  return { side: Math.trunc(Math.sqrt(bytes)), stdev: stdev / 2 / Math.sqrt(bytes) }
}

/** Sides less the mean, two a file, in as few bytes as hold them. */
type Deltas = Int16Array | Int32Array

/**
 * The sides of files' records under a deviation. They come from one stream of random numbers, so what a file has is only
 * known when all before it were drawn: that is done once, as far as is asked for, and what was drawn is kept at four
 * bytes a file, or drawn again from where its chunk began.
 */
export class RecordSides {
  readonly #rule: SidesRule
  readonly #random: LegacyRandom
  /** Files of the stream for each one that is kept. */
  readonly #step: number
  readonly #skip: number
  readonly #files: number
  /** By chunk: the stream where it begins, and how many bytes the records before it have, one a file. */
  readonly #starts: Uint32Array[] = []
  readonly #bytesBefore: number[] = [0]
  /** The least recently used first. */
  readonly #chunks = new Map<number, Deltas>()
  readonly #pair = new Float64Array(2)
  /** The chunk of the last question. */
  #last = -1
  #deltas: Deltas = new Int16Array()
  #side = 0
  #otherSide = 0

  /**
   * `files`: of the stream. Of these only every `step`-th counts, from `skip` on; the others are drawn and forgotten.
   */
  constructor(seed: number, rule: SidesRule, files: number, step = 1, skip = 0) {
    this.#random = new LegacyRandom(seed)
    this.#rule = rule
    this.#step = step
    this.#skip = skip
    this.#files = Math.max(0, Math.ceil((files - skip) / step))
    this.#starts.push(this.#random.save())
  }

  /** Of those that count. */
  get files(): number {
    return this.#files
  }

  /** Both sides of the records of a file. */
  at(file: number): [number, number] {
    const { side } = this.#rule
    const deltas = this.#chunkOf(file)
    const at = 2 * (file % CHUNK)
    return [side + (deltas[at] ?? 0), side + (deltas[at + 1] ?? 0)]
  }

  /** Bytes that one record of each file before `file` has, together. */
  bytesBefore(file: number): number {
    const chunk = Math.floor(file / CHUNK)
    // The last chunk's end is the next one's beginning, which may not exist.
    if (file === this.#files && file % CHUNK === 0) {
      if (file > 0) this.#chunkOf(file - 1)
      return this.#bytesBefore[chunk] ?? 0
    }
    const { side } = this.#rule
    const deltas = this.#chunkOf(Math.min(file, this.#files - 1))
    let sum = this.#bytesBefore[chunk] ?? 0
    for (let at = 0; at < 2 * (file % CHUNK); at += 2)
      sum += (side + (deltas[at] ?? 0)) * (side + (deltas[at + 1] ?? 0))
    return sum
  }

  #chunkOf(file: number): Deltas {
    const chunk = Math.floor(file / CHUNK)
    if (chunk === this.#last) return this.#deltas
    let deltas = this.#chunks.get(chunk)
    if (deltas === undefined) {
      // From where the stream was last, chunk after chunk.
      for (let next = Math.min(chunk, this.#starts.length - 1); next <= chunk; next++) deltas = this.#draw(next)
    } else {
      this.#chunks.delete(chunk)
      this.#chunks.set(chunk, deltas)
    }
    this.#last = chunk
    this.#deltas = deltas ?? this.#deltas
    return this.#deltas
  }

  #draw(chunk: number): Deltas {
    const { side } = this.#rule
    this.#random.restore(this.#starts[chunk] as Uint32Array)
    const first = chunk * CHUNK
    const count = Math.min(CHUNK, this.#files - first)
    let deltas: Deltas = new Int16Array(2 * count)
    let bytes = this.#bytesBefore[chunk] ?? 0
    for (let i = 0; i < count; i++) {
      this.#drawFile(first + i)
      const one = this.#side - side
      const other = this.#otherSide - side
      if (deltas instanceof Int16Array && (one !== (one << 16) >> 16 || other !== (other << 16) >> 16))
        deltas = Int32Array.from(deltas)
      deltas[2 * i] = one
      deltas[2 * i + 1] = other
      bytes += this.#side * this.#otherSide
    }
    if (this.#starts.length === chunk + 1) {
      this.#starts.push(this.#random.save())
      this.#bytesBefore.push(bytes)
    }
    this.#chunks.set(chunk, deltas)
    if (this.#chunks.size > MOST_CHUNKS) this.#chunks.delete(this.#chunks.keys().next().value ?? 0)
    return deltas
  }

  /** The file's numbers and, in the stream, those of the files behind the one before. */
  #drawFile(file: number): void {
    const { side, stdev } = this.#rule
    const pair = this.#pair
    const draws = file === 0 ? this.#skip + 1 : this.#step
    for (let i = 0; i < draws; i++) this.#random.normalPair(pair)
    this.#side = Math.max(1, Math.trunc(side + stdev * (pair[0] ?? 0)))
    this.#otherSide = Math.max(1, Math.trunc(side + stdev * (pair[1] ?? 0)))
  }
}
