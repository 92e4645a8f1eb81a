import type { Composed } from './compose.ts'
import { dumpYaml } from './dump.ts'
import { type MapNode, nodeOf } from './node.ts'

interface RunFacts {
  /** The whole config, interpolations as they are, secrets masked. */
  readonly root: MapNode
  readonly composed: Composed
  /** Chosen outside the overrides. */
  readonly workload: string | undefined
  readonly runDir: string
  /** Absolute. */
  readonly outputDir: string
}

/** `config.yaml`, `overrides.yaml` and `hydra.yaml`, as Hydra writes them; of Hydra's own config what counts here. */
export function hydraFiles({
  root,
  composed,
  workload,
  runDir,
  outputDir,
}: RunFacts): Readonly<Record<string, string>> {
  const { task, hydraOverrides, hydra, choices } = composed
  const all = [...(workload === undefined ? [] : [`workload=${workload}`]), ...task]
  const settings = {
    hydra: {
      run: { dir: runDir },
      mode: 'RUN',
      searchpath: hydra.searchPath,
      output_subdir: hydra.outputSubdir,
      overrides: { hydra: [...hydraOverrides, 'hydra.mode=RUN'], task: all },
      job: {
        name: hydra.jobName,
        override_dirname: all
          .filter((text) => !text.startsWith('~'))
          .sort()
          .join(','),
        config_name: 'config',
      },
      runtime: { cwd: process.cwd(), output_dir: outputDir, choices: Object.fromEntries(choices) },
      verbose: false,
    },
  }
  return {
    'config.yaml': dumpYaml(root),
    'overrides.yaml': all.length === 0 ? '[]\n' : dumpYaml(nodeOf(all, {})),
    'hydra.yaml': dumpYaml(nodeOf(settings, {})),
  }
}
