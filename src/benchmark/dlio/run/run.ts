import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { freemem } from 'node:os'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { booleanOption, finiteNumber, knownOptions, oneOf, positiveInteger, progressOption } from '../../../checks.ts'
import { discoverRank } from '../../../distributed/rank.ts'
import { HeadraceError, isHeadraceError, userCallback } from '../../../errors.ts'
import { native } from '../../../native.ts'
import { secretsOf } from '../../../storage/secrets.ts'
import { failureOf } from '../../../storage/threads/failure.ts'
import type { Store } from '../../../storage/types.ts'
import type { ResolvedConfig } from '../types.ts'
import type { RunSettings } from './context.ts'
import { IostatProfile } from './iostat-profile.ts'
import { Progress, type RunProgress } from './progress.ts'
import type { RankFigures } from './rank-figures.ts'
import type { RankMessage, RankThreadData } from './rank-thread.ts'
import type { RunReport } from './report.ts'
import { STOP } from './stop.ts'

export interface RunOptions {
  /** What becomes of a sample that cannot be read: `fail` (the default) ends the run, `count` counts and reports it. */
  readonly onError?: 'fail' | 'count'
  /** Compares each record with what the generator makes of the set's seed; false. */
  readonly verify?: boolean
  /** Seconds that a batch may take, so that storage which stalls ends the run; 600. */
  readonly timeout?: number
  /** Bytes of batches that a rank reads ahead; 1 GiB. Two batches are always held. */
  readonly ringBytes?: number
  /** Bytes of files that a rank keeps where the config has `read_type: memory`; its share of half of what is free. */
  readonly holdBytes?: number
  /** Samples of an object store that each thread reads at once; 16. */
  readonly requests?: number
  /** Runs steps of the plan from memory afterwards, to tell the highest AU that this host can show; true. */
  readonly calibrate?: boolean
  /** Makes the page cache forget the data set before each epoch; false. */
  readonly dropCaches?: boolean
  /** Address of rank 0, where the launcher's environment does not say; see `joinRanks`. */
  readonly coordinator?: string
  /** Seconds that ranks may take to come together; 120. */
  readonly joinTimeout?: number
  /**
   * In place of the store that the data folder's URL opens, such as one with a limit around it: each thread opens one of
   * its spec. Checkpoints are not its business.
   */
  readonly store?: Store
  readonly signal?: AbortSignal
  /** Called a few times a second. */
  readonly onProgress?: (progress: RunProgress) => void
  /** Gets each line of the log; on rank 0. */
  readonly onLine?: (line: string) => void
  /** Called on every rank at the end of a whole run, with what it alone did. */
  readonly onRank?: (figures: RankFigures) => void
}

const OPTIONS = [
  'onError',
  'verify',
  'timeout',
  'ringBytes',
  'holdBytes',
  'requests',
  'calibrate',
  'dropCaches',
  'coordinator',
  'joinTimeout',
  'store',
  'signal',
  'onProgress',
  'onLine',
  'onRank',
] as const

/** ms between two reports of progress. */
const INTERVAL = 200

/** ms that a rank has to write what it has when it is stopped; after that it is left to its own. */
const GRACE = 10_000
/** ms that a thread has to end. */
const LAST_GRACE = 2_000

/** ms between looks whether the rank goes on; and by how much a batch is late when its thread must be held. */
const LOOK = 1_000
const HELD = 10_000

/** Half of what is free, shared by the ranks of this host. */
function spareMemory(): number {
  const { worldSize, localSize = worldSize } = discoverRank()
  return Math.max(1, Math.floor(freemem() / 2 / localSize))
}

function settingsOf(options: RunOptions): RunSettings {
  knownOptions('a run', options, OPTIONS)
  return {
    onError: oneOf('onError', options.onError ?? 'fail', ['fail', 'count']),
    verify: booleanOption('verify', options.verify ?? false),
    timeout: finiteNumber('timeout', options.timeout ?? 600, 0.001, 1e6),
    ringBytes: positiveInteger('ringBytes', options.ringBytes ?? 2 ** 30),
    holdBytes: positiveInteger('holdBytes', options.holdBytes ?? spareMemory()),
    requests: positiveInteger('requests', options.requests ?? 16, 1024),
    calibrate: booleanOption('calibrate', options.calibrate ?? true),
    dropCaches: booleanOption('dropCaches', options.dropCaches ?? false),
  }
}

/** Threads run compiled code, also where tests run the sources. */
function script(): string {
  const { resolve } = createRequire(import.meta.url)
  return join(dirname(resolve('headrace/package.json')), 'dist/benchmark/dlio/run/rank-thread.js')
}

function watchesDevices({ workload, resolved }: ResolvedConfig): boolean {
  const { profiler } = (resolved.profiling ?? {}) as { readonly profiler?: unknown }
  return workload.workflow.profiling && profiler === 'iostat'
}

