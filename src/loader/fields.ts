import type { Dataset, Field, Sample } from '../datasets/types.ts'
import { type DType, itemSize, type TypedArray, viewOf } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import { native } from '../native.ts'
import { locate, type StoredSource } from './source.ts'
import type { DecodePlan, Decoder, FieldBatch, Rows, SampleFault, SlotSpan, StoredBytes } from './types.ts'

/** The decoders that need no knowledge of what the bytes mean: numbers, strings, stored bytes. */

interface RowsPlan extends DecodePlan {
  readonly rows: Rows
}

const NO_FAULTS: readonly SampleFault[] = []

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
  }

  plan(rows: Rows): RowsPlan {
    return { rows, bytes: rows.ids.length * itemSize(this.#dtype), faults: NO_FAULTS }
  }

  async decode(): Promise<readonly SampleFault[]> {
    return NO_FAULTS
  }

  deliver({ rows }: RowsPlan, buffer: ArrayBuffer, offset: number): FieldBatch {
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

  async decode(): Promise<readonly SampleFault[]> {
    return NO_FAULTS
  }

  deliver({ rows }: RowsPlan): FieldBatch {
    return rows.samples.map((sample) => String(sample?.[this.#field]))
  }

  record(): undefined {}
}

interface StoredPlan extends DecodePlan {
  readonly source: StoredSource
  readonly stride: number
}

/** Rows start where vector loads like them. */
const STRIDE_ALIGN = 64

class StoredDecoder implements Decoder<StoredPlan> {
  readonly #dataset: Dataset
  readonly #field: string
  readonly #threads: number
  readonly #group: number
  readonly readsSamples: boolean
  readonly decides = false

  constructor(dataset: Dataset, name: string, threads: number, group: number) {
    this.#dataset = dataset
    this.#field = name
    this.#threads = threads
    this.#group = group
    this.readsSamples = dataset.locate === undefined
  }

  plan(rows: Rows): StoredPlan {
    const source = locate(this.#dataset, this.#field, rows)
    const largest = this.#dataset.maxSize?.(this.#field) ?? source.sizes.reduce((a, b) => Math.max(a, b), 0)
    const stride = Math.max(STRIDE_ALIGN, Math.ceil(largest / STRIDE_ALIGN) * STRIDE_ALIGN)
    const sizes = rows.ids.length
    // Three uint32 columns (sizes, heights, widths) stand behind the rows.
    return { source, stride, bytes: sizes * stride + 12 * sizes, faults: source.faults }
  }

  decode({ source, stride }: StoredPlan, { slot, offset }: SlotSpan): Promise<readonly SampleFault[]> {
    return native.copyRows({
      source: source.bytes,
      sourceOffsets: source.offsets,
      sourceSizes: source.sizes,
      slot,
      offset,
      stride,
      threads: this.#threads,
      group: this.#group,
    })
  }

  deliver({ source, stride }: StoredPlan, buffer: ArrayBuffer, offset: number): StoredBytes {
    const count = source.sizes.length
    const columns = offset + count * stride
    const sizes = new Uint32Array(buffer, columns, count)
    const heights = new Uint32Array(buffer, columns + 4 * count, count)
    const widths = new Uint32Array(buffer, columns + 8 * count, count)
    sizes.set(source.sizes)
    heights.set(source.heights)
    widths.set(source.widths)
    return {
      data: new Uint8Array(buffer, offset, count * stride),
      shape: [count, stride],
      dtype: 'uint8',
      sizes,
      heights,
      widths,
    }
  }

  record(): undefined {}
}

/** The decoder of a field by its kind. Image fields without operations are delivered as they are stored. */
export function genericDecoder(dataset: Dataset, name: string, threads: number, group: number): Decoder {
  const field = dataset.schema[name]
  switch (field?.kind) {
    case 'number':
      return new NumberDecoder(dataset, name, field) as Decoder
    case 'string':
      return new StringDecoder(name) as Decoder
    case 'image':
    case 'bytes':
      return new StoredDecoder(dataset, name, threads, group) as Decoder
    default:
      throw new HeadraceError('E_USAGE', `field ${name} has no kind`)
  }
}
