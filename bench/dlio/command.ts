import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Watched, watch } from '../generate/watched.ts'
import type { Overrides } from './workloads.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
const COMMAND = join(root, 'dist', 'cli', 'headrace.cjs')

const peers = process.env.HEADRACE_PEERS
const dlio = peers === undefined ? undefined : join(peers, 'dlio-venv', 'bin', 'dlio_benchmark_mlperf')

/** DLIO's own command, of its branch mlperf_storage_v2.0, where it is installed. */
export const DLIO = dlio !== undefined && existsSync(dlio) ? dlio : undefined

const words = (overrides: Overrides) =>
  Object.entries(overrides).map(
    ([key, value]) => `++workload.${key}=${value === true ? 'True' : value === false ? 'False' : value}`,
  )

export interface Ran {
  readonly watched: Watched
  /** Its files of JSON. */
  json<T>(name: string): T
}

/** A workload of nothing but overrides, run by one of the two; the output folder is made anew. */
export async function runWorkload(
  by: 'headrace' | 'dlio',
  folder: string,
  overrides: Overrides,
  flags: readonly string[] = [],
): Promise<Ran> {
  const out = join(folder, 'out')
  const configs = join(folder, 'configs')
  rmSync(out, { recursive: true, force: true })
  mkdirSync(join(configs, 'workload'), { recursive: true })
  writeFileSync(join(configs, 'workload', 'bench.yaml'), 'model: {name: bench}\n')
  const keys = { 'dataset.data_folder': join(folder, 'data'), 'workflow.profiling': false, ...overrides }
  const args = ['workload=bench', `++hydra.run.dir=${out}`, ...words(keys), '--config-dir', configs]
  const watched =
    by === 'headrace'
      ? await watch(process.execPath, [COMMAND, 'dlio', ...args, ...flags], folder)
      : await watch(DLIO ?? '', args, folder)
  return { watched, json: (name) => JSON.parse(readFileSync(join(out, name), 'utf8')) as never }
}