/** Beside the run's own files; a run does not fail for want of it. */
function writeSamples(path: string, samples: string): void {
  try {
    writeFileSync(path, samples)
  } catch (error) {
    process.emitWarning(`the samples of iostat were not written to ${path}: ${(error as Error).message}`)
  }
}

/** An interrupted run says where what it has done is. */
function ended(error: Error, { outputFolder }: ResolvedConfig): Error {
  if (!isHeadraceError(error, 'E_CANCELLED')) return error
  const hint = `what was done until then is in ${outputFolder}`
  return new HeadraceError('E_CANCELLED', 'the run was interrupted', { ...error.details, hint, path: outputFolder })
}

/**
 * Runs a workload as one rank of its job: alone, or one of those that a launcher or `startRanks` started. Writes DLIO's
 * files, and gives the report on rank 0. What was done before an error, or before the signal fires (E_CANCELLED), is in
 * the files, which say that they are partial.
 */
export async function runWorkload(config: ResolvedConfig, options: RunOptions = {}): Promise<RunReport | undefined> {
  const settings = settingsOf(options)
  const { coordinator, joinTimeout, store, signal } = options
  if (joinTimeout !== undefined) finiteNumber('joinTimeout', joinTimeout, 0.001, 1e6)
  const onProgress = progressOption(options.onProgress)
  const onLine = options.onLine && userCallback(options.onLine)
  const onRank = options.onRank && userCallback(options.onRank)
  if (signal?.aborted) throw new HeadraceError('E_CANCELLED', 'the run was cancelled', { cause: signal.reason })
  const stop = new SharedArrayBuffer(4)
  const progress = new Progress()
  const data: RankThreadData = {
    config,
    settings,
    coordinator,
    joinTimeout: joinTimeout === undefined ? undefined : joinTimeout * 1000,
    env: { ...process.env },
    store: store && { spec: store.spec, secrets: secretsOf(store.spec) },
    stop,
    progress: progress.memory,
  }
  const worker = new Worker(script(), { workerData: data })
  const timer = onProgress && setInterval(() => onProgress(progress.read()), INTERVAL)
  const ends: NodeJS.Timeout[] = []
  let profile: IostatProfile | undefined
  const { outputFolder } = config
  let giveUp: (error: Error) => void = () => {}
  const onAbort = () => {
    Atomics.store(new Uint32Array(stop), 0, STOP.user)
    worker.postMessage('stop')
    const cancelled = new HeadraceError('E_CANCELLED', 'the run was stopped', { cause: signal?.reason })
    ends.push(setTimeout(() => giveUp(cancelled), GRACE))
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  const parent = process.ppid
  const look = setInterval(() => {
    // Whoever started the ranks has died: nobody would end them any more.
    if (process.env.HEADRACE_PARENT_FD !== undefined && process.ppid !== parent && ends.length === 0) onAbort()
    const since = progress.waitingSince
    if (since > 0 && native.monotonic() - since > settings.timeout * 1000 + HELD) giveUp(held(settings))
  }, LOOK)
  try {
    const done = await new Promise<Extract<RankMessage, { kind: 'done' }>>((resolve, reject) => {
      giveUp = (error) => reject(ended(error, config))
      worker.on('message', (message: RankMessage) => {
        if (message.kind === 'line') onLine?.(message.line)
        else if (message.kind === 'joined' && message.rank === 0 && watchesDevices(config))
          profile = new IostatProfile(config.workload.iostatDevices)
        else if (message.kind === 'done') resolve(message)
      })
      worker.on('error', reject)
      worker.on('exit', (code) => reject(new HeadraceError('E_STATE', `the thread of the rank ended with ${code}`)))
    })
    if (done.failure !== undefined) throw ended(failureOf(done.failure), config)
    if (done.figures !== undefined) onRank?.(done.figures)
    return done.report
  } finally {
    const samples = profile?.end()
    if (samples !== undefined) writeSamples(join(outputFolder, 'iostat.json'), samples)
    clearInterval(timer)
    clearInterval(look)
    for (const end of ends) clearTimeout(end)
    signal?.removeEventListener('abort', onAbort)
    await endOf(worker)
  }
}

/** A thread that a system call holds is left behind. */
async function endOf(worker: Worker): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LAST_GRACE)
  })
  await Promise.race([worker.terminate(), late])
  clearTimeout(timer)
}

function held({ timeout }: RunSettings): HeadraceError {
  return new HeadraceError(
    'E_TIMEOUT',
    `a batch did not come within ${timeout} s: storage holds the thread that reads it, which does not answer any more`,
    { hint: 'with reader.read_threads of 1 and more the message says at which sample' },
  )
}
