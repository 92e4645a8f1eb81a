import { createHash } from 'node:crypto'
import { knownOptions, nonNegativeInteger, positiveInteger, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { combinedFingerprint, lengthOf, type Route, RoutedDataset, specsOf } from './routed.ts'
import type { Chunks, Dataset, Schema } from './types.ts'

export interface SubsetOptions {
  /** Which samples, in this order; one may come several times. Instead of the others. */
  readonly ids?: Iterable<number>
  /** The first sample; 0. */
  readonly start?: number
  /** Where it ends, not included; the dataset's length, which larger numbers mean too. */
  readonly end?: number
  /** Every so many samples one; 1. */
  readonly step?: number
}

function checkedIds(ids: unknown, length: number): Float64Array {
  if (typeof ids !== 'object' || ids === null || !(Symbol.iterator in ids))
    throw new HeadraceError('E_USAGE', `ids must be an iterable of sample ids, but got ${show(ids)}`)
  const checked = Float64Array.from(ids as Iterable<number>)
  for (const id of checked)
    if (!Number.isInteger(id) || id < 0 || id >= length)
      throw new HeadraceError('E_USAGE', `ids must be integers from 0 to ${length - 1}, but got ${show(id)}`)
  return checked
}

/** A stream that has to be read from its start for every step back is none to be read that way. */
function refuseBackwards(dataset: Dataset, ids: Float64Array): void {
  if (dataset.randomAccess !== false) return
  for (let i = 1; i < ids.length; i++)
    if ((ids[i] as number) < (ids[i - 1] as number))
      throw new HeadraceError(
        'E_UNSUPPORTED',
        `ids must ascend, for the dataset is read in order: ${ids[i]} came after ${ids[i - 1]}`,
      )
}

/** Chunks of a run of samples: the first and the last may be cut. */
function chunksWithin({ chunks }: Dataset, start: number, end: number): Chunks | undefined {
  if (chunks === undefined || start >= end) return undefined
  const starts = [0]
  for (let i = 0; i < chunks.count; i++) {
    const at = chunks.start(i)
    if (at > start && at < end) starts.push(at - start)
  }
  return { count: starts.length, start: (chunk) => starts[chunk] ?? end - start }
}

/**
 * Some samples of a dataset: a range of them, every so many, or those of `ids`. The dataset is closed with it. E_USAGE
 * for ids that it does not have.
 */
export function subset<S extends Schema>(dataset: Dataset<S>, options: SubsetOptions): Dataset<S> {
  knownOptions('subset', options, ['ids', 'start', 'end', 'step'])
  const length = lengthOf('subset', dataset)
  const [spec] = specsOf([dataset]) ?? []
  if (options.ids !== undefined) {
    if (options.start !== undefined || options.end !== undefined || options.step !== undefined)
      throw new HeadraceError('E_USAGE', 'subset takes either ids or start, end and step')
    const ids = checkedIds(options.ids, length)
    refuseBackwards(dataset, ids)
    const route: Route = {
      length: ids.length,
      place: (id, out) => {
        out.part = 0
        out.id = ids[id] as number
      },
    }
    const digest = createHash('sha256').update(new Uint8Array(ids.buffer)).digest('hex')
    return new RoutedDataset<S>({
      kind: 'subset',
      parts: [dataset],
      route,
      fingerprint: combinedFingerprint('subset', [dataset], digest),
      spec: spec && { kind: 'subset', dataset: spec, ids: [...ids] },
    })
  }
  const start = Math.min(length, nonNegativeInteger('start', options.start ?? 0))
  const end = Math.max(start, Math.min(length, nonNegativeInteger('end', options.end ?? length)))
  const step = positiveInteger('step', options.step ?? 1)
  const route: Route = {
    length: Math.ceil((end - start) / step),
    place: (id, out) => {
      out.part = 0
      out.id = start + id * step
    },
  }
  return new RoutedDataset<S>({
    kind: 'subset',
    parts: [dataset],
    route,
    fingerprint: combinedFingerprint('subset', [dataset], [start, end, step]),
    spec: spec && { kind: 'subset', dataset: spec, start, end, step },
    chunks: step === 1 ? chunksWithin(dataset, start, end) : undefined,
  })
}
