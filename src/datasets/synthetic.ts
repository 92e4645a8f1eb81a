import { createHash } from 'node:crypto'
import { parseSize } from '../bytes.ts'
import { knownOptions, nonNegativeInteger, oneOf, positiveInteger, show } from '../checks.ts'
import { type DType, itemSize } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import { NoiseBody } from '../noise.ts'
import { Draws, viewKey } from '../sampling/random.ts'
import type { DatasetSpec } from './spec.ts'
import type { Dataset, Field, ReadOptions, Sample, Schema } from './types.ts'

export interface SyntheticOptions {
  /** How many there are. */
  readonly samples: number
  /** Bytes of a sample, also as '128KiB'; or from the first to the second, all equally likely. */
  readonly size?: number | string | readonly [number | string, number | string]
  /** Instead of `size`: `data` is a tensor of this shape. */
  readonly shape?: readonly number[]
  /** Of a tensor; 'uint8'. */
  readonly dtype?: DType
  /** Adds `label`, int64 from 0 to classes - 1. */
  readonly classes?: number
  /** Of the content; 0. */
  readonly seed?: number
}

/** 1 GiB: the largest sample's memory is kept. */
const MAX_SAMPLE = 2 ** 30
const SIZE_STREAM = viewKey('size\0')
const LABEL_STREAM = viewKey('label\0')

const DTYPES: readonly DType[] = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'int64',
  'uint64',
  'float16',
  'bfloat16',
  'float32',
  'float64',
  'bool',
]

/** Of an element's highest bytes: what makes any bits a float from 1 to below 2, or 0 and 1 of a bool. */
const MASKS: { readonly [D in DType]?: readonly [keep: number, set: number] } = {
  float16: [0x03ff, 0x3c00],
  bfloat16: [0x007f, 0x3f80],
  float32: [0x007fffff, 0x3f800000],
  float64: [0x000fffff, 0x3ff00000],
}

/** Makes every element a number: floats would be NaN and infinite now and then. */
function tame(bytes: Uint8Array, dtype: DType): void {
  if (dtype === 'bool') {
    for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) & 1
    return
  }
  const mask = MASKS[dtype]
  if (mask === undefined) return
  const [keep, set] = mask
  const size = itemSize(dtype)
  const width = Math.min(4, size)
  const words =
    width === 2
      ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
      : new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  // Of a float64 the second word is the upper one.
  const step = size / width
  for (let i = step - 1; i < words.length; i += step) words[i] = ((words[i] as number) & keep) | set
}

/** Samples by arithmetic: see `synthetic`. */
export class Synthetic implements Dataset {
  readonly length: number
  readonly schema: Schema
  readonly fingerprint: string
  readonly spec: DatasetSpec
  readonly #least: number
  readonly #most: number
  readonly #dtype: DType
  readonly #classes: number | undefined
  readonly #noise: NoiseBody
  readonly #sizes: Draws
  readonly #labels: Draws

  constructor(settings: SyntheticSettings) {
    const { samples, least, most, shape, dtype, classes, seed, spec } = settings
    this.length = samples
    const data: Field = shape === undefined ? { kind: 'bytes' } : { kind: 'tensor', dtype, shape }
    const label: Field = { kind: 'number', dtype: 'int64' }
    this.schema = classes === undefined ? { data } : { data, label }
    this.#least = least
    this.#most = most
    this.#dtype = dtype
    this.#classes = classes
    this.#noise = new NoiseBody(most, seed)
    this.#sizes = new Draws(seed, 0, SIZE_STREAM)
    this.#labels = new Draws(seed, 0, LABEL_STREAM)
    this.spec = spec
    const what = JSON.stringify(['synthetic', samples, least, most, shape ?? null, dtype, classes ?? null, seed])
    this.fingerprint = createHash('sha256').update(what).digest('hex')
  }

  describe(id: number): string {
    return `sample ${id}`
  }

  maxSize(field: string): number {
    return field === 'data' ? this.#most : 0
  }

  sizes(ids: Float64Array, field: string, out: Float64Array): void {
    onlyData(field)
    for (let i = 0; i < ids.length; i++) out[i] = this.#size(ids[i] as number)
  }

