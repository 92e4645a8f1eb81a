import { writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Command } from 'commander'
import { type ResolveOptions, resolveConfig } from '../benchmark/dlio/config/resolve.ts'
import { readReports } from '../benchmark/dlio/dl-driver/read-reports.ts'
import { aggregate, csvOf, mlperfReport, type RankReport, rankReport } from '../benchmark/dlio/dl-driver/reports.ts'
import { planRun } from '../benchmark/dlio/plan.ts'
import { meanOf } from '../benchmark/dlio/run/distribution.ts'
import { despiteHeldThreads } from '../benchmark/dlio/run/held-threads.ts'
import { type RankFigures, runWorkload } from '../benchmark/dlio/run/index.ts'
import type { ResolvedConfig } from '../benchmark/dlio/types.ts'
import { discoverRank } from '../distributed/rank.ts'
import { fromSystemError, HeadraceError } from '../errors.ts'
import { printWarnings } from './dlio-config.ts'
import { flag } from './flags.ts'
import { RunMeter, startAll } from './ranks.ts'
import { EXIT, interrupted, print, printJson } from './run.ts'
import { count, countFromZero, given, seconds, share } from './values.ts'

interface Flags {
  readonly config: string
  readonly pretty?: boolean
  readonly mlperf?: boolean
  readonly format?: 'json' | 'csv'
  readonly output?: string
  readonly results?: string
  readonly maxEpochs?: number
  readonly maxSteps?: number
  readonly poolSize?: number
  readonly readahead?: number
  readonly maxInflight?: number
  readonly timeout?: number
  readonly accelerators?: number
  readonly rank?: number
  readonly worldSize?: number
  readonly coordinator?: string
  readonly strictAu?: boolean
  readonly gpus?: boolean
  readonly useRealGpus?: boolean
  readonly filelist?: string
  readonly startAtEpoch?: string
  readonly shardStrategy?: 'interleaved' | 'contiguous' | 'hash'
  readonly progress?: boolean
}

const HELP = `
Reads configs of dl-driver's and DLIO's, told apart on sight. The report is the rank's, as dl-driver writes it, or its
MLPerf report; --results DIR keeps one file a rank there for \`headrace aggregate\`. DLIO's own files lie in the output folder
as of \`headrace dlio\`.`

/** `headrace run`; `legacy`: the form of configs that dl-driver had first. */
export function runCommand(name: 'run' | 'legacy' = 'run'): Command {
  const what =
    name === 'run'
      ? "run a config of dl-driver's or DLIO's, with dl-driver's reports"
      : "run a config of dl-driver's first form"
  return new Command(name)
    .description(what)
    .argument('[overrides...]', 'as of headrace dlio')
    .addOption(flag('-c, --config <file>', 'YAML or JSON', { required: true }))
    .option('--mlperf', 'report as for MLPerf, instead of the report of a rank')
    .option('--pretty', 'indent JSON')
    .addOption(flag('--format <name>', 'of the report', { choices: ['json', 'csv'], shown: 'json' }))
    .addOption(flag('-o, --output <file>', 'where the report goes', { shown: 'stdout' }))
    .addOption(flag('--results <folder>', 'keeps rank_N.json of each rank'))
    .addOption(flag('--max-epochs <n>', 'at most', { parse: count, shown: '3' }))
    .addOption(flag('--max-steps <n>', 'at most, of an epoch', { parse: count, shown: '1000' }))
    .addOption(
      flag('--pool-size <n>', 'samples that a thread reads at once from an object store', {
        parse: count,
        shown: '16',
      }),
    )
    .addOption(flag('--max-inflight <n>', 'bounds those of all threads', { parse: count, shown: '64' }))
    .addOption(flag('--readahead <n>', 'batches ahead', { parse: countFromZero, shown: "the config's" }))
    .addOption(flag('--timeout <seconds>', 'how long a batch may take', { parse: seconds, shown: '600' }))
    .addOption(flag('--accelerators <n>', 'ranks to start on this host', { parse: count, shown: '1' }))
    .addOption(flag('--rank <n>', 'of this process, where no launcher says', { parse: countFromZero }))
    .addOption(flag('--world-size <n>', 'how many there are', { parse: count }))
    .addOption(flag('--coordinator <address>', 'HOST:PORT of rank 0'))
    .option('--strict-au', 'fail below the AU that the config asks for')
    .option('--gpus', 'refused: computation is simulated')
    .option('--use-real-gpus', 'refused: computation is simulated')
    .option('--filelist <file>', 'refused: the names of files follow from the config')
    .option('--start-at-epoch <time>', 'refused: ranks begin together')
    .addOption(
      flag('--shard-strategy <name>', 'how samples are dealt to ranks; others than contiguous are refused', {
        choices: ['interleaved', 'contiguous', 'hash'],
        shown: 'contiguous',
      }),
    )
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', HELP)
    .addHelpText(
      'after',
      `\nExample:\n  headrace ${name} -c unet3d_config.yaml --results out/ranks && headrace aggregate -i 'out/ranks/*.json'`,
    )
    .action((overrides: readonly string[], flags: Flags) => runConfig(overrides, flags, name))
}

