import { show } from '../checks.ts'
import type { Dataset, Locations } from '../datasets/types.ts'
import { HeadraceError } from '../errors.ts'
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
  /** Rows whose place is none. */
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
  const faults = dataset.locate === undefined ? [] : misplaced(out)
  return { bytes, offsets: out.offset, sizes: out.size, heights: out.height, widths: out.width, faults }
}

/** Rows that `locate` gave no place; it becomes 0 bytes, so that nothing is counted with it. */
function misplaced({ offset, size }: Locations): SampleFault[] {
  const faults: SampleFault[] = []
  for (const [row, from] of offset.entries()) {
    const bytes = size[row] as number
    if (isCount(from) && isCount(bytes)) continue
    faults.push({ row, code: 'E_CORRUPT', reason: `${from} and ${bytes} are no place and size of bytes` })
    offset[row] = 0
    size[row] = 0
  }
  return faults
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** The largest stored size that the dataset has, if it says so; else of these rows. E_USAGE where it is no size. */
export function largestOf(dataset: Dataset, field: string, sizes: Float64Array): number {
  const said = dataset.maxSize?.(field)
  if (said === undefined) return sizes.reduce((a, b) => Math.max(a, b), 0)
  if (isCount(said)) return said
  throw new HeadraceError('E_USAGE', `maxSize(${show(field)}) must be an integer of 0 or more, but got ${show(said)}`)
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
