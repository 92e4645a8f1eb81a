import { resolve } from 'node:path'
import { oneOf, positiveInteger, show } from '../../../checks.ts'
import { availableCores } from '../../../cores.ts'
import { HeadraceError } from '../../../errors.ts'
import type { DataSetSpec } from '../../../generate/types.ts'
import type { Profile, ResolvedConfig, Warning, Workload } from '../types.ts'
import { composed } from './compose.ts'
import { type Dialect, dialectOf, translated } from './dl-driver.ts'
import { configError } from './errors.ts'
import { hydraFiles } from './hydra-files.ts'
import { interpolated, interpolatedText, type Surroundings } from './interpolation.ts'
import { type MapNode, plainTree, scalarNode, withNode } from './node.ts'
import { BEHAVIOUR, type Behaviour, PROFILES } from './profiles.ts'
import { type AllParts, readParts } from './read-parts.ts'
import { masked } from './secrets.ts'
import { Reading } from './section.ts'
import { folderUrl } from './storage-section.ts'

export interface ResolveOptions {
  /** Name of a workload; or `file`, a workload of its own. Neither: `default`, or what the overrides name. */
  readonly workload?: string
  readonly file?: string
  /** As on DLIO's command line. */
  readonly overrides?: readonly string[]
  /** A folder that holds `workload/NAME.yaml`. */
  readonly configDir?: string
  /** The primary config in that folder, instead of the one that is built in. */
  readonly configName?: string
  readonly profile?: Profile
  /** 1. What depends on it is checked by `planRun`. */
  readonly ranks?: number
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Of the run's folder. */
  readonly now?: Date
  /** What a file is written for; told on sight otherwise. */
  readonly dialect?: Dialect
  readonly naming?: DataSetSpec['naming']
}

/** A config and its overrides, as DLIO would take them. E_CONFIG, E_NOT_FOUND, E_USAGE say what is wrong and where. */
export async function resolveConfig(options: ResolveOptions): Promise<ResolvedConfig> {
  const profile = oneOf('profile', options.profile ?? 'default', PROFILES)
  const ranks = positiveInteger('ranks', options.ranks ?? 1)
  const behaviour = BEHAVIOUR[profile]
  const { env = process.env, now = new Date(), workload, file } = options
  if (workload !== undefined && file !== undefined)
    throw new HeadraceError('E_USAGE', `the config is ${show(file)}: no workload can be chosen beside it`)
  const found = await composed(options, profile)
  const raw = found.root.entries.get('workload')
  if (raw?.kind !== 'map')
    throw configError(raw?.place, 'there is no workload in the config', 'workload=NAME chooses one')
  const around: Surroundings = { env, now, cwd: process.cwd(), jobName: found.hydra.jobName }
  const whole = interpolated(found.root, around)

  const reading = new Reading()
  reading.warnings.push(...found.warnings)
  const body = whole.entries.get('workload') as MapNode
  const dialect = options.dialect ?? (file === undefined ? 'hydra' : dialectOf(body))
  const parts = readParts(behaviour.aliases ? translated(body, dialect, reading) : body, reading, {
    profile,
    env,
    format: behaviour.aliases && dialect === 'dl-driver' ? 'npz' : 'tfrecord',
  })

  const named = withNode(whole, ['workload', 'model', 'name'], scalarNode(parts.model.name, {})) as MapNode
  const runDir = interpolatedText(named, around, found.hydra.runDir)
  const fromEnv = behaviour.forkKeys ? env.DLIO_OUTPUT_FOLDER : undefined
  const outputFolder = parts.output.folder ?? (fromEnv || undefined) ?? runDir
  const tree = masked(raw)
  return {
    tree: plainTree(tree),
    resolved: reading.resolved,
    workload: workloadOf(parts, { profile, behaviour, ranks, env, outputFolder, naming: options.naming ?? 'dlio' }),
    storageOptions: parts.storage.options,
    overrides: [...(workload === undefined ? [] : [`workload=${workload}`]), ...found.task],
    outputFolder,
    hydra: {
      subdir: found.hydra.outputSubdir,
      files: hydraFiles({
        root: withNode(found.root, ['workload'], tree) as MapNode,
        composed: found,
        workload,
        runDir,
        outputDir: resolve(outputFolder),
      }),
    },
    query: parts.workflow.query,
    warnings: reading.warnings.toSorted(byPlace),
  }
}

/** In the order of the file; what has no place comes last. */
function byPlace(a: Warning, b: Warning): number {
  return (a.line ?? Infinity) - (b.line ?? Infinity) || (a.column ?? 0) - (b.column ?? 0) || 0
}

