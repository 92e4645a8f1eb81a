import { setMaxListeners } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { joinRanks } from '../../../distributed/join.ts'
import type { Communicator } from '../../../distributed/types.ts'
import { fromSystemError, HeadraceError, isHeadraceError } from '../../../errors.ts'
import { type FailureData, failureData } from '../../../storage/threads/failure.ts'
import type { StoreSpec } from '../../../storage/types.ts'
import type { StoreOptions } from '../../../storage/url.ts'
import { planRun } from '../plan.ts'
import type { ResolvedConfig, Workload } from '../types.ts'
import type { RankContext, RunSettings } from './context.ts'
import { finish } from './finish.ts'
import { hostFacts } from './host.ts'
import { RunLog } from './log.ts'
import { GB, metricRules } from './metrics.ts'
import { Progress } from './progress.ts'
import { RankRun } from './rank.ts'
import { type RankFigures, rankFigures } from './rank-figures.ts'
import type { RunReport } from './report.ts'
import { STOP } from './stop.ts'

/** The thread of a rank, which is blocked while it waits and computes: the process's main thread only looks on. */

export interface RankThreadData {
  readonly config: ResolvedConfig
  readonly settings: RunSettings
  readonly coordinator: string | undefined
  /** ms that ranks may take to come together. */
  readonly joinTimeout: number | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** In place of the data folder's own. */
  readonly store: { readonly spec: StoreSpec; readonly secrets: StoreOptions } | undefined
  readonly stop: SharedArrayBuffer
  readonly progress: SharedArrayBuffer
}

export type RankMessage =
  | { readonly kind: 'joined'; readonly rank: number; readonly ranks: number }
  | { readonly kind: 'line'; readonly line: string }
  | {
      readonly kind: 'done'
      readonly report: RunReport | undefined
      /** Of this rank, where the run is whole. */
      readonly figures: RankFigures | undefined
      /** Why it is not whole. */
      readonly failure: FailureData | undefined
    }

const tell = (message: RankMessage) => parentPort?.postMessage(message)

/** Bytes that each host's ranks read in an epoch: whole samples of each rank. */
function dataPerHost({ data, recordLength }: Workload, comm: Communicator): number {
  const samples = Math.floor((comm.localSize * data.samplesPerFile * data.filesTrain) / comm.size)
  return samples * recordLength
}

/** DLIO's, where it generates and trains in one run, forgets how long a record is. */
function recordBytes({ workflow, recordLength, profile }: Workload): number {
  return profile === 'dlio' && workflow.generate_data && workflow.train ? 1 : recordLength
}

function writeHydraFiles(folder: string, { subdir, files }: ResolvedConfig['hydra']): void {
  if (subdir === null) return
  mkdirSync(join(folder, subdir), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, subdir, name), text)
}

/** Rank 0 makes the folder; the others may lie on hosts that do not share it. */
function prepareFolder(folder: string, config: ResolvedConfig, rank: number): void {
  try {
    mkdirSync(folder, { recursive: true })
    if (rank === 0) writeHydraFiles(folder, config.hydra)
  } catch (error) {
    throw fromSystemError(error, `making the output folder ${folder}`, { path: folder })
  }
}

async function serve(data: RankThreadData): Promise<void> {
  const { config, settings, stop } = data
  const { workload } = config
  const controller = new AbortController()
  parentPort?.once('message', () => controller.abort(new Error('interrupted')))
  // Everything that is under way listens.
  setMaxListeners(0, controller.signal)
  let comm: Communicator | undefined
  try {
    comm = await joinRanks({
      env: data.env,
      signal: controller.signal,
      ...(data.coordinator !== undefined && { coordinator: data.coordinator }),
      ...(data.joinTimeout !== undefined && { timeout: data.joinTimeout }),
    })
    tell({ kind: 'joined', rank: comm.rank, ranks: comm.size })
    // Where another rank has failed, this one does not go on with what takes long.
    const stopWord = new Uint32Array(stop)
    const onFailure = () => Atomics.compareExchange(stopWord, 0, 0, STOP.peer)
    comm.broken.addEventListener('abort', onFailure, { once: true })
    const signal = AbortSignal.any([controller.signal, comm.broken])
    setMaxListeners(0, signal)
    const { report, figures, failure } = await run(data, comm, signal)
    if (failure === undefined) await comm.close()
    tell({ kind: 'done', report, figures, failure: failure === undefined ? undefined : failureData(failure) })
  } catch (error) {
    comm?.abort(error instanceof Error ? error.message : String(error))
    tell({ kind: 'done', report: undefined, figures: undefined, failure: failureData(error) })
  } finally {
    Atomics.compareExchange(new Uint32Array(stop), 0, 0, STOP.over)
    parentPort?.close()
  }

  async function run({ progress }: RankThreadData, comm: Communicator, signal: AbortSignal) {
    const plan = planRun(workload, comm.size)
    const outputFolder = resolve(config.outputFolder)
    prepareFolder(outputFolder, config, comm.rank)
    const path = comm.rank === 0 ? join(outputFolder, workload.output.logFile) : undefined
    const log = new RunLog(path, (line) => tell({ kind: 'line', line }))
    const host = hostFacts()
    const bytes = recordBytes(workload)
    const context: RankContext = {
      config,
      workload,
      plan,
      settings,
      store: data.store,
      comm,
      log,
      progress: new Progress(progress),
      rules: metricRules(workload.profile),
      signal,
      stop,
      epochs: [],
      host,
      dataPerHostGb: dataPerHost({ ...workload, recordLength: bytes }, comm) / GB,
      recordBytes: bytes,
      outputFolder,
    }
    try {
      const result = await new RankRun(context).run()
      const partial = result.failure === undefined ? undefined : reasonOf(result.failure)
      // Files of what was done are worth keeping; that there is nothing to keep is said by the failure.
      const report = await finish(context, result, partial).catch((error: unknown) => {
        if (partial === undefined) throw error
        return undefined
      })
      const figures = partial === undefined ? rankFigures(context, result) : undefined
      return { report, figures, failure: result.failure }
    } finally {
      log.close()
    }
  }
}

function reasonOf(failure: unknown): string {
  if (isHeadraceError(failure, 'E_CANCELLED')) return 'the run was interrupted'
  return failure instanceof HeadraceError || failure instanceof Error ? failure.message : String(failure)
}

void serve(workerData as RankThreadData)
