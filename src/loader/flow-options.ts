import { booleanOption, knownOptions, nonNegativeInteger, oneOf, positiveInteger, show } from '../checks.ts'
import { availableCores } from '../cores.ts'
import { HeadraceError } from '../errors.ts'
import type { PageCachePolicy } from '../storage/file/policies.ts'
import type { GetParts } from '../storage/types.ts'

/** Bounds for what `autoTune` moves. */
export interface TuneBounds {
  /** Batches ahead. 32. */
  readonly maxPrefetch?: number
  /** Samples that are read at once. 512. */
  readonly maxInflight?: number
  /** The cores this process may use; 0 where the dataset cannot be opened in another thread. */
  readonly maxWorkers?: number
}

/** How samples come from where they are into batches: nothing here changes which samples a batch holds. */
export interface FlowOptions {
  /** Batches made ahead of the one in use. 2. */
  readonly prefetch?: number
  /** Bytes of batches made ahead; one is always made. What `ringBytes` leaves, when absent. */
  readonly prefetchBytes?: number
  /** Samples that are read at once, over all batches. 64. */
  readonly inflight?: number
  /**
   * Worker threads that fetch and parse, each with the dataset opened again from its spec; 0: the thread that asks. A
   * dataset whose samples lie in mapped files is not read, and has none. 0.
   */
  readonly workers?: number
  /** Whether worker threads stay from one epoch to the next; otherwise each epoch has threads of its own. false. */
  readonly persistentWorkers?: boolean
  /**
   * `sequential`: each object or range in one request; `range`: in requests of `partSize` bytes, `inflightParts` at once.
   * As the store was opened, when absent.
   */
  readonly readerMode?: 'sequential' | 'range'
  /** Bytes of a request, with readerMode `range`. 8 MiB. */
  readonly partSize?: number
  /** Requests of one sample at once, with readerMode `range`. 4. */
  readonly inflightParts?: number
  /**
   * `ordered`; `as-completed`: a batch comes when it is ready, up to as many steps before its turn as `prefetch` says,
   * at most 32. What a batch holds stays the same.
   */
  readonly mode?: 'ordered' | 'as-completed'
  /** What the page cache is told of files that are read; `auto`: as the store was opened. 'auto'. */
  readonly pageCache?: 'auto' | PageCachePolicy
  /** Samples that are held for batches that are not complete; one batch is always made. 1,024. */
  readonly collateBufferSize?: number
  /** Moves prefetch, inflight and workers to where batches come fastest; what it did stands in `report().tuning`. false. */
  readonly autoTune?: boolean | TuneBounds
}

export interface FlowSettings {
  readonly prefetch: number
  readonly prefetchBytes: number
  readonly inflight: number
  readonly workers: number
  readonly persistentWorkers: boolean
  /** undefined: as the store was opened. */
  readonly parts: GetParts | undefined
  readonly pageCache: PageCachePolicy | undefined
  readonly mode: 'ordered' | 'as-completed'
  readonly collateBufferSize: number
  /** undefined: nothing is moved. */
  readonly tune: Required<TuneBounds> | undefined
}

export const FLOW_OPTIONS = [
  'prefetch',
  'prefetchBytes',
  'inflight',
  'workers',
  'persistentWorkers',
  'readerMode',
  'partSize',
  'inflightParts',
  'mode',
  'pageCache',
  'collateBufferSize',
  'autoTune',
] as const satisfies readonly (keyof FlowOptions)[]

const DEFAULT_PREFETCH = 2
const MAX_PREFETCH = 1024
const DEFAULT_INFLIGHT = 64
const MAX_INFLIGHT = 4096
const MAX_WORKERS = 64
const DEFAULT_PART_SIZE = 8 * 2 ** 20
const DEFAULT_INFLIGHT_PARTS = 4
const DEFAULT_COLLATE_BUFFER = 1024
/** More bytes ahead, and more requests, were never faster on any server measured. */
const TUNED_PREFETCH = 32
const TUNED_INFLIGHT = 512

function chooseParts(options: FlowOptions): GetParts | undefined {
  const { readerMode, partSize, inflightParts } = options
  if (readerMode !== undefined) oneOf('readerMode', readerMode, ['sequential', 'range'])
  const size = positiveInteger('partSize', partSize ?? DEFAULT_PART_SIZE)
  const inflight = positiveInteger('inflightParts', inflightParts ?? DEFAULT_INFLIGHT_PARTS, 1024)
  if (readerMode === 'range') return { size, inflight }
  for (const name of ['partSize', 'inflightParts'] as const)
    if (options[name] !== undefined)
      throw new HeadraceError('E_USAGE', `${name} needs readerMode 'range', but that is ${show(readerMode)}`)
  return readerMode === undefined ? undefined : { size: Infinity, inflight: 1 }
}

function chooseBounds(autoTune: unknown): Required<TuneBounds> | undefined {
  if (typeof autoTune !== 'object' || autoTune === null) {
    if (!booleanOption('autoTune', autoTune ?? false)) return undefined
    return { maxPrefetch: TUNED_PREFETCH, maxInflight: TUNED_INFLIGHT, maxWorkers: availableCores() }
  }
  knownOptions('autoTune', autoTune, ['maxPrefetch', 'maxInflight', 'maxWorkers'])
  const bounds = autoTune as TuneBounds
  return {
    maxPrefetch: positiveInteger('autoTune.maxPrefetch', bounds.maxPrefetch ?? TUNED_PREFETCH, MAX_PREFETCH),
    maxInflight: positiveInteger('autoTune.maxInflight', bounds.maxInflight ?? TUNED_INFLIGHT, MAX_INFLIGHT),
    maxWorkers: nonNegativeInteger('autoTune.maxWorkers', bounds.maxWorkers ?? availableCores(), MAX_WORKERS),
  }
}

/** E_USAGE names what is wrong and quotes it. */
export function settleFlow(options: FlowOptions): FlowSettings {
  const { prefetchBytes, pageCache = 'auto' } = options
  oneOf('pageCache', pageCache, ['auto', 'normal', 'sequential', 'random', 'dontNeed'])
  return {
    prefetch: positiveInteger('prefetch', options.prefetch ?? DEFAULT_PREFETCH, MAX_PREFETCH),
    prefetchBytes: prefetchBytes === undefined ? Infinity : positiveInteger('prefetchBytes', prefetchBytes),
    inflight: positiveInteger('inflight', options.inflight ?? DEFAULT_INFLIGHT, MAX_INFLIGHT),
    workers: nonNegativeInteger('workers', options.workers ?? 0, MAX_WORKERS),
    persistentWorkers: booleanOption('persistentWorkers', options.persistentWorkers ?? false),
    parts: chooseParts(options),
    pageCache: pageCache === 'auto' ? undefined : pageCache,
    mode: oneOf('mode', options.mode ?? 'ordered', ['ordered', 'as-completed']),
    collateBufferSize: positiveInteger('collateBufferSize', options.collateBufferSize ?? DEFAULT_COLLATE_BUFFER),
    tune: chooseBounds(options.autoTune),
  }
}
