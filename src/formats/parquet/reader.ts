import { HeadraceError } from '../../errors.ts'
import { forget, keep, touch } from '../kept.ts'
import { checkSample, ofSample, roomOf } from '../layout.ts'
import type { ByteSource, FileLayout, RecordReader } from '../types.ts'
import { ChunkPages } from './chunk-pages.ts'
import type { ColumnData } from './column-data.ts'
import { adjacent, decodedBytes } from './fetch-plan.ts'
import { type ColumnChunk, type Footer, type RowGroup, readFooter } from './footer.ts'
import { PagedColumn, UnevenRows } from './paged-column.ts'
import { chooseLeaves, planRecord, type RecordPlan } from './record-columns.ts'
import type { Leaf } from './schema.ts'
import { spread } from './spread.ts'

/** Bytes of a decoded row group that are kept whole; of larger ones pages are. */
const KEPT = 32 * 1024 * 1024
/** Bytes of one that has to be kept whatever its size. */
const MAX_GROUP = 1024 * 1024 * 1024
/** Ranges of a row group that are read at once. */
const READS = 8

/** A row group at hand: its records one after the other, its columns, or a way to read them. */
type Rows =
  | { readonly kind: 'records'; readonly bytes: Uint8Array }
  | { readonly kind: 'columns'; readonly columns: readonly ColumnData[] }
  | { readonly kind: 'paged'; readonly columns: readonly PagedColumn[] }

export async function openRows(source: ByteSource, layout?: FileLayout): Promise<RecordReader> {
  const choose = chooseLeaves(source, layout)
  const footer = await readFooter(source, choose)
  const leaves = choose(footer.leaves)
  const reader = new RowReader(source, footer, leaves, planRecord(footer, leaves, layout))
  const { shape, dtype } = reader.plan
  return {
    samples: footer.rows,
    shape,
    dtype,
    read: (sample, into) => reader.read(sample, into),
    close: async () => reader.close(),
  }
}

/** Reads rows of a file, of which one row group at a time is kept. */
class RowReader {
  readonly plan: RecordPlan
  readonly #source: ByteSource
  readonly #footer: Footer
  readonly #leaves: readonly Leaf[]
  #at: { readonly group: RowGroup; readonly rows: Promise<Rows> } | undefined
  /** Rows of `#at` as soon as they are there. */
  #here: Rows | undefined

  constructor(source: ByteSource, footer: Footer, leaves: readonly Leaf[], plan: RecordPlan) {
    this.#source = source
    this.#footer = footer
    this.#leaves = leaves
    this.plan = plan
  }

  async read(sample: number, into: Uint8Array): Promise<number> {
    checkSample(sample, this.#footer.rows, this.#source.name)
    const at = this.#at
    // Most samples lie in the row group of the one before.
    if (
      at !== undefined &&
      this.#here?.kind === 'records' &&
      sample >= at.group.first &&
      sample < at.group.first + at.group.rows
    )
      return this.#copyRecord(this.#here.bytes, sample, sample - at.group.first, into)
    return ofSample(sample, this.#source.name, () => this.#readFrom(this.#groupOf(sample), sample, into))
  }

  close(): void {
    this.#at = undefined
    this.#here = undefined
    forget(this)
  }

  #groupOf(sample: number): number {
    const { groups } = this.#footer
    let low = 0
    let high = groups.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((groups[middle] as RowGroup).first <= sample) low = middle
      else high = middle - 1
    }
    return low
  }

