import { Command, Option } from 'commander'
import { PROFILES } from '../benchmark/dlio/config/profiles.ts'
import { type ResolveOptions, resolveConfig } from '../benchmark/dlio/config/resolve.ts'
import { type PlanSummary, planSummary } from '../benchmark/dlio/plan-summary.ts'
import type { Profile, ResolvedConfig, Warning } from '../benchmark/dlio/types.ts'
import { formatBytes } from '../bytes.ts'
import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { DataSetSpec } from '../generate/types.ts'
import { flag } from './flags.ts'
import { oneLine, print, printFacts, printJson } from './run.ts'
import { count, given } from './values.ts'

/** Flags of Hydra's command line that choose a config. */
export interface ConfigFlags {
  readonly configDir?: string
  readonly configName?: string
  readonly config?: string
  readonly profile: Profile
  readonly naming: DataSetSpec['naming']
  readonly cfg?: 'job' | 'hydra' | 'all'
  readonly multirun?: boolean
}

/** What every command takes that reads a config of DLIO's. */
export function withConfigFlags(command: Command): Command {
  return command
    .argument('[overrides...]', 'workload=NAME, and workload.a.b=value, +a=value, ++a=value, ~a')
    .addOption(flag('--config-dir <folder>', 'where workload/NAME.yaml is looked for, beside the published ones'))
    .addOption(flag('--config-name <name>', 'the primary config, of that folder'))
    .addOption(flag('--config <file>', 'a config that is the workload itself'))
    .addOption(
      flag('--profile <name>', 'whose behaviour holds where DLIOs differ', { choices: PROFILES, default: 'default' }),
    )
    .addOption(
      flag('--naming <name>', 'whose names data files have', { choices: ['dlio', 'dl-driver'], default: 'dlio' }),
    )
    .addOption(flag('--cfg <part>', 'print the config and end', { choices: ['job', 'hydra', 'all'] }))
    .addOption(new Option('-m, --multirun', 'run a sweep').hideHelp())
}

/** The config that overrides and flags name. */
export async function configOf(
  overrides: readonly string[],
  { configDir, configName, config, profile, naming, multirun }: ConfigFlags,
  more: Pick<ResolveOptions, 'ranks'> = {},
): Promise<ResolvedConfig> {
  if (multirun === true)
    throw new HeadraceError('E_USAGE', '--multirun: sweeps are not run', {
      hint: 'run the command once for each value',
    })
  return resolveConfig({ overrides, profile, naming, ...given({ configDir, configName, file: config }), ...more })
}

/** `--cfg`, as Hydra prints it: before interpolations. */
export function printConfig({ hydra: { files } }: ResolvedConfig, part: 'job' | 'hydra' | 'all'): void {
  if (part !== 'job') process.stdout.write(files['hydra.yaml'] ?? '')
  if (part !== 'hydra') process.stdout.write(files['config.yaml'] ?? '')
}

/** To stderr, one line each, the place in front where it is known. */
export function printWarnings(warnings: readonly Warning[]): void {
  for (const { message, file, line, column } of warnings) {
    const place = [file, line, column].filter((part) => part !== undefined).join(':')
    process.stderr.write(`warning: ${oneLine(place === '' ? message : `${place}: ${message}`)}\n`)
  }
}

interface Flags extends ConfigFlags {
  readonly ranks: number
  readonly json?: boolean
}

export function dlioConfigCommand(): Command {
  return withConfigFlags(
    new Command('config').description('show what a config comes to: every key, files, bytes, steps'),
  )
    .addOption(flag('--ranks <n>', 'processes of the run', { parse: count, default: 1 }))
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExample:\n  headrace dlio config workload=unet3d_h100 ++workload.reader.read_threads=8 --ranks 4',
    )
    .action(async (overrides: readonly string[], _: Flags, command: Command) => {
      // `headrace dlio` has flags of the same names, and takes them wherever they stand.
      const flags = command.optsWithGlobals<Flags>()
      const found = await configOf(overrides, flags, { ranks: flags.ranks })
      if (flags.cfg !== undefined) {
        printConfig(found, flags.cfg)
        return
      }
      if (found.query !== null && flags.json !== true) {
        print(String(queried(found, found.query)))
        return
      }
      const { plan, warnings } = summaryOf(found, flags.ranks)
      if (flags.json === true) printJson({ workload: found.resolved, plan, warnings })
      else showPlan(found, plan, warnings)
    })
}

/** The plan, and the warnings of the config and of the plan. */
export function summaryOf(
  { workload, warnings: told }: ResolvedConfig,
  ranks: number,
): { readonly plan: PlanSummary; readonly warnings: readonly Warning[] } {
  const { plan, warnings } = planSummary(workload, ranks)
  return { plan, warnings: [...told, ...warnings] }
}

/** The value of one key, `workload.` before it or not. */
export function queried({ resolved }: ResolvedConfig, key: string): unknown {
  let value: unknown = resolved
  for (const name of key.replace(/^workload\./, '').split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      throw new HeadraceError('E_CONFIG', `workflow.query: there is no key ${show(key)}`)
    value = (value as Record<string, unknown>)[name]
  }
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value
}

const number = (value: number) => value.toLocaleString('en-US')

function showPlan({ workload, outputFolder }: ResolvedConfig, plan: PlanSummary, warnings: readonly Warning[]): void {
  const { model, workflow, data, checkpoint } = workload
  const phases = ['generate_data', 'train', 'evaluation', 'checkpoint'] as const
  printFacts([
    ['model', model.name],
    ['phases', phases.filter((phase) => workflow[phase]).join(', ')],
    ['data', `${data.url}, ${data.format}`],
    ['files', `${number(plan.trainFiles)} to train, ${number(plan.evalFiles)} to evaluate`],
    ['samples', `${number(plan.samples)} of ${plan.recordShape.join(' x ')}, ${formatBytes(plan.recordBytes)} each`],
    ['bytes', formatBytes(plan.totalBytes)],
    ['steps', `${number(plan.stepsPerEpoch)} an epoch, ${number(plan.evalStepsPerEpoch)} an evaluation`],
    ...(plan.checkpoint === null
      ? []
      : [
          [
            'checkpoint',
            `${number(plan.checkpoint.files)} files, ${formatBytes(plan.checkpoint.totalBytes)}, in ${checkpoint.url}`,
          ] as const,
        ]),
    ['output', outputFolder],
  ])
  printWarnings(warnings)
}
