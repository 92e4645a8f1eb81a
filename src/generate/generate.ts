import { knownOptions, nonNegativeInteger, oneOf, positiveInteger, progressOption, show } from '../checks.ts'
import { availableCores } from '../cores.ts'
import { HeadraceError, isHeadraceError } from '../errors.ts'
import { recordFormat } from '../formats/records.ts'
import type { RecordFormat } from '../formats/types.ts'
import { knowsOption, openStore } from '../storage/open.ts'
import { secretsOf } from '../storage/secrets.ts'
import type { Store } from '../storage/types.ts'
import { runThreads } from './crew.ts'
import { DataSet } from './data-set.ts'
import { presentFiles } from './existing.ts'
import { type Order, runLanes } from './lanes.ts'
import { filesOf, type PlannedBytes, planFiles, type Share } from './plan.ts'
import { checkSpace, makeFolders } from './space.ts'
import { Tally } from './tally.ts'
import type { DataSetSpec } from './types.ts'

const MiB = 2 ** 20

/** Two fill any disk, and each takes some 20 MiB for its heap. */
const MOST_THREADS = 8
const MOST_LANES = 64

/** What all files that are under way may hold together. */
const MEMORY = 128 * MiB
/** Of a file that is written to a disk: what its format makes at once. */
const LOCAL_LANE = 4 * MiB
/** Parts of 8 MiB that an upload has under way; more than two only helps where a single file is written. */
const PARTS = 2
const REMOTE_LANE = (PARTS + 1) * 8 * MiB + LOCAL_LANE

/** Files whose sizes are computed before the first is written: more of them would be waited for. */
const SAMPLED = 100_000

/** ms between two calls of onProgress. */
const INTERVAL = 100

export interface GenerateProgress {
  /** Written or found to be right. */
  readonly files: number
  /** Of this rank. */
  readonly totalFiles: number
  /** Written. */
  readonly bytes: number
  /** That this rank's files have, about. */
  readonly totalBytes: number
  /** Found to be right. */
  readonly kept: number
  readonly seconds: number
}

export interface GenerateOptions {
  /** Of `size` processes that share the work: makes every `size`-th file. 0. */
  readonly rank?: number
  /** 1. */
  readonly size?: number
  /** Where the files go, in place of the store that the spec's URL opens; it is used on the calling thread, and not closed. */
  readonly store?: Store
  /** Worker threads; 1 works on the calling thread. The cores there are, up to 8. */
  readonly threads?: number
  /** keep (the default): files that are there and right stay as they are; replace: all are written. */
  readonly existing?: 'keep' | 'replace'
  /** Only tells what would be written. */
  readonly dryRun?: boolean
  readonly onProgress?: (progress: GenerateProgress) => void
  readonly signal?: AbortSignal
}

const OPTIONS = ['rank', 'size', 'store', 'threads', 'existing', 'dryRun', 'onProgress', 'signal'] as const

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

function checkShare({ rank = 0, size = 1 }: GenerateOptions): Share {
  positiveInteger('size', size)
  nonNegativeInteger('rank', rank)
  if (rank < size) return { rank, size }
  throw new HeadraceError('E_USAGE', `rank must be below size (${size}), but got ${rank}`)
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
  const { dryRun = false } = options
  /** Fires with what a callback of the user threw. */
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  const onProgress = progressOption(options.onProgress)
  const set = new DataSet(spec)
  const format = await recordFormat(spec.format)
  const started = performance.now()
  const about = { url: set.spec.url, format: format.name, ...share, dryRun, files: filesOf(set, share) }
  if (dryRun) {
    const total = await planFiles(set, format, { rank: 0, size: 1 }, { signal })
    const own = share.size === 1 ? total : await planFiles(set, format, share, { signal })
    const nothing = { written: 0, kept: 0, seconds: seconds(started), bytesPerSecond: 0, threads }
    return { ...about, total, bytes: own.bytes, ...nothing }
  }
  const own = await planFiles(set, format, share, { signal, sampled: SAMPLED })
  const store = options.store ?? (await openForWriting(spec.url))
  const run: Run = { set, format, store, share, existing, own, signal }
  try {
    await makeRoom(run)
    const tally = new Tally()
    const progress = watch(run, tally, started, onProgress, stop)
    try {
      const order = { share, existing, lanes: lanesOf(run, threads) }
      if (threads === 1) await runLanes(set, format, store, order, tally, signal)
      else await runOnThreads(run, threads, order, tally)
    } catch (error) {
      throw stop.signal.aborted ? stop.signal.reason : told(error, tally, about.files)
    } finally {
      progress.end()
    }
    if (stop.signal.aborted) throw stop.signal.reason
    const took = seconds(started)
    const bytes = tally.get('bytes')
    const made = { written: tally.get('written'), kept: tally.get('kept'), bytes }
    const total = { ...own, files: set.files, bytes: Math.round((own.bytes / Math.max(1, own.files)) * set.files) }
    return { ...about, total, ...made, seconds: took, bytesPerSecond: bytes / took, threads }
  } finally {
    if (options.store === undefined) await store.close()
  }
}

