import { Command } from 'commander'
import { dumpYaml } from '../benchmark/dlio/config/dump.ts'
import { readConfigFile } from '../benchmark/dlio/config/groups.ts'
import { loaderOptions } from '../benchmark/dlio/config/loader-options.ts'
import { plainTree } from '../benchmark/dlio/config/node.ts'
import { PROFILES } from '../benchmark/dlio/config/profiles.ts'
import { resolveConfig } from '../benchmark/dlio/config/resolve.ts'
import { masked } from '../benchmark/dlio/config/secrets.ts'
import { problems } from '../benchmark/dlio/plan.ts'
import { recordOf } from '../benchmark/dlio/plan-summary.ts'
import type { Profile, ResolvedConfig } from '../benchmark/dlio/types.ts'
import { HeadraceError } from '../errors.ts'
import type { DataSetSpec } from '../generate/types.ts'
import { printWarnings, summaryOf } from './dlio-config.ts'
import { flag } from './flags.ts'
import { print, printFacts, printJson } from './run.ts'
import { count } from './values.ts'

interface Flags {
  readonly config: string
  readonly toJson?: boolean
  readonly toYaml?: boolean
  readonly profile: Profile
  readonly ranks: number
  readonly naming: DataSetSpec['naming']
}

export function validateCommand(): Command {
  return new Command('validate')
    .description("check a config of DLIO's or dl-driver's, or print it as JSON or YAML")
    .argument('[overrides...]', 'as of headrace dlio')
    .addOption(flag('-c, --config <file>', 'YAML or JSON', { required: true }))
    .option('--to-json', 'print the config as JSON, with the options of the loader that follow from it')
    .option('--to-yaml', 'print the config as YAML')
    .addOption(
      flag('--profile <name>', 'whose behaviour holds where DLIOs differ', { choices: PROFILES, default: 'default' }),
    )
    .addOption(flag('--ranks <n>', 'processes of the run', { parse: count, default: 1 }))
    .addOption(flag('--naming <name>', 'of data files', { choices: ['dlio', 'dl-driver'], default: 'dlio' }))
    .addHelpText('after', '\nExample:\n  headrace validate -c unet3d.yaml --to-json')
    .action(async (overrides: readonly string[], { config, toJson, toYaml, profile, ranks, naming }: Flags) => {
      if (toJson === true && toYaml === true)
        throw new HeadraceError('E_USAGE', '--to-json and --to-yaml: a config is printed as one of them')
      if (toYaml === true) {
        process.stdout.write(dumpYaml(masked((await readConfigFile(config)).root)))
        return
      }
      const found = await resolveConfig({ file: config, overrides, profile, ranks, naming })
      const { plan, warnings } = summaryOf(found, ranks)
      if (toJson === true) {
        const { root } = await readConfigFile(config)
        const derived = { loader_options: loaderOptions(found.workload), source: sourceOf(found), plan, warnings }
        printJson({ ...plainTree(masked(root)), ...derived })
        return
      }
      const [problem] = problems(found.workload, ranks)
      if (problem !== undefined) throw new HeadraceError('E_CONFIG', `${config}: ${problem}`)
      const { model, framework, data, reader } = found.workload
      printFacts([
        ['config', config],
        ['model', model.name],
        ['framework', framework],
        ['data', `${data.url}, ${plan.trainFiles} files of ${data.format}, ${data.samplesPerFile} samples each`],
        ['batch', String(reader.batchSize)],
        ['steps', `${plan.stepsPerEpoch} an epoch`],
      ])
      printWarnings(warnings)
      print('valid')
    })
}

/** Where the data are, and what a dataset of records needs to be told of them. Credentials are not among it. */
function sourceOf({ workload, storageOptions }: ResolvedConfig) {
  const { url, format, record, filesValid, samplesPerFile } = workload.data
  const { credentials: _, ...options } = storageOptions
  const remote = /^(?:s3|az|gs):/i.test(url)
  const query = new URLSearchParams()
  if (remote) for (const [name, value] of Object.entries(options)) query.set(name, String(value))
  const end = query.size === 0 ? '' : `?${query}`
  const varies = record.kind !== 'dims' && record.stdev > 0
  return {
    framework: workload.framework,
    format,
    train: `${url}/train${end}`,
    ...(filesValid > 0 && { valid: `${url}/valid${end}` }),
    dtype: record.kind === 'dims' ? record.dtype : 'uint8',
    ...(!varies && { shape: recordOf(workload).shape }),
    samples_per_file: samplesPerFile,
  }
}