async function runConfig(overrides: readonly string[], flags: Flags, name: 'run' | 'legacy'): Promise<void> {
  refuseOthers(flags)
  announceRank(flags)
  const info = discoverRank()
  const { accelerators } = flags
  if (accelerators !== undefined && accelerators > 1 && info.source === 'none') return startAll(accelerators)
  const resolved = await bounded(overrides, flags, {
    ranks: info.worldSize,
    ...(name === 'legacy' && { dialect: 'legacy' }),
  })
  if (info.rank === 0) printWarnings(resolved.warnings)
  const { workload } = resolved
  const threads = Math.max(1, workload.reader.readThreads)
  const requests = Math.max(1, Math.min(flags.poolSize ?? 16, Math.floor((flags.maxInflight ?? 64) / threads)))
  const meter = new RunMeter(info.rank === 0, flags.progress === true)
  let figures: RankFigures | undefined
  await despiteHeldThreads(() =>
    runWorkload(resolved, {
      ...given({ timeout: flags.timeout, coordinator: flags.coordinator }),
      requests,
      calibrate: false,
      signal: interrupted,
      onProgress: (at) => meter.show(at),
      onRank: (own) => {
        figures = own
      },
    }),
  ).finally(() => meter.clear())
  if (figures === undefined) return
  const report = rankReport(workload, figures, meanOf(workload.train.computationTime))
  if (flags.results !== undefined) await keep(flags.results, report)
  if (info.rank === 0) tell(resolved, flags, figures, report)
  if (flags.strictAu === true && !report.metrics.au_pass) process.exitCode = EXIT.failed
}

/** Flags of dl-driver's that ask for what is not done here. */
function refuseOthers({ gpus, useRealGpus, filelist, startAtEpoch, shardStrategy = 'contiguous' }: Flags): void {
  const refuse = (message: string, hint: string): never => {
    throw new HeadraceError('E_UNSUPPORTED', message, { hint })
  }
  if (gpus === true || useRealGpus === true)
    refuse('computation is simulated: no GPU is used', 'leave --gpus and --use-real-gpus away')
  if (filelist !== undefined)
    refuse('--filelist: files are those that the config names', 'a set is described by its dataset keys')
  if (startAtEpoch !== undefined)
    refuse('--start-at-epoch: ranks wait for each other, and begin together', 'leave it away')
  if (shardStrategy !== 'contiguous')
    refuse(
      `--shard-strategy ${shardStrategy}: each rank reads samples that follow one another`,
      'reader.shuffle: true deals them in any order',
    )
}

