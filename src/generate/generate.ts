import { setMaxListeners } from 'node:events'
import { knownOptions, nonNegativeInteger, oneOf, positiveInteger, progressOption, show } from '../checks.ts'
import { availableCores } from '../cores.ts'
import { HeadraceError, isHeadraceError } from '../errors.ts'
import { recordFormat } from '../formats/records.ts'
import type { RecordFormat } from '../formats/types.ts'
import { secretsOf } from '../storage/secrets.ts'
import type { Store } from '../storage/types.ts'
import type { StoreOptions } from '../storage/url.ts'
import { runThreads } from './crew.ts'
import { DataSet } from './data-set.ts'
import { lanesOf, openDestination } from './destination.ts'
import { isEmpty, presentFiles } from './existing.ts'
import { type Order, runLanes } from './lanes.ts'
import { filesOf, type PlannedBytes, planFiles, type Share } from './plan.ts'
import { type GenerateProgress, watchProgress } from './progress.ts'
import { checkSpace, makeFolders } from './space.ts'
import { Tally } from './tally.ts'
import type { DataSetSpec } from './types.ts'

/** Two fill any disk, and each takes some 20 MiB for its heap. */
const MOST_THREADS = 8

/**
 * Files whose sizes are computed, where each has its own: before the first is written, since more of them would be waited
 * for; and for who only asks, where that is enough for MLPerf's largest set, of 524,288.
 */
const SAMPLED = 100_000
const SAMPLED_DRY = 600_000

export interface GenerateOptions {
  /** Of `size` processes that share the work: makes every `size`-th file. 0. */
  readonly rank?: number
  /** 1. */
  readonly size?: number
  /** Where the files go, in place of the store that the spec's URL opens; it is used on the calling thread, and not closed. */
  readonly store?: Store
  /** Of the store that the URL opens: what the URL does not say, such as credentials. */
  readonly storeOptions?: StoreOptions
  /** Worker threads; 1 works on the calling thread. The cores there are, up to 8. */
  readonly threads?: number
  /** keep (the default): files that are there and right stay as they are; replace: all are written. */
  readonly existing?: 'keep' | 'replace'
  /** Only tells what would be written. */
  readonly dryRun?: boolean
  readonly onProgress?: (progress: GenerateProgress) => void
  readonly signal?: AbortSignal
}

const OPTIONS = [
  'rank',
  'size',
  'store',
  'storeOptions',
  'threads',
  'existing',
  'dryRun',
  'onProgress',
  'signal',
] as const

export interface GenerateReport {
  readonly url: string
  readonly format: string
  readonly rank: number
  readonly size: number
  readonly dryRun: boolean
  /** Of all ranks. */
  readonly total: PlannedBytes
  /** Of this rank. */
  readonly files: number
  readonly written: number
  /** Were there and right. */
  readonly kept: number
  /** Written by this rank, sidecars included; of a dry run, what it would write. */
  readonly bytes: number
  readonly seconds: number
  readonly bytesPerSecond: number
  readonly threads: number
}

/** What a run is of. */
interface Run {
  readonly set: DataSet
  readonly format: RecordFormat
  readonly share: Share
  readonly threads: number
  readonly existing: 'keep' | 'replace'
  /** The user's, or what a callback of the user threw. */
  readonly signal: AbortSignal
}

function checkShare({ rank = 0, size = 1 }: GenerateOptions): Share {
  positiveInteger('size', size)
  nonNegativeInteger('rank', rank)
  if (rank < size) return { rank, size }
  throw new HeadraceError('E_USAGE', `rank must be below size (${size}), but got ${rank}`)
}

function threadsOf({ threads, store }: GenerateOptions): number {
  if (threads !== undefined) positiveInteger('threads', threads, 1024)
  if (store === undefined) return threads ?? Math.min(MOST_THREADS, availableCores())
  if (threads !== undefined && threads > 1)
    throw new HeadraceError('E_USAGE', `threads must be 1 where there is a store, but got ${show(threads)}`)
  return 1
}

