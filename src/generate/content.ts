import type { DType } from '../dtype.ts'
import type { Content } from '../formats/types.ts'
import { RANDOM_CONTENT as COLUMN, native, RANDOM_TYPE } from '../native.ts'
import { DataSet } from './data-set.ts'
import type { DataSetSpec } from './types.ts'

const KiB = 1024
/** Of content that is there once, and the most of content that is there more often: what the addon keys by itself. */
const BLOCK = 64 * KiB
/** The least: content of tiny records that is there more often is cut so finely that it still comes out even. */
const LEAST_BLOCK = 64
/** Blocks of a record at least, so that the last one, which is only partly used, spoils the ratio by less than 1 %. */
const BLOCKS_OF_A_RECORD = 64

/**
 * Bytes that zstd spends on telling a random stretch from the zeros behind it, measured at levels 1 to 19; and what it
 * makes of random elements of types that do not use all of their bits.
 */
const STRETCH_BYTES = 5
const SQUEEZED: { readonly [D in DType]?: number } = {
  float16: 1.201,
  // These two depend on the level: 1.47 to 1.71, 5.2 to 7.9.
  bfloat16: 1.5,
  float32: 1.134,
  float64: 1.068,
  bool: 5.3,
}

const TYPES: { readonly [D in DType]?: number } = {
  bool: RANDOM_TYPE.flags,
  float16: RANDOM_TYPE.float16,
  bfloat16: RANDOM_TYPE.bfloat16,
  float32: RANDOM_TYPE.float32,
  float64: RANDOM_TYPE.float64,
}

/** Elements are not cut, and neither are the addon's words. */
const ATOM = 8

/** Of every `period` bytes so many are random, the others 0. */
interface Stretches {
  readonly period: number
  readonly random: number
}

/**
 * What makes content of random elements as small as wanted. Short periods, so that storage that compresses blocks of
 * 4 KiB meets the ratio too; longer ones where the random bytes of 4 KiB would be too few to be counted exactly.
 */
function stretchesOf(dtype: DType, compress: number, recordBytes: number, shared: boolean): Stretches {
  if (compress === 1) return { period: BLOCK, random: BLOCK }
  const period = shared ? wantedPeriod(compress) : evenPeriod(wantedPeriod(compress), recordBytes)
  const random = (Math.min(period, recordBytes) / compress - STRETCH_BYTES) * (SQUEEZED[dtype] ?? 1)
  return { period, random: Math.min(period, Math.max(ATOM, Math.round(random / ATOM) * ATOM)) }
}

function wantedPeriod(compress: number): number {
  if (compress <= 8) return 4 * KiB
  return compress <= 32 ? 16 * KiB : BLOCK
}

/** Whole periods in a record: the rest of one would be random for the greater part. */
function evenPeriod(wanted: number, recordBytes: number): number {
  const periods = Math.max(1, Math.round(recordBytes / wanted))
  return Math.ceil(recordBytes / periods / ATOM) * ATOM
}

/** Blocks of content that is there more than once. */
function sharedBlock(recordBytes: number, compress: number): number {
  const fine = 2 ** Math.floor(Math.log2(Math.max(1, recordBytes / BLOCKS_OF_A_RECORD)))
  // Whole periods in a block, or a block would not be the same wherever it comes again.
  const least = compress === 1 ? LEAST_BLOCK : wantedPeriod(compress)
  return Math.min(BLOCK, Math.max(least, fine))
}

/**
 * The records of one file: a pure function of the set's seed and the file's index. Integers are uniform over their range,
 * floats over [0, 1), as DLIO makes them. Not for use by several threads at once.
 */
export class RandomContent implements Content {
  readonly #numbers: Float64Array

  /** The numbers of RANDOM_CONTENT. */
  constructor(numbers: Float64Array) {
    this.#numbers = numbers
  }

  fill(sample: number, offset: number, target: Uint8Array): void {
    native.fillRandom(target, this.#numbers, sample, offset)
  }

  /** Where in `bytes`, which should be those of `sample` from `offset` on, the first wrong one is; -1 where none is. */
  difference(sample: number, offset: number, bytes: Uint8Array): number {
    return native.randomDifference(bytes, this.#numbers, sample, offset)
  }
}

function numbersOf(seed: number, file: number, dtype: DType, { period, random }: Stretches): Float64Array {
  const numbers = new Float64Array(Object.keys(COLUMN).length)
  numbers[COLUMN.seed] = seed
  numbers[COLUMN.file] = file
  numbers[COLUMN.type] = TYPES[dtype] ?? RANDOM_TYPE.bits
  numbers[COLUMN.block] = BLOCK
  numbers[COLUMN.period] = period
  numbers[COLUMN.random] = random
  return numbers
}

/** Bytes in which nothing is there twice and nothing can be compressed; each `file` has its own. */
export function randomContent(seed: number, file: number, dtype: DType = 'uint8'): RandomContent {
  return new RandomContent(numbersOf(seed, file, dtype, { period: BLOCK, random: BLOCK }))
}

/** Blocks of all files before `file`, and of one of its records, where content is there more than once. */
interface Shared {
  readonly block: number
  readonly first: number
  readonly recordBlocks: number
  readonly unique: number
}

function sharedOf(set: DataSet, file: number): Shared {
  const { compress, samplesPerFile } = set.spec
  const mean = set.totalBytes / set.samples
  const block = sharedBlock(mean, compress)
  const recordBlocks = Math.ceil(set.recordBytes(file) / block)
  // Under a deviation the sum of the sizes stands for the sum of the blocks: half a block of each record is added, and
  // what that is wrong by only moves where content begins to come again.
  const blocksBefore = (index: number) =>
    set.uniform
      ? index * samplesPerFile * recordBlocks
      : samplesPerFile * Math.round(set.recordBytesBefore(index) / block + index / 2)
  const total = blocksBefore(set.files)
  return {
    block,
    recordBlocks,
    first: blocksBefore(file),
    unique: Math.max(1, Math.round(uniqueOf(total, set, recordBlocks))),
  }
}

/** Different blocks: in whole records where there are enough of them, so that records come again as they are. */
function uniqueOf(total: number, set: DataSet, recordBlocks: number): number {
  const records = set.samples / set.spec.dedup
  return set.uniform && records >= 50 ? Math.round(records) * recordBlocks : total / set.spec.dedup
}

/** By the spec that they were made of: all files of a set ask for theirs. */
const sets = new WeakMap<DataSetSpec, DataSet>()

function setOf(set: DataSet | DataSetSpec): DataSet {
  if (set instanceof DataSet) return set
  const known = sets.get(set) ?? new DataSet(set)
  sets.set(set, known)
  return known
}

/** What the records of file `index` hold. */
export function contentOf(of: DataSet | DataSetSpec, index: number): RandomContent {
  const set = setOf(of)
  const { seed, dedup, compress } = set.spec
  const recordBytes = set.recordBytes(index)
  const shared = dedup > 1 ? sharedOf(set, index) : undefined
  const stretches = stretchesOf(set.dtype, compress, recordBytes, shared !== undefined)
  const numbers = numbersOf(seed, index, set.dtype, stretches)
  if (shared !== undefined) {
    numbers[COLUMN.block] = shared.block
    numbers[COLUMN.unique] = shared.unique
    numbers[COLUMN.first] = shared.first
    numbers[COLUMN.recordBlocks] = shared.recordBlocks
  }
  return new RandomContent(numbers)
}
