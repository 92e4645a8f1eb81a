import type { Dataset, Locations } from '../datasets/types.ts'
import type { MappedBytes } from '../mapped.ts'
import type { Rows, SampleFault } from './types.ts'

/** The stored bytes of one field for the rows of a batch: in a mapped file, or read into memory. */
export interface StoredSource {
  readonly bytes: MappedBytes | Uint8Array
  readonly offsets: Float64Array
  readonly sizes: Float64Array
  /** Pixels; 0 where not known before the bytes are looked at. */
  readonly heights: Uint32Array
  readonly widths: Uint32Array
  readonly faults: readonly SampleFault[]
}

/** Where the rows' bytes are: asked of the dataset if it knows, else taken from the samples that were read. */
export function locate(dataset: Dataset, field: string, rows: Rows): StoredSource {
  const count = rows.ids.length
  const out: Locations = {
    offset: new Float64Array(count),
    size: new Float64Array(count),
    height: new Uint32Array(count),
    width: new Uint32Array(count),
  }
  const bytes = dataset.locate === undefined ? gatherBytes(rows, field, out) : dataset.locate(rows.ids, field, out)
  return { bytes, offsets: out.offset, sizes: out.size, heights: out.height, widths: out.width, faults: [] }
}

function gatherBytes(rows: Rows, field: string, out: Locations): Uint8Array {
  const pieces = rows.samples.map((sample) => sample?.[field] as Uint8Array | undefined)
  const total = pieces.reduce((sum, piece) => sum + (piece?.length ?? 0), 0)
  const memory = new Uint8Array(total)
  let at = 0
  pieces.forEach((piece, row) => {
    out.offset[row] = at
    out.size[row] = piece?.length ?? 0
    if (piece === undefined) return
    memory.set(piece, at)
    at += piece.length
  })
  return memory
}