/**
 * Makes the files of a data set: the same bytes whatever the number of ranks and threads. A file appears whole or not at
 * all, so what is there after a failure or an interruption is kept by the next run. Memory is bounded by some 128 MiB
 * whatever the size of files. E_CONFIG for what cannot be made; E_NO_SPACE before anything is written where it does
 * not fit; E_CANCELLED.
 */
export async function generate(spec: DataSetSpec, options: GenerateOptions = {}): Promise<GenerateReport> {
  knownOptions('generate', options, OPTIONS)
  const share = checkShare(options)
  const existing = oneOf('existing', options.existing ?? 'keep', ['keep', 'replace'])
  const threads = threadsOf(options)
  const onProgress = progressOption(options.onProgress)
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  // Every file that is under way listens.
  setMaxListeners(0, signal)
  const set = new DataSet(spec)
  const run: Run = { set, format: await recordFormat(spec.format), share, threads, existing, signal }
  if (options.dryRun === true) return tellOnly(run)
  const store = options.store ?? (await openDestination(spec.url, options.storeOptions))
  const tally = new Tally()
  try {
    const report = await make(run, store, tally, (own) => watchProgress(own, tally, onProgress, stop))
    // The last call back may have thrown as well.
    stop.signal.throwIfAborted()
    return report
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : told(error, tally, filesOf(set, share))
  } finally {
    if (options.store === undefined) await store.close()
  }
}

function about({ set, format, share, threads }: Run) {
  return { url: set.spec.url, format: format.name, ...share, files: filesOf(set, share), threads }
}

async function tellOnly(run: Run): Promise<GenerateReport> {
  const { set, format, share, signal } = run
  const started = performance.now()
  const plan = { signal, sampled: SAMPLED_DRY }
  const total = await planFiles(set, format, { rank: 0, size: 1 }, plan)
  const { bytes } = share.size === 1 ? total : await planFiles(set, format, share, plan)
  const seconds = (performance.now() - started) / 1000
  return { ...about(run), dryRun: true, total, bytes, written: 0, kept: 0, seconds, bytesPerSecond: 0 }
}

async function make(
  run: Run,
  store: Store,
  tally: Tally,
  watch: (own: PlannedBytes) => { end(): void },
): Promise<GenerateReport> {
  const { set, format, share, threads, signal } = run
  const started = performance.now()
  const own = await planFiles(set, format, share, { signal, sampled: SAMPLED })
  const size = own.bytes / Math.max(1, own.files)
  const total = { ...own, files: set.files, bytes: Math.round(size * set.files) }
  // All ranks look at one place before they begin: each counts the need of all.
  await checkSpace(store, total, () => presentFiles(set, store, signal))
  await makeFolders(store, set.folders)
  const look = run.existing === 'keep' && !(await isEmpty(store, signal))
  const order: Order = { share, existing: look ? 'keep' : 'replace', lanes: lanesOf(store, size, threads) }
  const progress = watch(own)
  try {
    if (threads === 1) await runLanes(set, format, store, order, tally, signal)
    else {
      const { spec } = store
      const data = { set: set.spec, store: spec, secrets: secretsOf(spec), order, tally: tally.memory }
      await runThreads(Math.min(threads, Math.max(1, own.files)), data, signal)
    }
  } finally {
    progress.end()
  }
  const seconds = (performance.now() - started) / 1000
  const bytes = tally.get('bytes')
  const done = { written: tally.get('written'), kept: tally.get('kept'), bytes }
  return { ...about(run), dryRun: false, total, ...done, seconds, bytesPerSecond: bytes / seconds }
}

/** What is there stays there: the user is told so. */
function told(error: unknown, tally: Tally, files: number): unknown {
  if (!isHeadraceError(error, 'E_CANCELLED') && !isHeadraceError(error, 'E_NO_SPACE')) return error
  const there = tally.get('written') + tally.get('kept')
  if (there === 0) return error
  const hint = `${there} of ${files} files are there and whole; the same call goes on from them`
  return new HeadraceError(error.code, error.message, { ...error.details, hint })
}
