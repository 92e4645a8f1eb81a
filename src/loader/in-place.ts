import { formatBytes } from '../bytes.ts'
import { nameOf } from '../datasets/name-of.ts'
import type { Dataset, Field } from '../datasets/types.ts'
import { type DType, itemSize, viewOf } from '../dtype.ts'
import { fromSystemError, reasonOf } from '../errors.ts'
import type { SlotHandle } from '../native.ts'
import type { BatchMemory } from './batch-memory.ts'
import { isLasting } from './faults.ts'
import { largestOf } from './source.ts'
import type { DecodeFault, DecodePlan, Decoder, FieldBatch, Rows, SampleFault, SlotSpan, StoredBytes } from './types.ts'

/** The decoders of fields whose bytes are read to where they are delivered, without a copy on the way. */

interface PlacedPlan extends DecodePlan {
  readonly rows: Rows
  readonly sizes: Float64Array
  /** Bytes in front of the rows: sizes, heights and widths. */
  readonly columns: number
  readonly stride: number
}

/** Rows start where vector loads like them. */
const STRIDE_ALIGN = 64
/** Sizes are uint32. */
const MAX_ROW = 2 ** 32 - 1

/** Whether a field of a dataset can be read to where it is wanted. */
export function readsInPlace(dataset: Dataset): boolean {
  return dataset.locate === undefined && dataset.sizes !== undefined && dataset.readInto !== undefined
}

/** Sizes as the dataset says, and the rows whose size is none; those become 0 bytes. */
function sizesOf(dataset: Dataset, field: string, ids: Float64Array): { sizes: Float64Array; faults: SampleFault[] } {
  const sizes = new Float64Array(ids.length)
  dataset.sizes?.(ids, field, sizes)
  const faults: SampleFault[] = []
  for (const [row, size] of sizes.entries()) {
    if (Number.isSafeInteger(size) && size >= 0 && size <= MAX_ROW) continue
    faults.push(
      size > MAX_ROW
        ? { row, code: 'E_LIMIT', reason: `${formatBytes(size)} are more than a row can have (4 GiB)` }
        : { row, code: 'E_CORRUPT', reason: `${size} is no size of bytes` },
    )
    sizes[row] = 0
  }
  return { sizes, faults }
}

/** Reads the rows of a plan to their places; the first failure that is not about a sample is thrown. */
async function fetchRows(
  dataset: Dataset,
  field: string,
  { rows, sizes, columns, stride }: PlacedPlan,
  target: SlotSpan,
): Promise<readonly DecodeFault[]> {
  const { ids } = rows
  const memory = target.memory()
  const { buffer, offset } = memory.at(target.offset)
  const starts = Float64Array.from(sizes, (_, row) => target.offset + columns + row * stride)
  const failures = await target.fetch.readInto({
    ids,
    field,
    slot: target.slot,
    starts,
    sizes,
    memory: (row) => new Uint8Array(buffer, offset + columns + row * stride, sizes[row]),
  })
  return failures.map(({ row, error }) => {
    const key = nameOf(dataset, ids[row] as number)
    const known = fromSystemError(error, `sample ${ids[row]} (${key})`, { sample: ids[row] as number, key })
    if (!isLasting(error)) throw target.fetch.reason ?? known
    return { row, code: known.code, reason: reasonOf(error, key), lasting: true }
  })
}

/** How far the rows of a field were written when a slot was used last. */
interface Written {
  readonly offset: number
  readonly stride: number
  readonly sizes: Float64Array
}

/** Stored bytes, one row a sample. */
export class PlacedBytesDecoder implements Decoder<PlacedPlan> {
  readonly #dataset: Dataset
  readonly #field: string
  readonly #batchSize: number
  readonly #written = new WeakMap<SlotHandle, Written>()
  readonly readsSamples = false
  readonly inPlace = true
  readonly decides = false

  constructor(dataset: Dataset, name: string, batchSize: number) {
    this.#dataset = dataset
    this.#field = name
    this.#batchSize = batchSize
  }