  async #readFrom(index: number, sample: number, into: Uint8Array): Promise<number> {
    const group = this.#footer.groups[index] as RowGroup
    const row = sample - group.first
    const rows = await this.#rows(group, () => this.#load(group, index))
    if (rows.kind === 'records') return this.#copyRecord(rows.bytes, sample, row, into)
    if (rows.kind === 'columns') return this.#copyColumns(rows.columns, sample, row, into)
    try {
      return await this.#readPaged(rows.columns, sample, row, into)
    } catch (error) {
      if (!(error instanceof UnevenRows)) throw error
      this.close()
      const whole = await this.#rows(group, () => this.#loadWhole(group, index))
      return this.#copyColumns((whole as Rows & { kind: 'columns' }).columns, sample, row, into)
    }
  }

  async #rows(group: RowGroup, load: () => Promise<Rows>): Promise<Rows> {
    if (this.#at?.group !== group) {
      this.#here = undefined
      this.#at = { group, rows: load() }
    }
    const at = this.#at
    try {
      const rows = await at.rows
      if (this.#at === at && this.#here !== rows) {
        this.#here = rows
        if (rows.kind !== 'paged') keep(this, decodedBytes(group), () => this.close())
      } else touch(this)
      return rows
    } catch (error) {
      if (this.#at === at) this.close()
      throw error
    }
  }

  #copyRecord(records: Uint8Array, sample: number, row: number, into: Uint8Array): number {
    const { bytes } = this.plan
    roomOf(into, bytes, this.#source.name, sample).set(records.subarray(row * bytes, (row + 1) * bytes))
    return bytes
  }

  #copyColumns(columns: readonly ColumnData[], sample: number, row: number, into: Uint8Array): number {
    const parts = columns.map(({ bytes, rowBytes, rowStarts }) =>
      rowBytes === undefined
        ? bytes.subarray(rowStarts?.[row], rowStarts?.[row + 1])
        : bytes.subarray(row * rowBytes, (row + 1) * rowBytes),
    )
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    const target = roomOf(into, length, this.#source.name, sample)
    let end = 0
    for (const part of parts) {
      target.set(part, end)
      end += part.length
    }
    return length
  }

  async #readPaged(columns: readonly PagedColumn[], sample: number, row: number, into: Uint8Array): Promise<number> {
    const { bytes, sizes } = this.plan
    const target = roomOf(into, bytes, this.#source.name, sample)
    let end = 0
    const reads = columns.map((column, i) => {
      const start = end
      end += (sizes[i] as number) * (this.#leaves[i] as Leaf).valueBytes
      return column.read(row, target.subarray(start, end))
    })
    // All of them are over before the caller may use the memory again.
    const failed = (await Promise.allSettled(reads)).find((read) => read.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return bytes
  }

  async #load(group: RowGroup, index: number): Promise<Rows> {
    const { even, sizes } = this.plan
    if (!even || decodedBytes(group) <= KEPT) {
      const whole = await this.#loadWhole(group, index)
      return whole.kind === 'columns' && even ? this.#interleaved(whole.columns, group) : whole
    }
    const pages = await Promise.all(group.chunks.map((chunk) => ChunkPages.of(this.#source, chunk, index)))
    return { kind: 'paged', columns: pages.map((column, i) => new PagedColumn(this.#source, column, sizes[i] ?? 1)) }
  }

  async #loadWhole(group: RowGroup, index: number): Promise<Rows> {
    const bytes = decodedBytes(group)
    if (bytes > MAX_GROUP)
      throw new HeadraceError(
        'E_LIMIT',
        `${this.#source.name}: row group ${index} has ${bytes} bytes, at most ${MAX_GROUP} are kept`,
        {
          path: this.#source.name,
        },
      )
    const columns: ColumnData[] = new Array(group.chunks.length)
    const runs = adjacent(group.chunks)
    const next = runs.values()
    const work = async (): Promise<void> => {
      for (const run of next) {
        const start = run[0]?.chunk.start ?? 0
        const last = run.at(-1)?.chunk as ColumnChunk
        const stored = await this.#source.read(start, last.start + last.bytes - start)
        for (const { chunk, i } of run) {
          const pages = await ChunkPages.of(this.#source, chunk, index)
          columns[i] = pages.rows(stored.subarray(chunk.start - start, chunk.start - start + chunk.bytes), group.rows)
        }
      }
    }
    const workers = Array.from({ length: Math.min(READS, runs.length) }, work)
    const failed = (await Promise.allSettled(workers)).find((worker) => worker.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return { kind: 'columns', columns }
  }

  /** Columns of even rows as records, for most samples are asked for once and whole. */
  #interleaved(columns: readonly ColumnData[], group: RowGroup): Rows {
    const { bytes, sizes } = this.plan
    const widths = this.#leaves.map(({ valueBytes }, i) => (sizes[i] as number) * valueBytes)
    // Numbers of values that are right for even rows, and rows that are not.
    if (columns.some(({ rowBytes }, i) => rowBytes !== widths[i] && group.rows > 0)) return { kind: 'columns', columns }
    const [only] = columns
    if (columns.length === 1 && only !== undefined) return { kind: 'records', bytes: only.bytes }
    const records = new Uint8Array(group.rows * bytes)
    let at = 0
    for (const [i, column] of columns.entries()) {
      spread(column.bytes, widths[i] as number, records, bytes, at)
      at += widths[i] as number
    }
    return { kind: 'records', bytes: records }
  }
}
