import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { DatasetSpec } from './spec.ts'
import type { Dataset } from './types.ts'

export type Options = Readonly<Record<string, unknown>>
export type OpenInner = (spec: unknown) => Promise<Dataset>

/** Opens a dataset from its spec without `kind`; `inner` opens the datasets that it is made of. */
export type DatasetOpener = (options: Options, inner: OpenInner) => Promise<Dataset>

/** Splits what a dataset is of from how: each checks its own options, types included. */
function located<O>(open: (url: string, options: O) => Promise<Dataset>): DatasetOpener {
  return ({ url, ...options }) => open(url as string, options as O)
}

/** Only the files of the kinds that are asked for are loaded. */
const KINDS: Readonly<Record<string, DatasetOpener>> = {
  objects: async (options, inner) => located((await import('./objects.ts')).objects)(options, inner),
  jsonl: async (options, inner) => located((await import('./jsonl.ts')).jsonl)(options, inner),
  'image-folder': async (options, inner) => located((await import('./image-folder.ts')).imageFolder)(options, inner),
  tfrecord: async (options, inner) => located((await import('./tfrecord.ts')).tfrecord)(options, inner),
  webdataset: async (options, inner) => located((await import('./webdataset.ts')).webdataset)(options, inner),
  parquet: async (options, inner) => located((await import('./parquet.ts')).parquet)(options, inner),
  records: async (options, inner) => located((await import('./records.ts')).records)(options, inner),
  module: async (options, inner) => located((await import('./module.ts')).fromModule)(options, inner),
  synthetic: async (options) => (await import('./synthetic.ts')).synthetic(options as never),
  concat: async ({ datasets, ...options }, inner) => {
    refuseOthers('concat', options)
    const { concat } = await import('./concat.ts')
    return withAll(datasets, inner, concat)
  },
  mix: async ({ datasets, ...options }, inner) => {
    const { mix } = await import('./mix.ts')
    return withAll(datasets, inner, (parts) => mix(parts, options as never))
  },
  subset: async ({ dataset, ...options }, inner) => {
    const { subset } = await import('./subset.ts')
    return withAll([dataset], inner, ([part]) => subset(part as Dataset, options))
  },
  split: async ({ dataset, parts, part, ...options }, inner) => {
    const { split } = await import('./split.ts')
    return withAll([dataset], inner, async ([whole]) => {
      const made = split(whole as Dataset, parts as Record<string, number>, options)
      const wanted = typeof part === 'string' && Object.hasOwn(made, part) ? made[part] : undefined
      if (wanted === undefined)
        throw new HeadraceError('E_USAGE', `part must be one of ${Object.keys(made).join(', ')}, but got ${show(part)}`)
      for (const other of Object.values(made)) if (other !== wanted) await other.close()
      return wanted
    })
  },
}

function refuseOthers(kind: string, options: Options): void {
  const [name] = Object.keys(options)
  if (name !== undefined) throw new HeadraceError('E_USAGE', `${kind} has no option ${show(name)}`)
}

/** What fails after datasets were opened closes them. */
async function withAll(
  specs: unknown,
  inner: OpenInner,
  make: (parts: Dataset[]) => Dataset | Promise<Dataset>,
): Promise<Dataset> {
  if (!Array.isArray(specs))
    throw new HeadraceError('E_USAGE', `datasets must be an array of specs, but got ${show(specs)}`)
  const parts: Dataset[] = []
  try {
    for (const spec of specs) parts.push(await inner(spec))
    return await make(parts)
  } catch (error) {
    await Promise.all(parts.map((part) => part.close()))
    throw error
  }
}

/** Deeper than anybody nests, and no deeper than a stack goes. */
const MAX_DEPTH = 32

/**
 * Opens the dataset that a spec is of: `{ kind: 'objects', url: 's3://bucket/train', include: ['*.jpg'] }`. The other keys
 * are the options of the function of that name. Specs come as JSON from other threads, processes and languages: E_USAGE
 * for a kind that there is not, and for what the dataset refuses. `kinds` adds some.
 */
export function openDataset(spec: DatasetSpec, kinds: Readonly<Record<string, DatasetOpener>> = {}): Promise<Dataset> {
  return openAt(spec, { ...KINDS, ...kinds }, 0)
}

async function openAt(spec: unknown, kinds: Readonly<Record<string, DatasetOpener>>, depth: number): Promise<Dataset> {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec))
    throw new HeadraceError('E_USAGE', `a dataset's spec must be an object with a kind, but got ${show(spec)}`)
  if (depth > MAX_DEPTH) throw new HeadraceError('E_LIMIT', `specs of datasets are nested more than ${MAX_DEPTH} deep`)
  const { kind, ...options } = spec as Options
  const open = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  if (open === undefined)
    throw new HeadraceError(
      'E_USAGE',
      `there is no dataset of kind ${show(kind)}; there are ${Object.keys(kinds).join(', ')}`,
    )
  return open(options, (inner) => openAt(inner, kinds, depth + 1))
}
