import { knownOptions, nonNegativeInteger, oneOf, show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import { Permutation } from '../sampling/permutation.ts'
import { viewKey } from '../sampling/random.ts'
import { combinedFingerprint, lengthOf, type Route, RoutedDataset, specsOf } from './routed.ts'
import { subset } from './subset.ts'
import type { Dataset, Schema } from './types.ts'

export interface SplitOptions {
  /** Of the choice; 0. */
  readonly seed?: number
  /** 'random': which samples a part has follows from the seed. 'contiguous': the first ones, then the next. 'random'. */
  readonly order?: 'random' | 'contiguous'
}

/** Drawn apart from the order of an epoch. */
const SPLIT_STREAM = viewKey('split\0')
/** Shares written in decimals need not add up to 1 exactly. */
const TOLERANCE = 1e-9

/** Where each part begins and ends among the samples. E_USAGE for shares that make no sense. */
function cuts(
  shares: Readonly<Record<string, number>>,
  length: number,
): ReadonlyMap<string, readonly [number, number]> {
  const names = Object.keys(typeof shares === 'object' && shares !== null ? shares : {})
  if (names.length === 0)
    throw new HeadraceError('E_USAGE', `split needs shares such as { train: 0.9, test: 0.1 }, but got ${show(shares)}`)
  const found = new Map<string, readonly [number, number]>()
  let sum = 0
  let from = 0
  for (const name of names) {
    const share = shares[name]
    if (typeof share !== 'number' || !(share > 0) || !(sum + share <= 1 + TOLERANCE))
      throw new HeadraceError('E_USAGE', `shares must be above 0 and at most 1 together, but ${name} is ${show(share)}`)
    sum += share
    const to = sum >= 1 - TOLERANCE ? length : Math.round(sum * length)
    found.set(name, [from, to])
    from = to
  }
  return found
}

/** Closes a dataset when all who share it are closed. */
function sharedClose(dataset: Dataset, owners: number): () => () => Promise<void> {
  let left = owners
  return () => {
    let closed = false
    return async () => {
      if (closed) return
      closed = true
      if (--left === 0) await dataset.close()
    }
  }
}

/**
 * Cuts a dataset into parts that share no sample, by shares of its length: `split(photos, { train: 0.9, test: 0.1 })`.
 * The same dataset, shares and seed give the same parts. It is closed when all parts are. E_USAGE for shares that are
 * not above 0 or more than 1 together; E_UNSUPPORTED where a dataset that is read in order would be split at random.
 */
export function split<S extends Schema, N extends string>(
  dataset: Dataset<S>,
  shares: Readonly<Record<N, number>>,
  options: SplitOptions = {},
): { readonly [name in N]: Dataset<S> } {
  knownOptions('split', options, ['seed', 'order'])
  const seed = nonNegativeInteger('seed', options.seed ?? 0)
  const order = oneOf('order', options.order ?? 'random', ['random', 'contiguous'])
  const length = lengthOf('split', dataset)
  if (order === 'random' && dataset.randomAccess === false)
    throw new HeadraceError('E_UNSUPPORTED', 'a dataset that is read in order cannot be split at random', {
      hint: "order: 'contiguous' takes the first samples for one part and the next for another",
    })
  const [spec] = specsOf([dataset]) ?? []
  const parts = cuts(shares, length)
  const closing = sharedClose(dataset, parts.size)
  const permutation = order === 'random' ? new Permutation(length, seed, 0, SPLIT_STREAM) : undefined
  const made = [...parts].map(([name, [from, to]]) => {
    const close = closing()
    const how = { parts: shares, part: name, seed, order }
    const common = {
      kind: 'split',
      fingerprint: combinedFingerprint('split', [dataset], [from, to, order === 'random' ? seed : null]),
      spec: spec && { kind: 'split', dataset: spec, ...how },
      close,
    }
    if (permutation === undefined) {
      const run = subset<S>(dataset, { start: from, end: to })
      const route = identity(to - from)
      return [name, new RoutedDataset<S>({ ...common, parts: [run], route, chunks: run.chunks })] as const
    }
    const route = permuted(permutation, from, to - from)
    return [name, new RoutedDataset<S>({ ...common, parts: [dataset], route })] as const
  })
  return Object.fromEntries(made) as unknown as { readonly [name in N]: Dataset<S> }
}

function identity(length: number): Route {
  return {
    length,
    place: (id, out) => {
      out.part = 0
      out.id = id
    },
  }
}

function permuted(permutation: Permutation, from: number, length: number): Route {
  const one = new Float64Array(1)
  return {
    length,
    place: (id, out) => {
      permutation.fill(from + id, one)
      out.part = 0
      out.id = one[0] as number
    },
  }
}
