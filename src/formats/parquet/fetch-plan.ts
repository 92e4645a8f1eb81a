import type { ColumnChunk, RowGroup } from './footer.ts'

/** Bytes of columns side by side that are read at once. */
const MOST = 32 * 1024 * 1024

/** Of the columns of a row group that were chosen. */
export function decodedBytes({ chunks }: RowGroup): number {
  return chunks.reduce(
    (sum, { leaf, values, plainBytes }) => sum + (leaf.valueBytes > 0 ? values * leaf.valueBytes : plainBytes),
    0,
  )
}

export interface Placed {
  readonly chunk: ColumnChunk
  readonly i: number
}

/** Chunks that lie one behind the other in the file are read together, up to a bound of bytes. */
export function adjacent(chunks: readonly ColumnChunk[]): readonly (readonly Placed[])[] {
  const sorted = chunks.map((chunk, i) => ({ chunk, i })).sort((a, b) => a.chunk.start - b.chunk.start)
  const runs: Placed[][] = []
  for (const placed of sorted) {
    const run = runs.at(-1)
    const last = run?.at(-1)?.chunk
    const first = run?.[0]?.chunk
    const follows = last !== undefined && first !== undefined && last.start + last.bytes === placed.chunk.start
    if (run !== undefined && follows && placed.chunk.start + placed.chunk.bytes - first.start <= MOST) run.push(placed)
    else runs.push([placed])
  }
  return runs
}
