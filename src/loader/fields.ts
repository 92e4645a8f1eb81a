import type { Dataset, Field, Sample } from '../datasets/types.ts'
import { type DType, itemSize, type TypedArray, viewOf } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import { native } from '../native.ts'
import type { BatchMemory } from './batch-memory.ts'
import { PlacedBytesDecoder, PlacedTensorDecoder, readsInPlace } from './in-place.ts'
import { largestOf, locate, type StoredSource } from './source.ts'
import type { DecodeFault, DecodePlan, Decoder, FieldBatch, Rows, SampleFault, SlotSpan, StoredBytes } from './types.ts'

/** The decoders that need no knowledge of what the bytes mean: numbers, strings, stored bytes. */

interface RowsPlan extends DecodePlan {
  readonly rows: Rows
}

const NO_FAULTS: readonly DecodeFault[] = []

class NumberDecoder implements Decoder<RowsPlan> {
  readonly #dataset: Dataset
  readonly #field: string
  readonly #dtype: DType
  readonly readsSamples: boolean
  readonly decides = false

  constructor(dataset: Dataset, name: string, field: Field) {
    this.#dataset = dataset
    this.#field = name
    this.#dtype = field.dtype ?? 'float64'
    this.readsSamples = dataset.gather === undefined
    // their bits are in a Uint16Array, which a number is not
    if (this.readsSamples && (this.#dtype === 'float16' || this.#dtype === 'bfloat16'))
      throw new HeadraceError(
        'E_UNSUPPORTED',
        `field ${name}: ${this.#dtype} numbers cannot be read one by one; the dataset needs gather()`,
        { field: name },
      )
  }

  plan(rows: Rows): RowsPlan {
    return { rows, bytes: rows.ids.length * itemSize(this.#dtype), faults: NO_FAULTS }
  }

  async decode(): Promise<readonly DecodeFault[]> {
    return NO_FAULTS
  }

  deliver({ rows }: RowsPlan, memory: BatchMemory, start: number): FieldBatch {
    const { buffer, offset } = memory.at(start)
    const data = viewOf(this.#dtype, buffer, offset, rows.ids.length)
    if (this.#dataset.gather === undefined) this.#fill(rows.samples, data)
    else this.#dataset.gather(rows.ids, this.#field, data)
    return { data, shape: [rows.ids.length], dtype: this.#dtype }
  }

  record(): undefined {}

  #fill(samples: readonly (Sample | undefined)[], out: TypedArray): void {
    const wide = out instanceof BigInt64Array || out instanceof BigUint64Array
    for (let i = 0; i < out.length; i++) {
      const value = samples[i]?.[this.#field] as number | bigint
      out[i] = wide ? BigInt(value) : Number(value)
    }
  }
}

/** Arrays of one shape, one behind the other. */
class TensorDecoder implements Decoder<RowsPlan> {
  readonly #field: string
  readonly #dtype: DType
  readonly #shape: readonly number[]
  /** Bytes of a sample. */
  readonly #stride: number
  readonly readsSamples = true
  readonly decides = false

  constructor(name: string, { dtype = 'uint8', shape = [] }: Field) {
    this.#field = name
    this.#dtype = dtype
    this.#shape = shape
    this.#stride = shape.reduce((product, size) => product * size, itemSize(dtype))
  }

  plan(rows: Rows): RowsPlan {
    const faults: SampleFault[] = []
    rows.samples.forEach((sample, row) => {
      const bytes = (sample?.[this.#field] as Uint8Array | undefined)?.length ?? this.#stride
      if (bytes === this.#stride) return
      const wanted = `${this.#dtype}[${this.#shape}]`
      faults.push({ row, code: 'E_CORRUPT', reason: `${bytes} bytes are no ${wanted}, which takes ${this.#stride}` })
    })
    return { rows, bytes: rows.ids.length * this.#stride, faults }
  }

  async decode(): Promise<readonly DecodeFault[]> {
    return NO_FAULTS
  }

  deliver({ rows }: RowsPlan, memory: BatchMemory, start: number): FieldBatch {
    const { buffer, offset } = memory.at(start)
    const count = rows.ids.length
    const bytes = new Uint8Array(buffer, offset, count * this.#stride)
    rows.samples.forEach((sample, row) => {
      bytes.set(sample?.[this.#field] as Uint8Array, row * this.#stride)
    })
    const shape = [count, ...this.#shape]
    return {
      data: viewOf(this.#dtype, buffer, offset, (count * this.#stride) / itemSize(this.#dtype)),
      shape,
      dtype: this.#dtype,
    }
  }

  record(): undefined {}
}

class StringDecoder implements Decoder<RowsPlan> {
  readonly #field: string
  readonly readsSamples = true
  readonly decides = false

  constructor(name: string) {
    this.#field = name
  }

  plan(rows: Rows): RowsPlan {
    return { rows, bytes: 0, faults: NO_FAULTS }
  }

  async decode(): Promise<readonly DecodeFault[]> {
    return NO_FAULTS
  }

  deliver({ rows }: RowsPlan): FieldBatch {
    return rows.samples.map((sample) => String(sample?.[this.#field]))
  }

  record(): undefined {}
}

interface StoredPlan extends DecodePlan {
  readonly source: StoredSource
  /** Bytes in front of the rows: sizes, heights and widths. */
  readonly columns: number
  readonly stride: number
}

/** Rows start where vector loads like them. */
const STRIDE_ALIGN = 64

class StoredDecoder implements Decoder<StoredPlan> {
  readonly #dataset: Dataset
  readonly #field: string
  readonly #threads: number
  readonly #group: number
  readonly #batchSize: number
  readonly readsSamples: boolean
  readonly decides = false

  constructor(dataset: Dataset, name: string, { batchSize, threads }: DecoderSettings, group: number) {
    this.#dataset = dataset
    this.#field = name
    this.#threads = threads
    this.#group = group
    this.#batchSize = batchSize
    this.readsSamples = dataset.locate === undefined
  }

  plan(rows: Rows): StoredPlan {
    const source = locate(this.#dataset, this.#field, rows)
    const stride = Math.max(STRIDE_ALIGN, roundUp(largestOf(this.#dataset, this.#field, source.sizes)))
    const count = rows.ids.length
    // Three uint32 columns; as many in a short batch, so that its rows lie where those of the others do.
    const columns = roundUp(12 * Math.max(count, this.#batchSize))
    return { source, columns, stride, bytes: columns + count * stride, faults: source.faults }
  }

  decode({ source, columns, stride }: StoredPlan, { slot, offset }: SlotSpan): Promise<readonly DecodeFault[]> {
    return native.copyRows({
      source: source.bytes,
      sourceOffsets: source.offsets,
      sourceSizes: source.sizes,
      slot,
      offset: offset + columns,
      stride,
      threads: this.#threads,
      group: this.#group,
    })
  }

  deliver({ source, columns, stride }: StoredPlan, memory: BatchMemory, start: number): StoredBytes {
    const { buffer, offset } = memory.at(start)
    const count = source.sizes.length
    const sizes = new Uint32Array(buffer, offset, count)
    const heights = new Uint32Array(buffer, offset + 4 * count, count)
    const widths = new Uint32Array(buffer, offset + 8 * count, count)
    sizes.set(source.sizes)
    heights.set(source.heights)
    widths.set(source.widths)
    return {
      data: new Uint8Array(buffer, offset + columns, count * stride),
      shape: [count, stride],
      dtype: 'uint8',
      sizes,
      heights,
      widths,
    }
  }

  record(): undefined {}
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / STRIDE_ALIGN) * STRIDE_ALIGN
}

export interface DecoderSettings {
  readonly batchSize: number
  readonly threads: number
}

/** The decoder of a field by its kind. Image fields without operations are delivered as they are stored. */
export function genericDecoder(dataset: Dataset, name: string, settings: DecoderSettings, group: number): Decoder {
  const field = dataset.schema[name]
  switch (field?.kind) {
    case 'number':
      return new NumberDecoder(dataset, name, field) as Decoder
    case 'tensor':
      return (
        readsInPlace(dataset) ? new PlacedTensorDecoder(dataset, name, field) : new TensorDecoder(name, field)
      ) as Decoder
    case 'string':
      return new StringDecoder(name) as Decoder
    case 'image':
    case 'bytes':
      return (
        readsInPlace(dataset)
          ? new PlacedBytesDecoder(dataset, name, settings.batchSize)
          : new StoredDecoder(dataset, name, settings, group)
      ) as Decoder
    default:
      throw new HeadraceError('E_USAGE', `field ${name} has no kind`)
  }
}
