import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { resolveConfig } from '../../../../src/benchmark/dlio/config/resolve.ts'
import type { Profile, ResolvedConfig } from '../../../../src/benchmark/dlio/types.ts'

type Keys = Readonly<Record<string, unknown>>

/** Groups of a workload that differ from `MINIMAL`. */
export type Groups = Readonly<Record<string, Keys | string>>

/** A set of 12 + 4 small files, which are made, read and computed with in well under a second. */
const MINIMAL: Groups = {
  model: { name: 'minimal', model_size_bytes: 10_240 },
  framework: 'pytorch',
  workflow: { generate_data: true, train: true, evaluation: false, checkpoint: false },
  dataset: {
    data_folder: 'data',
    num_files_train: 12,
    num_files_eval: 4,
    num_samples_per_file: 2,
    record_length_bytes: 4096,
    format: 'npz',
  },
  reader: { data_loader: 'pytorch', batch_size: 3, batch_size_eval: 2, read_threads: 1 },
  train: { epochs: 2, computation_time: 0.001 },
  evaluation: { eval_time: 0.001 },
  checkpoint: { checkpoint_folder: 'checkpoints' },
}

/** A folder for a run and its config, data and outputs. */
export class RunPlace {
  readonly folder = mkdtempSync(join(tmpdir(), 'headrace-dlio-run-'))
  readonly out = join(this.folder, 'out')

  /** The config's file. */
  write(groups: Groups = {}): string {
    const merged: Record<string, unknown> = { ...MINIMAL }
    for (const [name, group] of Object.entries(groups)) {
      const base = MINIMAL[name]
      merged[name] = typeof group === 'string' || typeof base === 'string' ? group : { ...base, ...group }
    }
    for (const [group, key] of [
      ['dataset', 'data_folder'],
      ['checkpoint', 'checkpoint_folder'],
    ] as const) {
      const keys = merged[group] as Record<string, unknown>
      const value = String(keys[key])
      if (!value.includes('://')) merged[group] = { ...keys, [key]: join(this.folder, value) }
    }
    merged.output = { folder: this.out, ...(groups.output as Keys | undefined) }
    const path = join(this.folder, 'workload.yaml')
    mkdirSync(this.folder, { recursive: true })
    writeFileSync(path, stringify(merged))
    return path
  }

  config(groups: Groups = {}, profile: Profile = 'default'): Promise<ResolvedConfig> {
    return resolveConfig({ file: this.write(groups), profile })
  }

  json<T>(name: string): T {
    return JSON.parse(readFileSync(join(this.out, name), 'utf8')) as T
  }

  log(): string {
    return readFileSync(join(this.out, 'dlio.log'), 'utf8')
  }

  files(below = 'data'): string[] {
    return readdirSync(join(this.folder, below), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.\w+$/.test(name))
      .sort()
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
