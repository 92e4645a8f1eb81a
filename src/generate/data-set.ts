import { show } from '../checks.ts'
import { type DType, itemSize } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import type { FileLayout, Sidecar } from '../formats/types.ts'
import { RecordSides, sidesRule } from './record-sides.ts'
import type { DataSetSpec, PlannedFile, Split } from './types.ts'

/** Samples and bytes are counted as numbers: beyond this they are not exact. */
const MOST = Number.MAX_SAFE_INTEGER

/** Content is made in periods of up to 64 KiB, of which 64 is the smallest share that can be met. */
const MOST_COMPRESS = 128

/** NumPy's seeds. */
const MOST_SEED = 2 ** 32 - 1

function refuse(what: string, wanted: string, value: unknown): never {
  throw new HeadraceError('E_CONFIG', `${what} must be ${wanted}, but got ${show(value)}`)
}

function whole(what: string, value: number, min: number, max = MOST): void {
  if (!Number.isSafeInteger(value) || value < min || value > max)
    refuse(what, max === MOST ? `an integer of ${min} or more` : `an integer from ${min} to ${max}`, value)
}

function number(what: string, value: number, min: number, max: number): void {
  if (!Number.isFinite(value) || value < min || value > max) refuse(what, `a number from ${min} to ${max}`, value)
}

/** What no set of files can be. */
function check(spec: DataSetSpec): void {
  const { filesTrain, filesValid, samplesPerFile, record, prefix, sizesByRank } = spec
  whole('the number of training files', filesTrain, 0)
  whole('the number of evaluation files', filesValid, 0)
  whole('the number of files', filesTrain + filesValid, 1)
  whole('the number of samples in a file', samplesPerFile, 1)
  whole('the number of samples', samplesPerFile * (filesTrain + filesValid), 1)
  whole('the number of subfolders for training', spec.subfoldersTrain, 0)
  whole('the number of subfolders for evaluation', spec.subfoldersValid, 0)
  whole('the seed', spec.seed, 0)
  whole('the seed of the sizes', spec.sizesSeed, 0, MOST_SEED)
  if (sizesByRank !== undefined) whole('the number of ranks that make sizes', sizesByRank, 1, MOST_SEED)
  number('the dedup ratio', spec.dedup, 1, 2 ** 20)
  number('the compression ratio', spec.compress, 1, MOST_COMPRESS)
  if (prefix === '' || /[/\0]/.test(prefix)) refuse('the prefix of files', 'a name without "/"', prefix)
  if (record.kind === 'length') {
    number('the length of a record', record.bytes, Number.MIN_VALUE, MOST)
    number('the deviation of the length of a record', record.stdev, 0, MOST)
  } else {
    if (record.dims.length === 0) refuse('the dimensions of a record', 'at least one', record.dims)
    for (const side of record.dims) whole('a dimension of a record', side, 1)
    whole('the size of a record', product(record.dims) * itemSize(record.dtype), 1)
  }
}

const product = (sides: readonly number[]) => sides.reduce((sum, side) => sum * side, 1)

/** A format, as far as it names files. */
export interface WithSidecars {
  readonly sidecars: readonly Sidecar[]
}

/**
 * A set of files, of which nothing is listed: the name, the shape and the content of any file follow from its index.
 * Under a deviation of sizes a file costs the draws of all before it, once.
 */
export class DataSet {
  readonly spec: DataSetSpec
  /** Training and evaluation files, in that order. */
  readonly files: number
  /** Of all files. */
  readonly samples: number
  readonly dtype: DType
  /** The shape that all records have; undefined where each file has its own. */
  readonly #shape: readonly number[] | undefined
  /** One, or one a rank. */
  readonly #sides: readonly RecordSides[]
  #totalBytes: number | undefined

  /** E_CONFIG for what no set of files can be. */
  constructor(spec: DataSetSpec) {
    check(spec)
    this.spec = spec
    this.files = spec.filesTrain + spec.filesValid
    this.samples = this.files * spec.samplesPerFile
    const { record } = spec
    this.dtype = record.kind === 'dims' ? record.dtype : 'uint8'
    const varies = record.kind === 'length' && record.stdev > 0
    this.#sides = varies ? this.#makeSides(record) : []
    if (varies) this.#shape = undefined
    else if (record.kind === 'dims') this.#shape = record.dims
    else {
      const side = Math.max(1, sidesRule(record.bytes, 0).side)
      this.#shape = [side, side]
    }
  }

