import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { ChunkPages } from '../../formats/parquet/chunk-pages.ts'
import type { ColumnData } from '../../formats/parquet/column-data.ts'
import { adjacent } from '../../formats/parquet/fetch-plan.ts'
import { type ColumnChunk, type Footer, readFooter } from '../../formats/parquet/footer.ts'
import type { Shards } from '../shards/shards.ts'
import type { ColumnField } from './fields.ts'

/** 1 GiB of one column of a row group: it is decoded as a whole. */
const MAX_COLUMN = 2 ** 30
/** Footers that are kept parsed. */
const FOOTERS = 64

/** A row group, and where it lies. */
export interface GroupPlace {
  /** Among those of all files. */
  readonly group: number
  readonly file: number
  /** Its number in the file. */
  readonly within: number
}

interface Kept {
  readonly data: Promise<ColumnData>
  /** As soon as it is there. */
  column: ColumnData | undefined
  /** Decoded; about as many, until that is done. */
  bytes: number
}

/** Columns of row groups, decoded; as many are kept as `maxBytes` hold, of the groups used last. */
export class GroupColumns {
  readonly #shards: Shards
  readonly #fields: readonly ColumnField[]
  readonly #maxBytes: number
  readonly #footers = new Map<number, Promise<Footer>>()
  /** Columns by their places among the fields; the group used last is the last one. */
  readonly #kept = new Map<number, (Kept | undefined)[]>()
  #last = -1
  #bytes = 0

  constructor(shards: Shards, fields: readonly ColumnField[], maxBytes: number) {
    this.#shards = shards
    this.#fields = fields
    this.#maxBytes = maxBytes
  }

  /** Bytes of decoded columns that are held. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Columns of a row group; `wanted`: places among the fields. Only their ranges are fetched. What one read began others
   * may wait for: it goes on when that one is cancelled.
   */
  read(
    place: GroupPlace,
    wanted: readonly number[],
    signal: AbortSignal | undefined,
  ): readonly ColumnData[] | Promise<readonly ColumnData[]> {
    throwIfAborted(signal, 'reading')
    const columns = this.#touched(place.group)
    const there: ColumnData[] = []
    for (const i of wanted) {
      const column = columns[i]?.column
      if (column === undefined) return this.#fetch(place, wanted)
      there.push(column)
    }
    return there
  }

  async #fetch(place: GroupPlace, wanted: readonly number[]): Promise<readonly ColumnData[]> {
    const { group, file } = place
    if (wanted.some((i) => this.#touched(group)[i] === undefined)) {
      const footer = await this.#footer(file)
      // Other reads may have begun some of them meanwhile, or made others go.
      const columns = this.#touched(group)
      this.#load(
        place,
        footer,
        columns,
        wanted.filter((i) => columns[i] === undefined),
      )
    }
    const columns = this.#touched(group)
    const settled = await Promise.allSettled(wanted.map((i) => (columns[i] as Kept).data))
    return settled.map((column) => {
      if (column.status === 'rejected') throw column.reason
      return column.value
    })
  }

  #touched(group: number): (Kept | undefined)[] {
    const columns = this.#kept.get(group) ?? []
    if (this.#last === group && columns.length > 0) return columns
    this.#last = group
    this.#kept.delete(group)
    this.#kept.set(group, columns)
    return columns
  }

  close(): void {
    this.#footers.clear()
    this.#kept.clear()
    this.#last = -1
    this.#bytes = 0
  }

  #footer(file: number): Promise<Footer> {
    let footer = this.#footers.get(file)
    footer ??= readFooter(this.#shards.source(file), (leaves) => {
      const byPath = new Map(leaves.map((leaf) => [leaf.path.join('\0'), leaf]))
      return this.#fields.map(({ name, facts }) => {
        const leaf = byPath.get(facts.path.join('\0'))
        if (leaf !== undefined) return leaf
        throw new HeadraceError('E_STATE', `${this.#shards.key(file)} has no column ${name} any more`)
      })
    })
    this.#footers.delete(file)
    this.#footers.set(file, footer)
    footer.catch(() => this.#footers.delete(file))
    const [oldest] = this.#footers.keys()
    if (this.#footers.size > FOOTERS && oldest !== undefined) this.#footers.delete(oldest)
    return footer
  }

  #load(
    { group, file, within }: GroupPlace,
    footer: Footer,
    columns: (Kept | undefined)[],
    missing: readonly number[],
  ): void {
    const rowGroup = footer.groups[within]
    const source = this.#shards.source(file)
    if (rowGroup === undefined)
      throw new HeadraceError('E_STATE', `${source.name} has ${footer.groups.length} row groups, but had more`)
    const chunks = missing.map((i) => rowGroup.chunks[i] as ColumnChunk)
    for (const run of adjacent(chunks)) {
      const start = run[0]?.chunk.start ?? 0
      const last = run.at(-1)?.chunk as ColumnChunk
      let stored: Promise<Uint8Array> | undefined
      for (const { chunk, i } of run) {
        const data = this.#decoded(source.name, within, chunk, async () => {
          stored ??= source.read(start, last.start + last.bytes - start)
          const pages = await ChunkPages.of(source, chunk, within)
          const bytes = await stored
          return pages.rows(bytes.subarray(chunk.start - start, chunk.start - start + chunk.bytes), rowGroup.rows)
        })
        this.#keep(group, columns, missing[i] as number, data, plainBytesOf(chunk))
      }
    }
  }

  async #decoded(
    file: string,
    group: number,
    chunk: ColumnChunk,
    read: () => Promise<ColumnData>,
  ): Promise<ColumnData> {
    const bytes = plainBytesOf(chunk)
    if (bytes > MAX_COLUMN)
      throw new HeadraceError(
        'E_LIMIT',
        `${file}: column ${chunk.leaf.path.join('.')} of row group ${group} has ${bytes} bytes, at most ${MAX_COLUMN} are decoded`,
        { path: file, hint: 'write smaller row groups' },
      )
    return read()
  }

  #keep(group: number, columns: (Kept | undefined)[], i: number, data: Promise<ColumnData>, bytes: number): void {
    const kept: Kept = { data, column: undefined, bytes }
    columns[i] = kept
    this.#bytes += bytes
    const isKept = () => this.#kept.get(group)?.[i] === kept
    data.then(
      (column) => {
        if (!isKept()) return
        const memory = column.bytes.buffer.byteLength + (column.rowStarts?.byteLength ?? 0)
        kept.bytes = memory + (column.nulls?.byteLength ?? 0)
        kept.column = column
        this.#bytes += kept.bytes - bytes
        this.#evict()
      },
      () => {
        if (!isKept()) return
        columns[i] = undefined
        this.#bytes -= bytes
      },
    )
  }

  /** The groups least recently used first; what is being decoded stays. */
  #evict(): void {
    for (const [group, columns] of this.#kept) {
      for (const [i, kept] of columns.entries()) {
        if (this.#bytes <= this.#maxBytes) return
        if (kept?.column === undefined) continue
        columns[i] = undefined
        this.#bytes -= kept.bytes
      }
      if (columns.every((kept) => kept === undefined)) {
        this.#kept.delete(group)
        if (this.#last === group) this.#last = -1
      }
    }
  }
}

function plainBytesOf({ leaf, values, plainBytes }: ColumnChunk): number {
  return leaf.valueBytes > 0 ? values * leaf.valueBytes : plainBytes
}
