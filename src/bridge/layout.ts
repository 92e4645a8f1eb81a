import { type DType, itemSize, type Tensor, type TypedArray } from '../dtype.ts'
import { type Batch, type FieldBatch, type RaggedImages, RESERVED_FIELDS, type StoredBytes } from '../loader/index.ts'
import type { Slab } from './slab.ts'

/** An array in the memory of a batch, whose first byte is at `offset` of it. */
interface ArrayLayout {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly offset: number
}

type FieldLayout =
  | ({ readonly kind: 'tensor' } & ArrayLayout)
  | {
      readonly kind: 'stored'
      readonly data: ArrayLayout
      readonly sizes: ArrayLayout
      readonly heights: ArrayLayout
      readonly widths: ArrayLayout
    }
  | {
      readonly kind: 'ragged'
      readonly layout: RaggedImages['layout']
      readonly data: ArrayLayout
      readonly offsets: ArrayLayout
      readonly heights: ArrayLayout
      readonly widths: ArrayLayout
    }
  | { readonly kind: 'views'; readonly views: Readonly<Record<string, FieldLayout>> }
  | { readonly kind: 'string' }

/** How the fields of a batch lie in its memory: the same for most batches of a loader. */
interface BatchLayout {
  readonly index: ArrayLayout
  readonly fields: Readonly<Record<string, FieldLayout>>
}

/** Where a batch lies, and what of it lies nowhere. */
export interface PlacedBatch {
  readonly layout: BatchLayout
  /** Of its memory in the slab, bytes. */
  readonly begin: number
  readonly end: number
  /** undefined: it has no such fields. */
  readonly strings: Readonly<Record<string, readonly string[]>> | undefined
}

/** Finds where the parts of a batch lie. */
class Placing {
  readonly #slab: Slab
  readonly #arrays: { offset: number }[] = []
  #begin = Number.POSITIVE_INFINITY
  #end = 0

  constructor(slab: Slab) {
    this.#slab = slab
  }

  /** Makes places in the slab places in the batch's memory. */
  finish(): { readonly begin: number; readonly end: number } {
    if (this.#arrays.length === 0) return { begin: 0, end: 0 }
    for (const array of this.#arrays) array.offset -= this.#begin
    return { begin: this.#begin, end: this.#end }
  }

  tensor({ data, dtype, shape }: Tensor): ArrayLayout {
    return this.#array(data, dtype, shape)
  }

  field(value: Exclude<FieldBatch, string[]>): FieldLayout {
    if ('sizes' in value && ArrayBuffer.isView(value.sizes)) return this.#stored(value as StoredBytes)
    if ('offsets' in value && ArrayBuffer.isView(value.offsets)) return this.#ragged(value as RaggedImages)
    if ('data' in value && ArrayBuffer.isView(value.data))
      return Object.assign(this.tensor(value as Tensor), { kind: 'tensor' as const })
    const views = Object.entries(value as Readonly<Record<string, Tensor | RaggedImages>>)
    return { kind: 'views', views: Object.fromEntries(views.map(([name, view]) => [name, this.field(view)])) }
  }

  #stored({ data, shape, sizes, heights, widths }: StoredBytes): FieldLayout {
    return {
      kind: 'stored',
      data: this.#array(data, 'uint8', shape),
      sizes: this.#list(sizes),
      heights: this.#list(heights),
      widths: this.#list(widths),
    }
  }

  #ragged({ data, dtype, layout, offsets, heights, widths }: RaggedImages): FieldLayout {
    return {
      kind: 'ragged',
      layout,
      data: this.#array(data, dtype, [data.length]),
      offsets: this.#list(offsets),
      heights: this.#list(heights),
      widths: this.#list(widths),
    }
  }

  #list(data: Uint32Array): ArrayLayout {
    return this.#array(data, 'uint32', [data.length])
  }

  #array(data: TypedArray, dtype: DType, shape: readonly number[]): ArrayLayout {
    if (data.length === 0) return { dtype, shape, offset: 0 }
    const offset = this.#slab.offset(data)
    this.#begin = Math.min(this.#begin, offset)
    this.#end = Math.max(this.#end, offset + data.length * itemSize(dtype))
    const array = { dtype, shape, offset }
    this.#arrays.push(array)
    return array
  }
}

export function placeBatch(batch: Batch, slab: Slab): PlacedBatch {
  const placing = new Placing(slab)
  const index = placing.tensor(batch.meta.index)
  const fields: Record<string, FieldLayout> = {}
  let strings: Record<string, readonly string[]> | undefined
  for (const name of Object.keys(batch)) {
    if (RESERVED_FIELDS.includes(name)) continue
    const value = batch[name] as FieldBatch
    if (Array.isArray(value)) {
      fields[name] = { kind: 'string' }
      strings ??= {}
      strings[name] = value
    } else fields[name] = placing.field(value)
  }
  return { layout: { index, fields }, strings, ...placing.finish() }
}

/** Numbers of layouts that the other side knows. */
export class LayoutTable {
  /** Layouts of ragged batches are all different: older ones make room. */
  static readonly #SIZE = 64
  readonly #numbers = new Map<string, number>()
  readonly #texts: string[] = []
  #next = 0

  /** `isNew`: the other side must be told that this number now means this layout. */
  number(text: string): { readonly number: number; readonly isNew: boolean } {
    const known = this.#numbers.get(text)
    if (known !== undefined) return { number: known, isNew: false }
    const number = this.#next
    this.#next = (number + 1) % LayoutTable.#SIZE
    const before = this.#texts[number]
    if (before !== undefined) this.#numbers.delete(before)
    this.#texts[number] = text
    this.#numbers.set(text, number)
    return { number, isNew: true }
  }
}