  #makeSides(record: { readonly bytes: number; readonly stdev: number }): readonly RecordSides[] {
    const { sizesSeed, sizesByRank = 1 } = this.spec
    const rule = sidesRule(record.bytes, record.stdev)
    return Array.from(
      { length: Math.min(sizesByRank, this.files) },
      (_, rank) => new RecordSides(sizesSeed + rank, rule, this.files, sizesByRank, rank),
    )
  }

  /** Whether all files have records of one shape. */
  get uniform(): boolean {
    return this.#shape !== undefined
  }

  /** Of one record of a file. */
  shape(index: number): readonly number[] {
    this.#checkIndex(index)
    if (this.#shape !== undefined) return this.#shape
    const ranks = this.spec.sizesByRank ?? 1
    return this.#sides[index % ranks]?.at(Math.floor(index / ranks)) ?? []
  }

  /** Bytes of one record of a file. */
  recordBytes(index: number): number {
    return product(this.shape(index)) * itemSize(this.dtype)
  }

  /** Bytes of one record of each file before `index`, together; `index` may be the number of files. */
  recordBytesBefore(index: number): number {
    if (this.#shape !== undefined) return index * product(this.#shape) * itemSize(this.dtype)
    const ranks = this.#sides.length
    return this.#sides.reduce((sum, sides, rank) => {
      const before = Math.max(0, Math.ceil((index - rank) / ranks))
      return sum + sides.bytesBefore(before)
    }, 0)
  }

  /** Bytes of all records of all files, without what formats put around them. */
  get totalBytes(): number {
    this.#totalBytes ??= this.spec.samplesPerFile * this.recordBytesBefore(this.files)
    return this.#totalBytes
  }

  file(index: number): PlannedFile {
    const { split, number } = this.#place(index)
    const layout: FileLayout = {
      samples: this.spec.samplesPerFile,
      shape: this.shape(index),
      dtype: this.dtype,
      options: this.spec.options,
      index,
    }
    return { index, split, key: this.#key(split, number), layout }
  }

  /** Below the set's URL. */
  key(index: number): string {
    const { split, number } = this.#place(index)
    return this.#key(split, number)
  }

  /** Of what goes with a file, in the order of the format's sidecars. */
  sidecarKeys(index: number, { sidecars }: WithSidecars): readonly string[] {
    const key = this.key(index)
    const name = key.slice(key.lastIndexOf('/') + 1)
    const { split } = this.#place(index)
    return sidecars.map(({ place, suffix }) =>
      place === 'beside' ? `${key}${suffix}` : `index/${split}/${name}${suffix}`,
    )
  }

  /** Which file a key is of; undefined where it is that of none. */
  indexOf(key: string): number | undefined {
    const index = this.#named(key)
    return index !== undefined && this.key(index) === key ? index : undefined
  }

  /** Which file's sidecar a key is of, and which of them; undefined where it is that of none. */
  sidecarAt(key: string, format: WithSidecars): { readonly index: number; readonly sidecar: number } | undefined {
    const index = this.#named(key.replace(/^index\//, ''))
    const sidecar = index === undefined ? -1 : this.sidecarKeys(index, format).indexOf(key)
    return index === undefined || sidecar < 0 ? undefined : { index, sidecar }
  }

  /** All files, in the order of the bytes of their keys. */
  *inKeyOrder(): Generator<number> {
    const { filesTrain, filesValid, subfoldersTrain, subfoldersValid, naming } = this.spec
    for (const [first, files, subfolders] of [
      [0, filesTrain, subfoldersTrain],
      [filesTrain, filesValid, subfoldersValid],
    ] as const) {
      const folders = naming === 'dlio' ? Math.max(1, subfolders) : 1
      for (let folder = 0; folder < folders; folder++)
        for (let number = folder; number < files; number += folders) yield first + number
    }
  }

  /** By the number in its name, wherever it lies. */
  #named(key: string): number | undefined {
    const form =
      this.spec.naming === 'dl-driver'
        ? /^(train|valid)_file_(\d+)\.[^/]*$/
        : /^(train|valid)\/(?:\d+\/)?[^/]*_(\d+)_of_\d+\.[^/]*$/
    const [, split = '', digits = ''] = form.exec(key) ?? []
    const number = Number(digits)
    if (split === 'train') return number < this.spec.filesTrain ? number : undefined
    return split === 'valid' && number < this.spec.filesValid ? this.spec.filesTrain + number : undefined
  }

  /** Folders that are there even where no file is in them, as DLIO leaves them. */
  get folders(): readonly Split[] {
    return this.spec.naming === 'dlio' ? ['train', 'valid'] : []
  }

  #place(index: number): { split: Split; number: number } {
    this.#checkIndex(index)
    const { filesTrain } = this.spec
    return index < filesTrain ? { split: 'train', number: index } : { split: 'valid', number: index - filesTrain }
  }

  #key(split: Split, number: number): string {
    const { naming, prefix, format, filesTrain, filesValid, subfoldersTrain, subfoldersValid } = this.spec
    if (naming === 'dl-driver') return `${split}_file_${String(number).padStart(6, '0')}.${format}`
    const [files, folders] = split === 'train' ? [filesTrain, subfoldersTrain] : [filesValid, subfoldersValid]
    const folder = folders > 1 ? `/${padded(number % folders, folders)}` : ''
    return `${split}${folder}/${prefix}_${padded(number, files)}_of_${files}.${format}`
  }

  #checkIndex(index: number): void {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.files)
      throw new HeadraceError('E_USAGE', `there is no file ${show(index)} in a set of ${this.files}`)
  }
}

/** As many digits as the number of all has. */
const padded = (number: number, of: number) => String(number).padStart(String(of).length, '0')
