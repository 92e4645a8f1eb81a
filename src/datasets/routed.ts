import { createHash } from 'node:crypto'
import { show } from '../checks.ts'
import type { TypedArray } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import { nameOf } from './name-of.ts'
import type { DatasetSpec } from './spec.ts'
import type { Chunks, Dataset, Locations, ReadOptions, Sample, Schema } from './types.ts'

/** A sample of one of several datasets. */
export interface Place {
  part: number
  id: number
}

/** Which sample of which dataset an id means: arithmetic, no I/O. */
export interface Route {
  readonly length: number
  /** For an id of 0 .. length - 1. */
  place(id: number, out: Place): void
}

export interface Routing {
  readonly kind: string
  readonly parts: readonly Dataset[]
  readonly route: Route
  readonly fingerprint: string
  readonly spec: DatasetSpec | undefined
  readonly chunks?: Chunks | undefined
  /** Lets the parts go; otherwise all of them are closed. */
  readonly close?: () => Promise<void>
}

/** Rows of a batch that are of one part. */
interface Share {
  readonly rows: readonly number[]
  readonly ids: Float64Array
}

/** Every sample is one of another dataset. What all of those can do, it can do too. */
export class RoutedDataset<S extends Schema = Schema> implements Dataset<S> {
  readonly length: number
  readonly schema: S
  readonly fingerprint: string
  readonly spec?: DatasetSpec
  readonly chunks?: Chunks
  readonly randomAccess?: boolean
  readonly gather?: (ids: Float64Array, field: string, out: TypedArray) => void
  readonly locate?: NonNullable<Dataset['locate']>
  readonly maxSize?: (field: string) => number
  readonly sizes?: (ids: Float64Array, field: string, out: Float64Array) => void
  readonly readInto?: (id: number, field: string, into: Uint8Array, options?: ReadOptions) => Promise<void>
  readonly #parts: readonly Dataset[]
  readonly #route: Route
  readonly #close: () => Promise<void>
  readonly #place: Place = { part: 0, id: 0 }

  constructor({ kind, parts, route, fingerprint, spec, chunks, close }: Routing) {
    const [first] = parts
    if (first === undefined) throw new HeadraceError('E_USAGE', `${kind} needs at least one dataset, but got none`)
    this.length = route.length
    this.schema = commonSchema(kind, parts) as S
    this.fingerprint = fingerprint
    this.#parts = parts
    this.#route = route
    this.#close = close ?? (async () => void (await Promise.all(parts.map((part) => part.close()))))
    if (spec !== undefined) this.spec = spec
    if (chunks !== undefined) this.chunks = chunks
    if (parts.some((part) => part.randomAccess === false)) this.randomAccess = false
    if (parts.every((part) => part.gather !== undefined)) this.gather = (...call) => this.#gather(...call)
    // Several parts lie in several files, and the bytes of a batch in one.
    if (parts.length === 1 && first.locate !== undefined) this.locate = (...call) => this.#locate(first, ...call)
    if (parts.every((part) => part.maxSize !== undefined))
      this.maxSize = (field) => parts.reduce((most, part) => Math.max(most, part.maxSize?.(field) ?? 0), 0)
    if (parts.every((part) => part.sizes !== undefined && part.readInto !== undefined)) {
      this.sizes = (...call) => this.#sizes(...call)
      this.readInto = (id, ...call) => this.#readInto(id, ...call)
    }
  }

