import { HeadraceError } from '../errors.ts'
import { combinedFingerprint, lengthOf, type Place, type Route, RoutedDataset, specsOf } from './routed.ts'
import type { Chunks, Dataset, Schema } from './types.ts'

/** The first dataset's samples, then the second's, and so on. */
class Behind implements Route {
  readonly length: number
  readonly #starts: Float64Array

  constructor(lengths: readonly number[]) {
    this.#starts = new Float64Array(lengths.length + 1)
    lengths.forEach((length, i) => {
      this.#starts[i + 1] = (this.#starts[i] as number) + length
    })
    this.length = this.#starts.at(-1) as number
  }

  place(id: number, out: Place): void {
    out.part = lastAtMost(this.#starts, id, this.#starts.length - 1)
    out.id = id - (this.#starts[out.part] as number)
  }
}

/** The last of the ascending `starts[0 .. count - 1]` that is not above `value`. */
function lastAtMost(starts: Float64Array, value: number, count: number): number {
  let low = 0
  let high = count
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if ((starts[middle] as number) <= value) low = middle
    else high = middle
  }
  return low
}

function chunksOf(parts: readonly Dataset[]): Chunks | undefined {
  const starts: number[] = []
  let before = 0
  for (const { chunks, length = 0 } of parts) {
    if (chunks === undefined) return undefined
    for (let i = 0; i < chunks.count; i++) starts.push(before + chunks.start(i))
    before += length
  }
  return { count: starts.length, start: (chunk) => starts[chunk] ?? before }
}

/**
 * One dataset behind the other. They must have the same fields, and are closed with it. E_USAGE for none, for other
 * fields, and for a dataset of unknown length.
 */
export function concat<S extends Schema>(datasets: readonly Dataset<S>[]): Dataset<S> {
  if (!Array.isArray(datasets))
    throw new HeadraceError('E_USAGE', `concat needs an array of datasets, but got ${typeof datasets}`)
  const parts: readonly Dataset[] = [...datasets]
  const route = new Behind(parts.map((part) => lengthOf('concat', part)))
  const specs = specsOf(parts)
  return new RoutedDataset<S>({
    kind: 'concat',
    parts,
    route,
    fingerprint: combinedFingerprint('concat', parts, null),
    spec: specs && { kind: 'concat', datasets: specs },
    chunks: chunksOf(parts),
  })
}
