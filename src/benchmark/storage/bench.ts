import {
  booleanOption,
  finiteNumber,
  knownOptions,
  nonNegativeInteger,
  oneOf,
  positiveInteger,
  progressOption,
} from '../../checks.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { Histogram, percentilesOf } from '../../histogram.ts'
import { openStore } from '../../storage/open.ts'
import type { Store } from '../../storage/types.ts'
import { assembleCrew, type Crew } from './crew.ts'
import type { LoopResult } from './loop.ts'
import { folderOf } from './object-names.ts'
import { BenchObjects } from './objects.ts'
import {
  type BenchStorageOptions,
  type BenchStorageProgress,
  type BenchStorageReport,
  type LoopPlan,
  STORAGE_OPS,
} from './types.ts'

/** 1 GiB: gets and puts of a benchmark are whole, in memory. */
const MAX_SIZE = 2 ** 30
/** 4 GiB of bodies and buffers, of all operations that are under way. */
const MAX_MEMORY = 2 ** 32
/** ms between two reports of progress while it is measured. */
const PROGRESS_INTERVAL = 200

const OPTIONS = [
  'op',
  'size',
  'objects',
  'concurrency',
  'duration',
  'warmup',
  'workers',
  'batch',
  'seed',
  'keep',
  'opLog',
  'signal',
  'onProgress',
] as const

type Checked = Required<Omit<BenchStorageOptions, 'signal' | 'onProgress' | 'opLog'>>

function check(options: BenchStorageOptions): Checked {
  knownOptions('a benchmark of storage', options, OPTIONS)
  const checked: Checked = {
    op: oneOf('op', options.op, STORAGE_OPS),
    size: nonNegativeInteger('size', options.size ?? 128 * 1024, MAX_SIZE),
    objects: positiveInteger('objects', options.objects ?? 1000, 1e9),
    concurrency: positiveInteger('concurrency', options.concurrency ?? 32, 65_536),
    duration: finiteNumber('duration', options.duration ?? 10, 0.01, 1e6),
    warmup: finiteNumber('warmup', options.warmup ?? 1, 0, 1e6),
    workers: positiveInteger('workers', options.workers ?? 1, 256),
    batch: positiveInteger('batch', options.batch ?? 1, 1000),
    seed: nonNegativeInteger('seed', options.seed ?? 0),
    keep: booleanOption('keep', options.keep ?? false),
  }
  const { workers, concurrency, size, op } = checked
  if (concurrency < workers)
    throw new HeadraceError('E_USAGE', `concurrency must be at least workers, ${workers}, but got ${concurrency}`)
  const memory = concurrency * size * (op === 'mixed' ? 2 : op === 'get' || op === 'put' ? 1 : 0)
  if (memory > MAX_MEMORY)
    throw new HeadraceError(
      'E_LIMIT',
      `${concurrency} operations of ${size} bytes need ${memory} bytes of memory, more than ${MAX_MEMORY}`,
      {
        hint: 'fewer at once, or smaller objects',
      },
    )
  return checked
}

function plansOf({ op, size, objects, concurrency, workers, batch, seed }: Checked): LoopPlan[] {
  return Array.from({ length: workers }, (_, worker) => ({
    op,
    size,
    objects,
    concurrency: Math.floor(concurrency / workers) + (worker < concurrency % workers ? 1 : 0),
    worker,
    workers,
    batch,
    seed,
    folder: folderOf(op, size),
  }))
}

function cpuSeconds(since?: NodeJS.CpuUsage): NodeJS.CpuUsage & { readonly seconds: number } {
  const usage = process.cpuUsage(since)
  return { ...usage, seconds: (usage.user + usage.system) / 1e6 }
}

interface Measured {
  readonly results: readonly LoopResult[]
  readonly cpu: number
  readonly seconds: number
}