/** What a launcher would say; --rank and --world-size go together. */
function announceRank({ rank, worldSize, accelerators, coordinator }: Flags): void {
  if (rank === undefined && worldSize === undefined) return
  if (rank === undefined || worldSize === undefined || rank >= worldSize)
    throw new HeadraceError('E_USAGE', '--rank and --world-size go together, the first below the second')
  if (accelerators !== undefined)
    throw new HeadraceError('E_USAGE', '--accelerators starts ranks itself: not with --rank')
  if (worldSize > 1 && coordinator === undefined)
    throw new HeadraceError('E_USAGE', '--world-size needs --coordinator, the address at which rank 0 is')
  process.env.RANK = String(rank)
  process.env.WORLD_SIZE = String(worldSize)
}

/** The config with the bounds of flags: fewer epochs and steps, where it asks for more. */
async function bounded(
  overrides: readonly string[],
  { config, maxEpochs = 3, maxSteps = 1000, readahead }: Flags,
  more: Pick<ResolveOptions, 'ranks' | 'dialect'>,
): Promise<ResolvedConfig> {
  const options = { file: config, ...more }
  const { workload } = await resolveConfig({ ...options, overrides })
  const { epochs } = workload.train
  const { stepsPerEpoch } = planRun(workload, more.ranks ?? 1)
  const bounds = [
    ...(epochs > maxEpochs ? [`++workload.train.epochs=${maxEpochs}`] : []),
    ...(stepsPerEpoch > maxSteps ? [`++workload.train.total_training_steps=${maxSteps}`] : []),
    ...(readahead === undefined ? [] : [`++workload.reader.prefetch_size=${readahead}`]),
  ]
  return resolveConfig({ ...options, overrides: [...overrides, ...bounds] })
}

async function keep(folder: string, report: RankReport): Promise<void> {
  const path = join(folder, `rank_${report.rank}.json`)
  try {
    await mkdir(folder, { recursive: true })
    writeFileSync(path, `${JSON.stringify(report, undefined, 2)}\n`)
  } catch (error) {
    throw fromSystemError(error, `writing ${path}`, { path })
  }
}

function tell({ workload, resolved }: ResolvedConfig, flags: Flags, figures: RankFigures, report: RankReport): void {
  const document = flags.mlperf === true ? mlperfReport(workload, figures, resolved, versions()) : report
  const text =
    flags.format === 'csv'
      ? csvOf(document)
      : `${flags.pretty === true ? JSON.stringify(document, undefined, 2) : JSON.stringify(document)}\n`
  write(flags.output, text)
}

function versions(): Readonly<Record<string, string>> {
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }
  return { headrace: version, node: process.versions.node }
}

function write(path: string | undefined, text: string): void {
  if (path === undefined) {
    process.stdout.write(text)
    return
  }
  try {
    writeFileSync(path, text)
  } catch (error) {
    throw fromSystemError(error, `writing ${path}`, { path })
  }
}

interface AggregateFlags {
  readonly input: string
  readonly output?: string
  readonly auThreshold?: number
  readonly strictAu?: boolean
}

/** `headrace aggregate` */
export function aggregateCommand(): Command {
  return new Command('aggregate')
    .description('sum up the reports of ranks that headrace run --results has kept')
    .addOption(flag('-i, --input <pattern>', "such as 'out/ranks/*.json'", { required: true }))
    .addOption(flag('-o, --output <file>', 'where the document goes', { shown: 'stdout' }))
    .addOption(flag('--au-threshold <share>', 'AU to reach', { parse: share, shown: '0.9' }))
    .option('--strict-au', 'fail below it')
    .addHelpText('after', "\nExample:\n  headrace aggregate -i 'out/ranks/*.json' --au-threshold 0.7")
    .action(({ input, output, auThreshold = 0.9, strictAu }: AggregateFlags) => {
      const report = aggregate(readReports(input), auThreshold)
      if (output === undefined) printJson(report)
      else {
        write(output, `${JSON.stringify(report, undefined, 2)}\n`)
        print(output)
      }
      if (strictAu === true && !report.global_metrics.pass) process.exitCode = EXIT.failed
    })
}