interface Context {
  readonly profile: Profile
  readonly behaviour: Behaviour
  readonly ranks: number
  readonly env: Readonly<Record<string, string | undefined>>
  readonly outputFolder: string
  readonly naming: DataSetSpec['naming']
}

/** The fork's seed of sizes, and of contents. */
const SEED = 10
const CHECKPOINT_ENDS = { tensorflow: 'pb', s3: 'pts3', other: 'pt' } as const

function workloadOf(parts: AllParts, context: Context): Workload {
  const { model, workflow, storage, dataset, reader, train, evaluation, checkpoint, output } = parts
  const { query: _, ...phases } = workflow
  const framework = parts.framework === 'tensorflow' ? 'tensorflow' : 'pytorch'
  const onS3 = storage.type === 's3' || /^s3:/i.test(checkpoint.folder)
  return {
    model: { name: model.name, type: model.type, size_bytes: model.sizeBytes },
    framework: parts.framework,
    workflow: phases,
    data: {
      url: folderUrl(dataset.folder, storage, true),
      format: dataset.format,
      filesTrain: dataset.filesTrain,
      filesValid: dataset.filesValid,
      subfoldersTrain: dataset.subfoldersTrain,
      subfoldersValid: dataset.subfoldersValid,
      samplesPerFile: dataset.samplesPerFile,
      naming: context.naming,
      prefix: dataset.prefix,
      record: dataset.record,
      options: dataset.options,
      seed: SEED,
      sizesSeed: SEED,
      ...(context.behaviour.sizesByRank && { sizesByRank: context.ranks }),
      dedup: 1,
      compress: 1,
    },
    keepFiles: dataset.keepFiles,
    reader: {
      batchSize: reader.batchSize,
      batchSizeEval: reader.batchSizeEval,
      readThreads: readThreads(reader.readThreads, context),
      computationThreads: reader.computationThreads,
      prefetch: reader.prefetch,
      fileShuffle: reader.fileShuffle,
      sampleShuffle: reader.sampleShuffle,
      shuffleSize: reader.shuffleSize,
      readType: reader.readType,
      transferSize: reader.transferSize,
      odirect: reader.odirect,
      dataLoader: reader.loader,
      preprocessTime: reader.preprocessTime,
      resizedBytes: resizedBytes(parts),
      dropLast: reader.dropLast,
    },
    train,
    evaluation,
    checkpoint: {
      url: folderUrl(checkpoint.folder, storage, false),
      spec: {
        framework,
        extension:
          framework === 'tensorflow' ? CHECKPOINT_ENDS.tensorflow : onS3 ? CHECKPOINT_ENDS.s3 : CHECKPOINT_ENDS.other,
        mode: checkpoint.mode,
        type: checkpoint.type,
        parallelism: model.parallelism,
        modelType: model.modelType,
        optimizerType: model.optimizerType,
        model: model.spec,
      },
      afterEpoch: checkpoint.afterEpoch,
      epochsBetween: checkpoint.epochsBetween,
      stepsBetween: checkpoint.stepsBetween,
      fsync: checkpoint.fsync,
      timeBetween: checkpoint.timeBetween,
      writes: checkpoint.writes,
      reads: checkpoint.reads,
      recoveryRankShift: checkpoint.recoveryRankShift,
      rankSync: checkpoint.rankSync,
      randomizeTensor: checkpoint.randomizeTensor,
    },
    output: {
      folder: context.outputFolder,
      logFile: output.logFile,
      excludeStartSteps: output.excludeStartSteps,
      excludeEndSteps: output.excludeEndSteps,
    },
    metricAu: parts.metricAu,
    recordLength: dataset.recordLength,
    iostatDevices: parts.profiling.iostatDevices,
    profile: context.profile,
  }
}

/** One stands for as many as there are cores a rank in the fork, which bounds them so that small machines survive. */
function readThreads(given: number, { behaviour, ranks, env }: Context): number {
  if (!behaviour.autoThreads || given !== 1) return given
  const most = Math.max(1, Math.floor(Number(env.DLIO_MAX_AUTO_THREADS ?? 8)) || 8)
  return Math.max(1, Math.min(Math.floor(availableCores() / ranks), most))
}

/** Bytes of the tensor that the trainer gets: DLIO's square of `record_length_bytes_resize`, or the transformed record. */
function resizedBytes({ dataset, reader }: AllParts): number | undefined {
  if (reader.transformedDims.length > 0)
    return reader.transformedDims.reduce((all, each) => all * each, reader.transformedSize)
  return dataset.resized > 0 ? Math.floor(Math.sqrt(dataset.resized)) ** 2 : undefined
}
