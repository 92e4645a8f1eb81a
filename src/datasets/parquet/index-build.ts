import { show } from '../../checks.ts'
import type { DType } from '../../dtype.ts'
import { HeadraceError } from '../../errors.ts'
import { type Footer, readFooter } from '../../formats/parquet/footer.ts'
import type { Leaf } from '../../formats/parquet/schema.ts'
import { growingFloat64 } from '../shards/growing.ts'
import { type IndexContent, scanShards } from '../shards/shard-index.ts'
import type { Shards } from '../shards/shards.ts'
import { startsOf } from '../shards/starts.ts'

/** What a column's values are, in all files. */
export interface ColumnFacts {
  /** Its path, without what says that it is a list. */
  readonly name: string
  /** As the schema has it; what finds it in a footer. */
  readonly path: readonly string[]
  readonly dtype?: DType
  readonly text: boolean
  /** Bytes of a value; 0: they differ. */
  readonly valueBytes: number
  /** How many lists lie in each other. */
  readonly lists: number
  /** Values of every row, where all rows have as many. */
  readonly size?: number
}

export interface ParquetFacts {
  readonly columns: readonly ColumnFacts[]
}

interface ScannedFile {
  readonly rows: readonly number[]
  readonly columns: readonly ColumnFacts[]
}

/** Reads every file's footer once. */
export async function buildParquetIndex(shards: Shards, signal: AbortSignal | undefined): Promise<IndexContent> {
  const scanned = await scanShards(shards, signal, async (shard): Promise<ScannedFile> => {
    const footer = await readFooter(shards.source(shard, signal), (leaves) => leaves)
    return {
      rows: footer.groups.map(({ rows }) => rows),
      columns: footer.leaves.map((leaf, i) => factsOf(footer, leaf, i)),
    }
  })
  const [first, ...others] = scanned as [ScannedFile, ...ScannedFile[]]
  const columns = others.reduce(
    (common, { columns: these }, i) => commonColumns(common, these, shards.key(i + 1), shards.key(0)),
    first.columns,
  )
  const groups = growingFloat64()
  for (const { rows } of scanned) groups.add(rows)
  const facts: ParquetFacts = { columns: named(columns) }
  return {
    about: { ...facts },
    columns: {
      starts: startsOf([...groups.taken()]),
      fileGroups: startsOf(scanned.map(({ rows }) => rows.length)),
    },
  }
}

function factsOf({ groups }: Footer, leaf: Leaf, i: number): ColumnFacts {
  const size = leaf.maxRepetition === 0 ? 1 : valuesARow(groups, i)
  return {
    name: plainName(leaf.path),
    path: leaf.path,
    ...(leaf.dtype && { dtype: leaf.dtype }),
    text: leaf.text,
    valueBytes: leaf.valueBytes,
    lists: leaf.maxRepetition,
    ...(size !== undefined && { size }),
  }
}

/** Where a list has as many values in every row, as the numbers of rows and values say; what is read is checked. */
function valuesARow(groups: Footer['groups'], i: number): number | undefined {
  const sizes = new Set(
    groups.filter(({ rows }) => rows > 0).map(({ rows, chunks }) => (chunks[i]?.values ?? 0) / rows),
  )
  const [size] = sizes
  return sizes.size === 1 && size !== undefined && Number.isInteger(size) && size > 0 ? size : undefined
}

/** `image.list.element` is `image`: what a writer calls the inside of a list says nothing. */
function plainName(path: readonly string[]): string {
  const inside = /\.(?:list\.(?:element|item)|bag\.array_element|array)(?=\.|$)/g
  return path.join('.').replace(inside, '')
}

/** Two columns of one plain name are called by their paths. */
function named(columns: readonly ColumnFacts[]): readonly ColumnFacts[] {
  const count = new Map<string, number>()
  for (const { name } of columns) count.set(name, (count.get(name) ?? 0) + 1)
  return columns.map((column) => (count.get(column.name) === 1 ? column : { ...column, name: column.path.join('.') }))
}

/** The columns of all files must be of one type. E_CORRUPT says which is not. */
function commonColumns(
  common: readonly ColumnFacts[],
  these: readonly ColumnFacts[],
  file: string,
  first: string,
): readonly ColumnFacts[] {
  const byPath = new Map(these.map((column) => [column.path.join('\0'), column]))
  return common.map((column) => {
    const other = byPath.get(column.path.join('\0'))
    const refuse = (what: string) =>
      new HeadraceError('E_CORRUPT', `${file}: column ${show(column.name)} is ${what}, unlike in ${first}`, {
        path: file,
      })
    if (other === undefined) throw refuse('not there')
    const same = other.dtype === column.dtype && other.valueBytes === column.valueBytes && other.lists === column.lists
    if (!same) throw refuse(other.dtype ?? 'bytes')
    if (column.size === undefined || other.size === column.size) return column
    const { size: _, ...uneven } = column
    return uneven
  })
}
