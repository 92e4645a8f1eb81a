import { resolve } from 'node:path'
import { show } from '../../../checks.ts'
import { HeadraceError } from '../../../errors.ts'
import type { Profile, Warning } from '../types.ts'
import { applied } from './apply.ts'
import { Composer, type Composition } from './defaults-list.ts'
import { readConfigFile, SearchPath } from './groups.ts'
import { type HydraSettings, hydraRoot, hydraSettings, hydraWarning, withoutHydra } from './hydra-settings.ts'
import { type ConfigNode, type MapNode, mapNode, merged } from './node.ts'
import { type Override, parseOverride } from './overrides.ts'

export interface ComposeOptions {
  /** Of a workload in the search path. */
  readonly workload?: string
  /** A file that is the workload itself. Not both. */
  readonly file?: string
  readonly overrides?: readonly string[]
  readonly configDir?: string
  readonly configName?: string
}

/** What Hydra would hand to DLIO, before interpolations. */
export interface Composed {
  /** With the key `workload`. */
  readonly root: MapNode
  readonly hydra: HydraSettings
  /** Overrides as they were given, those of Hydra's own keys apart. */
  readonly task: readonly string[]
  readonly hydraOverrides: readonly string[]
  readonly choices: ReadonlyMap<string, string>
  readonly warnings: readonly Warning[]
}

function isHydra({ key }: Override): boolean {
  return key === 'hydra' || key.startsWith('hydra.') || key.startsWith('hydra/')
}

/** Groups are chosen by their names alone: `workload=unet3d_h100`. */
function isChoice({ key, path }: Override): boolean {
  return key.includes('/') || (path.length === 1 && key === 'workload')
}

function choicesOf(overrides: readonly Override[]): Map<string, readonly string[]> {
  const chosen = new Map<string, readonly string[]>()
  for (const { op, key, value, text } of overrides) {
    if (op === 'force' || (op === 'add' && key === 'workload'))
      throw new HeadraceError('E_USAGE', `override ${show(text)}: a group takes ${key}=NAME, without +`)
    chosen.set(key, op === 'delete' ? [] : optionsOf(value, key, text))
  }
  return chosen
}

/** One name, or a list of those that are merged. */
function optionsOf(value: Override['value'], key: string, text: string): string[] {
  const node = value?.kind === 'value' ? value.node : undefined
  return (node?.kind === 'list' ? node.items : [node]).map((item) => {
    if (item?.kind === 'scalar' && typeof item.value === 'string' && item.value !== '') return item.value
    throw new HeadraceError('E_USAGE', `override ${show(text)}: ${key} takes the name of a config`)
  })
}

export async function composed(options: ComposeOptions, profile: Profile): Promise<Composed> {
  const { workload, file, configDir, configName } = options
  const overrides = (options.overrides ?? []).map(parseOverride)
  const ofHydra = overrides.filter(isHydra)
  const choices = overrides.filter((override) => !isHydra(override) && isChoice(override))
  const values = overrides.filter((override) => !isHydra(override) && !isChoice(override))
  const chosen = choicesOf(choices)
  if (workload !== undefined) {
    if (chosen.has('workload'))
      throw new HeadraceError('E_USAGE', `the workload is ${show(workload)}: no other can be chosen beside it`)
    chosen.set('workload', [workload])
  }
  if (file !== undefined && (chosen.has('workload') || configName !== undefined))
    throw new HeadraceError('E_USAGE', `the config is ${show(file)}: no workload can be chosen beside it`)

  const before = hydraTree(undefined, ofHydra)
  const folders = [...(configDir === undefined ? [] : [configDir]), ...hydraSettings(before).searchPath]
  const composition =
    file === undefined
      ? await fromSearchPath(
          new SearchPath(
            folders.map((folder) => resolve(folder)),
            profile,
          ),
          chosen,
          configName,
        )
      : await fromFile(file)
  const hydra = hydraSettings(hydraTree(composition.root.entries.get('hydra'), ofHydra))
  let root = withoutHydra(composition.root)
  for (const override of values) root = applied(root, override)
  return {
    root,
    hydra,
    task: overrides.filter((override) => !isHydra(override)).map(({ text }) => text),
    hydraOverrides: ofHydra.map(({ text }) => text),
    choices: composition.choices,
    warnings: [
      ...ofHydra.map(hydraWarning).filter((warning) => warning !== undefined),
      ...composition.hidden.map(({ file: used, hides }) => ({
        file: used,
        message: `there is another workload of this name, ${hides}, which is not used`,
      })),
    ],
  }
}

/** Hydra's own config: what is built in, what the primary config says, what the command line says. All of it may be added to. */
function hydraTree(own: ConfigNode | undefined, overrides: readonly Override[]): MapNode {
  let root = hydraRoot()
  if (own !== undefined) root = merged(root, mapNode([['hydra', own]], own.place)) as MapNode
  for (const override of overrides)
    if (!override.key.includes('/'))
      root = applied(root, override.op === 'delete' ? override : { ...override, op: 'force' })
  return root
}

async function fromSearchPath(
  path: SearchPath,
  chosen: ReadonlyMap<string, readonly string[]>,
  configName: string | undefined,
): Promise<Composition> {
  const composer = new Composer(path, chosen)
  return configName === undefined ? composer.builtIn() : composer.primary(configName)
}

/** The body of a workload, or a whole config such as `.hydra/config.yaml`, whose key `workload` is that body. */
async function fromFile(file: string): Promise<Composition> {
  const { root } = await readConfigFile(file)
  const inner = root.entries.get('workload')
  const rest = [...root.entries].filter(([key]) => key !== 'workload' && key !== 'hydra')
  const hydra = [...root.entries].filter(([key]) => key === 'hydra')
  const body = inner?.kind === 'map' ? merged(mapNode(rest, root.place), inner) : mapNode(rest, root.place)
  return { root: mapNode([...hydra, ['workload', body]], root.place), choices: new Map(), hidden: [] }
}