  describe(id: number): string {
    if (!Number.isSafeInteger(id) || id < 0 || id >= this.length) return `sample ${id}`
    const { part, id: inner } = this.#at(id)
    return nameOf(this.#parts[part] as Dataset, inner)
  }

  read(id: number, options?: ReadOptions): Promise<Sample> {
    const { part, id: inner } = this.#at(id)
    return (this.#parts[part] as Dataset).read(inner, options)
  }

  close(): Promise<void> {
    return this.#close()
  }

  #at(id: number): Place {
    if (!Number.isSafeInteger(id) || id < 0 || id >= this.length)
      throw new HeadraceError(
        'E_USAGE',
        `sample id must be an integer from 0 to ${this.length - 1}, but got ${show(id)}`,
      )
    this.#route.place(id, this.#place)
    return this.#place
  }

  #readInto(id: number, field: string, into: Uint8Array, options?: ReadOptions): Promise<void> {
    const { part, id: inner } = this.#at(id)
    const { readInto } = this.#parts[part] as Dataset
    return readInto?.call(this.#parts[part], inner, field, into, options) as Promise<void>
  }

  #shares(ids: Float64Array): ReadonlyMap<Dataset, Share> {
    const rows = new Map<number, { rows: number[]; ids: number[] }>()
    ids.forEach((id, row) => {
      const { part, id: inner } = this.#at(id)
      const share = rows.get(part) ?? { rows: [], ids: [] }
      if (share.rows.length === 0) rows.set(part, share)
      share.rows.push(row)
      share.ids.push(inner)
    })
    return new Map(
      [...rows].map(([part, share]) => [
        this.#parts[part] as Dataset,
        { rows: share.rows, ids: Float64Array.from(share.ids) },
      ]),
    )
  }

  #sizes(ids: Float64Array, field: string, out: Float64Array): void {
    for (const [part, share] of this.#shares(ids)) {
      const sizes = new Float64Array(share.ids.length)
      part.sizes?.(share.ids, field, sizes)
      share.rows.forEach((row, i) => {
        out[row] = sizes[i] as number
      })
    }
  }

  #gather(ids: Float64Array, field: string, out: TypedArray): void {
    for (const [part, share] of this.#shares(ids)) {
      const values = out.slice(0, share.ids.length)
      part.gather?.(share.ids, field, values)
      share.rows.forEach((row, i) => {
        out[row] = values[i] as never
      })
    }
  }

  #locate(part: Dataset, ids: Float64Array, field: string, out: Locations): ReturnType<NonNullable<Dataset['locate']>> {
    const inner = ids.map((id) => this.#at(id).id)
    return part.locate?.(inner, field, out) as ReturnType<NonNullable<Dataset['locate']>>
  }
}

/** E_USAGE where parts do not have the same fields of the same types. */
function commonSchema(kind: string, parts: readonly Dataset[]): Schema {
  const [first, ...others] = parts
  const schema = first?.schema ?? {}
  const text = (each: Schema) => JSON.stringify(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
  others.forEach((other, i) => {
    if (text(other.schema) !== text(schema))
      throw new HeadraceError(
        'E_USAGE',
        `${kind} needs datasets with the same fields, but dataset ${i + 1} has ${fieldsText(other.schema)} and dataset 0 ${fieldsText(schema)}`,
      )
  })
  return schema
}

function fieldsText(schema: Schema): string {
  return Object.entries(schema)
    .map(
      ([name, { kind, dtype, shape }]) => `${name} (${kind}${dtype ? ` ${dtype}` : ''}${shape ? ` [${shape}]` : ''})`,
    )
    .join(', ')
}

/** Samples of a dataset. E_USAGE for one that does not know how many it has. */
export function lengthOf(kind: string, dataset: Dataset): number {
  if (dataset.length !== undefined) return dataset.length
  throw new HeadraceError('E_USAGE', `${kind} needs a dataset of known length, and this one does not tell it`)
}

/** Of what is made of others: it changes when one of them does, or how they are put together. */
export function combinedFingerprint(kind: string, parts: readonly Dataset[], how: unknown): string {
  const text = JSON.stringify([kind, parts.map((part) => part.fingerprint), how])
  return createHash('sha256').update(text).digest('hex')
}

/** The specs of all; undefined where one has none. */
export function specsOf(parts: readonly Dataset[]): readonly DatasetSpec[] | undefined {
  const specs = parts.flatMap(({ spec }) => (spec === undefined ? [] : [spec]))
  return specs.length === parts.length ? specs : undefined
}

/** floor(a * b / c), exact for integers of up to 2^53. */
export function scaled(a: number, b: number, c: number): number {
  const product = a * b
  return product <= Number.MAX_SAFE_INTEGER ? Math.floor(product / c) : Number((BigInt(a) * BigInt(b)) / BigInt(c))
}
