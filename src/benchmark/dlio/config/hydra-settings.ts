import { join } from 'node:path'
import { show } from '../../../checks.ts'
import type { Warning } from '../types.ts'
import { configError } from './errors.ts'
import { type ConfigNode, type MapNode, mapNode, nodeAt, nodeOf, plain, withNode } from './node.ts'
import type { Override } from './overrides.ts'

/** What of Hydra's own config is honoured. */
export interface HydraSettings {
  /** May hold interpolations and `${now:…}`. */
  readonly runDir: string
  /** Of the files that say what was run; null: none are written. */
  readonly outputSubdir: string | null
  readonly jobName: string
  /** Folders with configs, beside those of the command line. */
  readonly searchPath: readonly string[]
}

const DEFAULTS = nodeOf(
  {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Hydra's interpolation
    run: { dir: './hydra_log/${workload.model.name}/${now:%Y-%m-%d}-${now:%H-%M-%S}' },
    output_subdir: '.hydra',
    job: { name: 'main' },
    searchpath: [],
    mode: null,
    verbose: false,
  },
  {},
)

const HONOURED = ['run.dir', 'output_subdir', 'job.name', 'searchpath', 'mode', 'verbose']
/** What says how Hydra itself behaves, and changes nothing about a run. */
const QUIET = /^(?:hydra\/|job_logging|hydra_logging|help|hydra_help|launcher|sweeper|sweep|job\.chdir|env)/

export function hydraRoot(): MapNode {
  return mapNode([['hydra', DEFAULTS]], {})
}

/** Warns of overrides of Hydra's own keys that have no effect here. */
export function hydraWarning({ path, key, text }: Override): Warning | undefined {
  const below = key.startsWith('hydra/') ? key : path.slice(1).join('.')
  if (HONOURED.includes(below) || QUIET.test(below)) return undefined
  return { key, message: `override ${text} has no effect: of Hydra's own keys only ${HONOURED.join(', ')} count` }
}

export function hydraSettings(root: MapNode): HydraSettings {
  const mode = text(root, ['hydra', 'mode'])
  if (mode === 'MULTIRUN')
    throw configError(undefined, 'hydra.mode=MULTIRUN: sweeps are not run', 'run the command once for each value')
  const folders = nodeAt(root, ['hydra', 'searchpath'])
  return {
    runDir: text(root, ['hydra', 'run', 'dir']) ?? join('outputs', 'run'),
    outputSubdir: text(root, ['hydra', 'output_subdir']) ?? null,
    jobName: text(root, ['hydra', 'job', 'name']) ?? 'main',
    searchPath: folders?.kind === 'list' ? folders.items.map((item) => folderOf(item)) : [],
  }
}

function folderOf(node: ConfigNode): string {
  const value = plain(node)
  if (typeof value === 'string' && !/^pkg:\/\//.test(value)) return value.replace(/^file:\/\//, '')
  throw configError(node.place, `hydra.searchpath: ${show(value)} is no folder`)
}

function text(root: MapNode, path: readonly string[]): string | undefined {
  const node = nodeAt(root, path)
  if (node === undefined) return undefined
  if (node.kind !== 'scalar') throw configError(node.place, `${path.join('.')} must be a text`)
  return node.value === null ? undefined : String(node.value)
}

/** Hydra's config without what is looked at before everything else. */
export function withoutHydra(root: MapNode): MapNode {
  return withNode(root, ['hydra'], undefined) as MapNode
}
