import { show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { Pieces } from '../pieces.ts'
import { withSpool } from '../spool.ts'
import type { ByteSink, Content, FileLayout } from '../types.ts'
import { arrowSchema } from './arrow-schema.ts'
import { codecOf } from './codec.ts'
import { ColumnValues } from './column-values.ts'
import { ColumnWriter } from './column-writer.ts'
import { type ColumnPlan, columnsBytes, planColumns } from './columns.ts'
import { Dictionaries } from './dictionary.ts'
import { putSchema } from './schema-writer.ts'
import { ThriftWriter } from './thrift-writer.ts'

const MAGIC = Buffer.from('PAR1')
/** Rows a row group where nothing is said: DLIO's. */
const ROW_GROUP = 1024
const MAX_ROW_GROUP = 64 * 1024 * 1024
/** As long as Arrow's, so that files are as long as Arrow's. */
const CREATED_BY = "headrace (laid out like Arrow's)"

interface Description {
  readonly columns: readonly ColumnPlan[]
  readonly rowGroup: number
  /** No row group reaches over a multiple of this. */
  readonly atOnce: number
}

/** E_CONFIG for what Parquet cannot hold. */
export function describe(layout: FileLayout): Description {
  const { rowGroupSize = ROW_GROUP, rowsAtOnce = Number.MAX_SAFE_INTEGER } = layout.options
  if (!Number.isSafeInteger(rowGroupSize) || rowGroupSize < 1 || rowGroupSize > MAX_ROW_GROUP)
    throw new HeadraceError(
      'E_CONFIG',
      `rows a row group must be from 1 to ${MAX_ROW_GROUP}, but got ${show(rowGroupSize)}`,
    )
  if (!Number.isSafeInteger(rowsAtOnce) || rowsAtOnce < 1)
    throw new HeadraceError('E_CONFIG', `rows at once must be a positive integer, but got ${show(rowsAtOnce)}`)
  codecOf(layout.options)
  const columns = planColumns(layout)
  if (!Number.isSafeInteger(columnsBytes(columns) * layout.samples))
    throw new HeadraceError('E_CONFIG', `${layout.samples} rows of ${columnsBytes(columns)} bytes`)
  return { columns, rowGroup: rowGroupSize, atOnce: rowsAtOnce }
}

/**
 * Writes one Parquet file row group by row group, laid out as Arrow's writer lays it out, so that it is as long: of
 * DLIO's columns, each row a record's bytes cut in their order.
 */
export async function writeParquet(sink: ByteSink, layout: FileLayout, content: Content): Promise<void> {
  const { columns, rowGroup, atOnce } = describe(layout)
  const out = new Pieces(sink)
  const tools = { codec: codecOf(layout.options), out, dictionaries: new Dictionaries() }
  const values = new ColumnValues(columns, content)
  const groups: Uint8Array[] = []
  await out.put(MAGIC)
  for (let first = 0, rows = 0; first < layout.samples; first += rows) {
    rows = Math.min(rowGroup, atOnce - (first % atOnce), layout.samples - first)
    const described: Uint8Array[] = []
    let start = 0
    let plainBytes = 0
    let storedBytes = 0
    for (const { column, blocks } of values.of(first, rows)) {
      const written = await withSpool(spoolBytes(column, rows), async (spool) => {
        const writer = new ColumnWriter(column, rows, tools, spool)
        for (const { bytes, count } of blocks) await writer.add(bytes, count)
        return writer.end()
      })
      if (described.length === 0) start = written.start
      described.push(written.description)
      plainBytes += written.plainBytes
      storedBytes += written.storedBytes
    }
    const group = new ThriftWriter().encodedStructs(1, described.length, described)
    group.i64(2, plainBytes).i64(3, rows).i64(5, start).i64(6, storedBytes)
    groups.push(group.stop().take())
  }
  await putFooter(out, columns, layout.samples, groups)
  await out.end()
}

/** Bytes of pages that wait for their dictionary, at most: numbers in one, 20 bits each, and levels. */
function spoolBytes({ size, valueBytes }: ColumnPlan, rows: number): number {
  const numberBytes = valueBytes === 1 ? 1.2 : valueBytes === 2 ? 2.2 : 2.7
  return Math.ceil(rows * size * numberBytes) + rows
}

async function putFooter(
  out: Pieces,
  columns: readonly ColumnPlan[],
  rows: number,
  groups: readonly Uint8Array[],
): Promise<void> {
  const start = new ThriftWriter().i32(1, 2)
  putSchema(start, 2, columns)
  start.i64(3, rows)
  const end = start.encodedStructs(4, groups.length, groups)
  end.structs(5, [arrowSchema(columns)], (schema, to) => to.binary(1, 'ARROW:schema').binary(2, schema))
  end.binary(6, CREATED_BY)
  end.structs(7, columns, (_, to) => to.struct(1, () => {}))
  const footer = end.stop().take()
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  await out.put(footer)
  await out.put(length)
  await out.put(MAGIC)
}
