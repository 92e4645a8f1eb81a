import { Command } from 'commander'
import { postprocess } from '../benchmark/dlio/postprocess/postprocess.ts'
import { despiteHeldThreads } from '../benchmark/dlio/run/held-threads.ts'
import { type RunOptions, runWorkload } from '../benchmark/dlio/run/index.ts'
import { discoverRank } from '../distributed/rank.ts'
import { HeadraceError } from '../errors.ts'
import {
  type ConfigFlags,
  configOf,
  dlioConfigCommand,
  printConfig,
  printWarnings,
  queried,
  withConfigFlags,
} from './dlio-config.ts'
import { showReport } from './dlio-report.ts'
import { flag } from './flags.ts'
import { RunMeter, startAll } from './ranks.ts'
import { interrupted, print, printJson } from './run.ts'
import { count, given, seconds, size } from './values.ts'

interface Flags
  extends ConfigFlags,
    Omit<RunOptions, 'signal' | 'onProgress' | 'onLine' | 'onRank' | 'store' | 'calibrate'> {
  readonly ranks?: number
  readonly calibration?: boolean
  readonly json?: boolean
  readonly progress?: boolean
}

const HELP = `
Overrides are Hydra's: key=value changes what is there, +key=value adds, ++key=value does either, ~key deletes; keys
begin with workload. or hydra. . What a run writes lies in hydra.run.dir: DLIO's files with DLIO's names.

Ranks are processes: --ranks starts them on this host; under mpirun, srun or torchrun each process is one.`

const EXAMPLE = `
Example:
  headrace dlio workload=unet3d_h100 ++workload.workflow.generate_data=True ++workload.dataset.data_folder=/mnt/data \\
    ++workload.dataset.num_files_train=56 ++workload.train.epochs=2 --ranks 2`

/** `headrace dlio` */
export function dlioCommand(): Command {
  const command = withConfigFlags(
    new Command('dlio').description(
      "run a DLIO workload: generate, train, evaluate, checkpoint; DLIO's configs, files and figures",
    ),
  )
    .addOption(flag('--ranks <n>', 'processes to start on this host', { parse: count, shown: '1' }))
    .addOption(flag('--coordinator <address>', 'HOST:PORT of rank 0, where the launcher does not say'))
    .addOption(
      flag('--join-timeout <seconds>', 'how long ranks may take to come together', { parse: seconds, shown: '120' }),
    )
    .addOption(
      flag('--on-error <policy>', 'a sample that cannot be read', { choices: ['fail', 'count'], shown: 'fail' }),
    )
    .addOption(flag('--timeout <seconds>', 'how long a batch may take', { parse: seconds, shown: '600' }))
    .addOption(flag('--ring-bytes <bytes>', 'batches that a rank reads ahead', { parse: size, shown: '1GiB' }))
    .addOption(
      flag('--hold-bytes <bytes>', 'files that a rank keeps under read_type: memory', {
        parse: size,
        shown: 'its share of half of what is free',
      }),
    )
    .option('--verify', 'compare each sample with what was generated')
    .option('--drop-caches', "make the system's page cache forget the data set before each epoch")
    .option('--no-calibration', 'do not measure afterwards what this host can show at most')
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', HELP)
    .addHelpText('after', EXAMPLE)
    .action(run)
  command.addCommand(dlioConfigCommand())
  command.addCommand(postprocessCommand())
  return command
}

async function run(overrides: readonly string[], flags: Flags): Promise<void> {
  const { ranks, config, configDir, configName, profile, naming, cfg, multirun, json, ...rest } = flags
  const { progress, calibration, ...options } = rest
  const info = discoverRank()
  if (ranks !== undefined && ranks > 1 && info.source === 'none') return startAll(ranks)
  if (ranks !== undefined && ranks !== info.worldSize)
    throw new HeadraceError('E_USAGE', `--ranks ${ranks}: the launcher has started ${info.worldSize}`, {
      hint: 'leave --ranks away under mpirun, srun and torchrun',
    })
  const resolved = await configOf(overrides, flags, { ranks: info.worldSize })
  const talks = info.rank === 0
  if (cfg !== undefined || resolved.query !== null) {
    if (cfg !== undefined) printConfig(resolved, cfg)
    else if (resolved.query !== null) print(String(queried(resolved, resolved.query)))
    return
  }
  if (talks) printWarnings(resolved.warnings)
  const meter = new RunMeter(talks, progress === true)
  const report = await despiteHeldThreads(() =>
    runWorkload(resolved, {
      ...given(options),
      calibrate: calibration !== false,
      signal: interrupted,
      onProgress: (at) => meter.show(at),
      onLine: (text) => {
        if (json === true) return
        meter.clear()
        for (const line of text.split('\n')) print(line)
      },
    }),
  ).finally(() => meter.clear())
  if (report === undefined) return
  if (json === true) printJson(report)
  else showReport(report)
}

function postprocessCommand(): Command {
  return new Command('postprocess')
    .description("write DLIO's report of a run from its output folder")
    .argument('<folder>', 'such as hydra_log/unet3d/2026-01-31-12-00-00')
    .addOption(flag('--name <name>', 'of the run, in the name of the report', { shown: "the model's" }))
    .option('--json', 'print the report as one JSON document')
    .addHelpText('after', '\nExample:\n  headrace dlio postprocess out/ && cat out/DLIO_unet3d_report.txt')
    .action(async (folder: string, { name, json }: { name?: string; json?: boolean }) => {
      const { report, path } = await postprocess(folder, given({ name }))
      if (json === true) printJson(report)
      else print(path)
    })
}