  gather(ids: Float64Array, field: string, out: { [i: number]: bigint | number }): void {
    if (field !== 'label' || this.#classes === undefined)
      throw new HeadraceError('E_USAGE', `field ${show(field)} is no number of a synthetic dataset`, { field })
    for (let i = 0; i < ids.length; i++) out[i] = this.#label(ids[i] as number)
  }

  async read(id: number, { fields }: ReadOptions = {}): Promise<Sample> {
    this.#check(id)
    const sample: Record<string, Uint8Array | bigint> = {}
    if (fields === undefined || fields.includes('data')) {
      const data = new Uint8Array(this.#size(id))
      this.#fill(id, data)
      sample.data = data
    }
    if (this.#classes !== undefined && (fields === undefined || fields.includes('label')))
      sample.label = this.#label(id)
    return sample
  }

  async readInto(id: number, field: string, into: Uint8Array): Promise<void> {
    onlyData(field)
    this.#check(id)
    const size = this.#size(id)
    if (into.length !== size)
      throw new HeadraceError('E_USAGE', `sample ${id} takes ${size} bytes, but into has ${into.length}`, {
        sample: id,
      })
    // Elements are looked at where they lie, which not every address allows.
    if (into.byteOffset % 8 === 0) return this.#fill(id, into)
    const data = new Uint8Array(size)
    this.#fill(id, data)
    into.set(data)
  }

  async close(): Promise<void> {}

  #check(id: number): void {
    if (!Number.isSafeInteger(id) || id < 0 || id >= this.length)
      throw new HeadraceError(
        'E_USAGE',
        `sample id must be an integer from 0 to ${this.length - 1}, but got ${show(id)}`,
      )
  }

  #size(id: number): number {
    if (this.#least === this.#most) return this.#least
    this.#sizes.begin(id)
    return this.#least + Math.floor(this.#sizes.at(0) * (this.#most - this.#least + 1))
  }

  #label(id: number): bigint {
    this.#labels.begin(id)
    return BigInt(Math.floor(this.#labels.at(0) * (this.#classes as number)))
  }

  #fill(id: number, into: Uint8Array): void {
    into.set(this.#noise.body(id, into.length))
    tame(into, this.#dtype)
  }
}

function onlyData(field: string): void {
  if (field !== 'data') throw new HeadraceError('E_USAGE', `field ${show(field)} has no bytes; data has`, { field })
}

interface SyntheticSettings {
  readonly samples: number
  readonly least: number
  readonly most: number
  readonly shape: readonly number[] | undefined
  readonly dtype: DType
  readonly classes: number | undefined
  readonly seed: number
  readonly spec: DatasetSpec
}

function sizeOption(value: number | string): number {
  const bytes = parseSize(value, 'size')
  if (bytes <= MAX_SAMPLE) return bytes
  throw new HeadraceError('E_LIMIT', `size must be at most ${MAX_SAMPLE} bytes, but got ${show(value)}`)
}

function sizesOption(size: SyntheticOptions['size']): readonly [number, number] {
  if (size === undefined) throw new HeadraceError('E_USAGE', 'synthetic needs a size or a shape')
  if (typeof size === 'number' || typeof size === 'string') {
    const bytes = sizeOption(size)
    return [bytes, bytes]
  }
  if (!Array.isArray(size) || size.length !== 2)
    throw new HeadraceError('E_USAGE', `size must be bytes, or two sizes, but got ${show(size)}`)
  const [least, most] = [sizeOption(size[0]), sizeOption(size[1])]
  if (least > most)
    throw new HeadraceError('E_USAGE', `size must go from the smaller to the larger, but got ${show(size)}`)
  return [least, most]
}

/**
 * Samples by arithmetic: nothing is read, and sample `id` is the same bytes wherever and whenever. `data` has noise, of a
 * tensor of floats numbers from 1 to below 2. E_USAGE for options that make no sense, E_LIMIT for samples above 1 GiB.
 */
export function synthetic(options: SyntheticOptions): Synthetic {
  knownOptions('synthetic', options, ['samples', 'size', 'shape', 'dtype', 'classes', 'seed'])
  const { shape, size } = options
  const samples = nonNegativeInteger('samples', options.samples)
  const seed = nonNegativeInteger('seed', options.seed ?? 0)
  const dtype = oneOf('dtype', options.dtype ?? 'uint8', DTYPES)
  const classes = options.classes === undefined ? undefined : positiveInteger('classes', options.classes)
  const common = { samples, classes, seed, spec: { kind: 'synthetic', ...options } }
  if (shape === undefined) {
    if (options.dtype !== undefined) throw new HeadraceError('E_USAGE', 'dtype is that of a tensor, which has a shape')
    const [least, most] = sizesOption(size)
    return new Synthetic({ ...common, least, most, shape: undefined, dtype })
  }
  if (size !== undefined) throw new HeadraceError('E_USAGE', 'synthetic takes either size or shape')
  if (!Array.isArray(shape))
    throw new HeadraceError('E_USAGE', `shape must be an array of integers, but got ${show(shape)}`)
  for (const dimension of shape) positiveInteger('shape', dimension)
  const bytes = sizeOption(shape.reduce((product, dimension) => product * dimension, itemSize(dtype)))
  return new Synthetic({ ...common, least: bytes, most: bytes, shape, dtype })
}
