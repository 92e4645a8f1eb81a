import { Permutation } from '../../../sampling/permutation.ts'
import { viewKey } from '../../../sampling/random.ts'
import type { Shuffle } from '../types.ts'

/** What the order of a split's samples follows from. */
export interface OrderSpec {
  readonly files: number
  readonly samplesPerFile: number
  readonly fileShuffle: Shuffle
  readonly sampleShuffle: Shuffle
  /** Positions within which samples are shuffled. */
  readonly shuffleSize: number
  /** Of `seed`. */
  readonly seed: number
  readonly seedChangeEpoch: boolean
  /** Of `random`, drawn anew for every run: the same on every rank. */
  readonly runSeed: number
}

/** Windows are drawn apart from the order of files. */
const WINDOWS = viewKey('samples\0')

/**
 * An epoch's samples, position by position: file after file, the files shuffled or not; then windows of positions, each
 * shuffled for itself, so that what is read next lies near what was read before. A bijection by arithmetic: every sample
 * comes once, and no list is made.
 */
export class EpochOrder {
  readonly length: number
  readonly #spec: OrderSpec
  readonly #files: Permutation | undefined
  readonly #seed: number
  readonly #epoch: number
  #window = -1
  #within: Permutation | undefined
  readonly #id = new Float64Array(1)

  /** `epoch`: 1 or more. */
  constructor(spec: OrderSpec, epoch: number) {
    this.#spec = spec
    this.length = spec.files * spec.samplesPerFile
    const { fileShuffle, sampleShuffle } = spec
    const seeded = (shuffle: Shuffle) => (shuffle === 'random' ? spec.runSeed : spec.seed)
    const epochOf = (shuffle: Shuffle) => (shuffle === 'random' || spec.seedChangeEpoch ? epoch : 0)
    if (fileShuffle !== 'off') this.#files = new Permutation(spec.files, seeded(fileShuffle), epochOf(fileShuffle))
    this.#seed = seeded(sampleShuffle)
    this.#epoch = epochOf(sampleShuffle)
  }

  /** The files and the samples in them at positions start .. start + files.length - 1. */
  fill(start: number, files: Float64Array, samples: Float64Array): void {
    const { samplesPerFile } = this.#spec
    for (let i = 0; i < files.length; i++) {
      const position = this.#place(start + i)
      const file = Math.floor(position / samplesPerFile)
      samples[i] = position - file * samplesPerFile
      files[i] = this.#fileAt(file)
    }
  }

  #fileAt(place: number): number {
    if (this.#files === undefined) return place
    this.#files.fill(place, this.#id)
    return this.#id[0] as number
  }

  /** Where a position's sample stands before windows are shuffled. */
  #place(position: number): number {
    const { sampleShuffle, shuffleSize } = this.#spec
    if (sampleShuffle === 'off' || shuffleSize < 2) return position
    const window = Math.floor(position / shuffleSize)
    const first = window * shuffleSize
    if (window !== this.#window || this.#within === undefined) {
      const stream = (WINDOWS + window) >>> 0
      this.#within = new Permutation(Math.min(shuffleSize, this.length - first), this.#seed, this.#epoch, stream)
      this.#window = window
    }
    this.#within.fill(position - first, this.#id)
    return first + (this.#id[0] as number)
  }
}

/** The positions of an epoch that one rank reads. */
export interface RankShare {
  readonly start: number
  /** Of batch `b`: that many samples from `start + b * batchSize` on; fewer in the last ones. */
  readonly end: number
}

/**
 * Each rank reads positions of its own that follow one another, so that it goes through its files from front to back. Where
 * all its steps are full, what is left over at the end of its part is not read; otherwise everything is, in batches that
 * may be short.
 */
export function rankShare(length: number, steps: number, batchSize: number, rank: number, ranks: number): RankShare {
  const part = Math.floor(length / ranks)
  const full = steps * batchSize
  if (full <= part) return { start: rank * part, end: rank * part + full }
  const cut = (of: number) => part * of + Math.floor(((length % ranks) * of) / ranks)
  const start = cut(rank)
  return { start, end: Math.min(cut(rank + 1), start + full) }
}