  plan(rows: Rows): PlacedPlan {
    const { sizes, faults } = sizesOf(this.#dataset, this.#field, rows.ids)
    const stride = strideOf(sizes, largestOf(this.#dataset, this.#field, sizes))
    const count = rows.ids.length
    // Three uint32 columns; as many in a short batch, so that its rows lie where those of the others do.
    const columns = roundUp(12 * Math.max(count, this.#batchSize))
    return { rows, sizes, columns, stride, bytes: columns + count * stride, faults }
  }

  async decode(plan: PlacedPlan, target: SlotSpan): Promise<readonly DecodeFault[]> {
    const faults = await fetchRows(this.#dataset, this.#field, plan, target)
    if (faults.length > 0) this.#written.delete(target.slot)
    else this.#clear(plan, target)
    return faults
  }

  deliver({ sizes: rowSizes, columns, stride }: PlacedPlan, memory: BatchMemory, start: number): StoredBytes {
    const { buffer, offset } = memory.at(start)
    const count = rowSizes.length
    const sizes = new Uint32Array(buffer, offset, count)
    const heights = new Uint32Array(buffer, offset + 4 * count, count).fill(0)
    const widths = new Uint32Array(buffer, offset + 8 * count, count).fill(0)
    sizes.set(rowSizes)
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

  /** What an earlier, longer row left behind the end of a row becomes zeros. */
  #clear({ sizes, columns, stride }: PlacedPlan, target: SlotSpan): void {
    const { buffer, offset } = target.memory().at(target.offset)
    const before = this.#written.get(target.slot)
    const same = before?.offset === target.offset + columns && before.stride === stride ? before.sizes : undefined
    for (const [row, size] of sizes.entries()) {
      const dirty = same?.[row] ?? stride
      if (dirty > size) new Uint8Array(buffer, offset + columns + row * stride + size, dirty - size).fill(0)
    }
    let kept = sizes
    if (same !== undefined && same.length > sizes.length) {
      // Rows of a shorter batch: those behind them are as they were.
      kept = same.slice()
      kept.set(sizes)
    }
    this.#written.set(target.slot, { offset: target.offset + columns, stride, sizes: kept })
  }
}

/** Arrays of one shape, one behind the other. */
export class PlacedTensorDecoder implements Decoder<PlacedPlan> {
  readonly #dataset: Dataset
  readonly #field: string
  readonly #dtype: DType
  readonly #shape: readonly number[]
  /** Bytes of a sample. */
  readonly #stride: number
  readonly readsSamples = false
  readonly inPlace = true
  readonly decides = false

  constructor(dataset: Dataset, name: string, { dtype = 'uint8', shape = [] }: Field) {
    this.#dataset = dataset
    this.#field = name
    this.#dtype = dtype
    this.#shape = shape
    this.#stride = shape.reduce((product, size) => product * size, itemSize(dtype))
  }

  plan(rows: Rows): PlacedPlan {
    const { sizes, faults } = sizesOf(this.#dataset, this.#field, rows.ids)
    const wanted = `${this.#dtype}[${this.#shape}]`
    for (const [row, size] of sizes.entries())
      if (size !== this.#stride && !faults.some((fault) => fault.row === row))
        faults.push({ row, code: 'E_CORRUPT', reason: `${size} bytes are no ${wanted}, which takes ${this.#stride}` })
    return { rows, sizes, columns: 0, stride: this.#stride, bytes: sizes.length * this.#stride, faults }
  }

  decode(plan: PlacedPlan, target: SlotSpan): Promise<readonly DecodeFault[]> {
    return fetchRows(this.#dataset, this.#field, plan, target)
  }

  deliver({ sizes: { length: count } }: PlacedPlan, memory: BatchMemory, start: number): FieldBatch {
    const { buffer, offset } = memory.at(start)
    const elements = (count * this.#stride) / itemSize(this.#dtype)
    return { data: viewOf(this.#dtype, buffer, offset, elements), shape: [count, ...this.#shape], dtype: this.#dtype }
  }

  record(): undefined {}
}

/**
 * The largest sample of the dataset where this batch has one about as large, so that all batches have one layout. Else
 * the largest of this batch, rounded so that few layouts come: one huge object does not make every batch huge.
 */
function strideOf(sizes: Float64Array, largest: number): number {
  const most = sizes.reduce((a, b) => Math.max(a, b), 0)
  const step = Math.max(STRIDE_ALIGN, 2 ** Math.ceil(Math.log2(most + 1)) / 16)
  const own = Math.max(STRIDE_ALIGN, Math.ceil(most / step) * step)
  return most * 2 >= largest ? Math.max(STRIDE_ALIGN, roundUp(largest)) : own
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / STRIDE_ALIGN) * STRIDE_ALIGN
}