const seconds = (started: number) => (performance.now() - started) / 1000

/** What a run is of. */
interface Run {
  readonly set: DataSet
  readonly format: RecordFormat
  readonly store: Store
  readonly share: Share
  readonly existing: 'keep' | 'replace'
  readonly own: PlannedBytes
  readonly signal: AbortSignal
}

function threadsOf({ threads, store }: GenerateOptions): number {
  if (threads !== undefined) positiveInteger('threads', threads, 1024)
  if (store === undefined) return threads ?? Math.min(MOST_THREADS, availableCores())
  if (threads !== undefined && threads > 1)
    throw new HeadraceError('E_USAGE', `threads must be 1 where there is a store, but got ${show(threads)}`)
  return 1
}

/** Not every file is brought to the device before the next: a power failure costs files, which the next run writes again. */
function openForWriting(url: string): Promise<Store> {
  const defaults: Record<string, unknown> = {}
  if (knowsOption(url, 'sync') && !/[?&]sync=/.test(url)) defaults.sync = 'never'
  if (knowsOption(url, 'partsInFlight') && !/[?&]partsInFlight=/.test(url)) defaults.partsInFlight = PARTS
  return openStore(url, defaults)
}

/** Files that each thread has under way at once. */
function lanesOf({ own, store }: Run, threads: number): number {
  const remote = knowsOption(store.url, 'partsInFlight')
  const size = own.bytes / Math.max(1, own.files)
  const lane = remote ? Math.min(2 * size + MiB, REMOTE_LANE) : Math.min(size + MiB, LOCAL_LANE)
  const most = remote ? MOST_LANES : 2 * threads
  const fitting = Math.min(most, Math.floor(MEMORY / lane))
  return store.url.startsWith('null:') ? 1 : Math.max(1, Math.floor(fitting / threads))
}

async function runOnThreads(run: Run, threads: number, order: Order, tally: Tally): Promise<void> {
  const { set, store, signal } = run
  const data = { set: set.spec, store: store.spec, secrets: secretsOf(store.spec), order, tally: tally.memory }
  await runThreads(Math.min(threads, Math.max(1, run.own.files)), data, signal)
}

/** Ranks write to one place as a rule, and all look at it before they begin: each counts the need of all. */
async function makeRoom({ set, store, own, signal }: Run): Promise<void> {
  const bytes = (own.bytes / Math.max(1, own.files)) * set.files
  await checkSpace(store, { files: set.files, bytes }, () => presentFiles(set, store, signal))
  await makeFolders(store, set.folders)
}

/** Calls back while files are made, and once more at the end. What the callback throws ends the run. */
function watch(
  { own }: Run,
  tally: Tally,
  started: number,
  onProgress: GenerateOptions['onProgress'],
  stop: AbortController,
): { end(): void } {
  if (onProgress === undefined) return { end: () => {} }
  const tell = () => {
    const kept = tally.get('kept')
    try {
      onProgress({
        files: tally.get('written') + kept,
        totalFiles: own.files,
        bytes: tally.get('bytes'),
        totalBytes: own.bytes,
        kept,
        seconds: seconds(started),
      })
    } catch (error) {
      stop.abort(error)
    }
  }
  const timer = setInterval(tell, INTERVAL)
  return {
    end: () => {
      clearInterval(timer)
      tell()
    },
  }
}

/** What is there stays there: the user is told so. */
function told(error: unknown, tally: Tally, files: number): unknown {
  if (!isHeadraceError(error, 'E_CANCELLED') && !isHeadraceError(error, 'E_NO_SPACE')) return error
  const there = tally.get('written') + tally.get('kept')
  const hint = `${there} of ${files} files are there and whole; the same call goes on from them`
  return new HeadraceError(error.code, error.message, { ...error.details, hint })
}