/** A run with its progress told, stopped by the signal. */
async function timed(
  crew: Crew,
  seconds: number,
  doing: 'warming up' | 'measuring',
  signal: AbortSignal | undefined,
  onProgress: ((progress: BenchStorageProgress) => void) | undefined,
): Promise<Measured> {
  throwIfAborted(signal, 'the benchmark')
  const stop = () => crew.stop()
  signal?.addEventListener('abort', stop, { once: true })
  const start = performance.now()
  const tell = () =>
    onProgress?.({ doing, done: Math.min(seconds, (performance.now() - start) / 1000), total: seconds })
  const timer = onProgress === undefined ? undefined : setInterval(tell, PROGRESS_INTERVAL)
  const before = process.cpuUsage()
  try {
    const results = await crew.run(seconds, doing === 'measuring')
    const measured = { results, cpu: cpuSeconds(before).seconds, seconds: (performance.now() - start) / 1000 }
    throwIfAborted(signal, 'the benchmark')
    return measured
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
  }
}

function reportOf(url: string, checked: Checked, { results, cpu, seconds }: Measured): BenchStorageReport {
  const latency = new Histogram()
  const firstByte = new Histogram()
  const errors: Record<string, number> = {}
  let ops = 0
  let bytes = 0
  for (const result of results) {
    ops += result.ops
    bytes += result.bytes
    latency.add(result.latency)
    firstByte.add(result.firstByte)
    for (const [code, count] of Object.entries(result.errors)) errors[code] = (errors[code] ?? 0) + count
  }
  const { op, concurrency, workers, objects } = checked
  return {
    op,
    url,
    concurrency,
    workers,
    objects,
    bytes,
    seconds,
    opsPerSecond: ops / seconds,
    bytesPerSecond: bytes / seconds,
    latencyMs: percentilesOf(latency) ?? null,
    firstByteMs: percentilesOf(firstByte) ?? null,
    cpuSecondsPerOp: ops === 0 ? null : cpu / ops,
    cpuSecondsPerGiB: bytes === 0 ? null : (cpu * 2 ** 30) / bytes,
    // KiB.
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    errors,
  }
}

/**
 * Measures operations of a store, below `headrace-bench/` at its URL: makes what is read where it is not there, warms
 * up, measures, and takes away what it made. Failures of operations are counted; those of preparing and cleaning up are
 * thrown. E_UNSUPPORTED for several workers on a store in memory. E_CANCELLED when the signal fires.
 */
export async function benchStorage(
  target: string | URL | Store,
  options: BenchStorageOptions,
): Promise<BenchStorageReport> {
  const checked = check(options)
  const onProgress = progressOption(options.onProgress)
  const ours = typeof target === 'string' || target instanceof URL
  const store = ours ? await openStore(target) : target
  try {
    if (checked.workers > 1 && store.url.startsWith('mem:'))
      throw new HeadraceError(
        'E_UNSUPPORTED',
        `${store.url} lies in the memory of one thread, but there are ${checked.workers} workers`,
      )
    return await measure(store, checked, options, onProgress)
  } finally {
    if (ours) await store.close()
  }
}

async function measure(
  store: Store,
  checked: Checked,
  { signal, opLog }: BenchStorageOptions,
  onProgress: ((progress: BenchStorageProgress) => void) | undefined,
): Promise<BenchStorageReport> {
  const { op, size, objects: count, concurrency, seed, warmup, duration, keep } = checked
  const objects = await BenchObjects.find(store, { folder: folderOf(op, size), size, objects: count }, signal)
  try {
    if (op !== 'put')
      await objects.prepare({
        concurrency: Math.min(concurrency, Math.max(1, Math.floor(MAX_MEMORY / Math.max(1, size)))),
        seed,
        signal,
        onProgress: (done, total) => onProgress?.({ doing: 'preparing', done, total }),
      })
    const crew = await assembleCrew(store, plansOf(checked), opLog)
    try {
      // What is deleted while it warms up would not be there to be measured.
      if (warmup > 0 && op !== 'delete') await timed(crew, warmup, 'warming up', signal, onProgress)
      return reportOf(store.url, checked, await timed(crew, duration, 'measuring', signal, onProgress))
    } finally {
      await crew.close()
    }
  } finally {
    if (!keep) await objects.cleanUp((done, total) => onProgress?.({ doing: 'cleaning up', done, total }))
  }
}
