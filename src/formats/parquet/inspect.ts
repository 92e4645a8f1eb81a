import type { ByteSource, InspectedPart, Inspection } from '../types.ts'
import { codecName } from './decompress.ts'
import { readFooter } from './footer.ts'
import { openRows } from './reader.ts'
import type { Leaf } from './schema.ts'

/** Columns of row groups that an inspection names. */
const SHOWN = 256

/** What lies in a Parquet file: the columns of its row groups, one by one. */
export async function inspectParquet(source: ByteSource): Promise<Inspection> {
  const { rows, groups, leaves } = await readFooter(source, (all: readonly Leaf[]) => all)
  const parts: InspectedPart[] = []
  let codec: string | undefined
  for (const [g, group] of groups.entries())
    for (const chunk of group.chunks) {
      const name = codecName(chunk.codec)
      if (name !== 'none') codec ??= name
      if (parts.length === SHOWN) break
      parts.push({
        name: `row group ${g}: ${chunk.leaf.path.join('.')}`,
        type: chunk.leaf.dtype ?? 'bytes',
        shape: [chunk.values],
        offset: chunk.start,
        storedBytes: chunk.bytes,
        bytes: chunk.plainBytes,
        ...(name !== 'none' && { codec: name }),
      })
    }
  const { shape, dtype } = await openRows(source)
  return {
    format: 'parquet',
    ...(codec !== undefined && { codec }),
    records: rows,
    shape,
    dtype,
    parts,
    partCount: groups.length * leaves.length,
  }
}
