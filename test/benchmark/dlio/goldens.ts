import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Profile } from '../../../src/benchmark/dlio/types.ts'

/** Made by the real DLIOs: see test/fixtures/dlio/config/README.md. */
function golden<T>(name: string): T {
  const file = new URL(`../../fixtures/dlio/config/${name}.json.gz`, import.meta.url)
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as T
}

/** Of the DLIO that made a golden. */
export function profileOf(dlio: string): Profile {
  return dlio.includes('v2.0') ? 'mlperf-v2' : dlio.startsWith('mlcommons') ? 'mlcommons-fork' : 'dlio'
}

export interface ExpectedCheckpoint {
  readonly error?: string
  readonly files?: number
  readonly tensor_bytes?: number
}

export interface ExpectedWorkload {
  readonly loaded?: Readonly<Record<string, unknown>>
  readonly derived?: Readonly<Record<string, unknown>>
  readonly derive_error?: string
  readonly load_error?: string
  readonly record_shapes_first8?: readonly (readonly number[])[]
  readonly record_bytes_per_sample_all_files?: { readonly sum: number }
  readonly bytes_train_nominal?: number
  readonly steps_per_epoch?: Readonly<
    Record<string, { readonly train: number; readonly eval: number; readonly upstream_head_trims_files_to: number }>
  >
  readonly checkpoint?: Readonly<Record<string, ExpectedCheckpoint>>
}

export interface GoldenRun {
  readonly workload: string
  readonly dlio: string
  readonly ranks: number
  readonly exit: number
  readonly generatedFirst: boolean
  readonly checkpointFiles: readonly string[]
  readonly hydra?: Readonly<Record<string, string>>
  /** Steps of each block and evaluation, an epoch each. */
  readonly steps?: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Names of what was timed, an epoch each. */
  readonly stats?: Readonly<Record<string, readonly string[]>>
}

export const EXPECTED = {
  upstream: golden<Record<string, ExpectedWorkload>>('expected-upstream'),
  fork: golden<Record<string, ExpectedWorkload>>('expected-fork'),
}
export const RUNS = golden<Record<string, GoldenRun>>('runs')
export const GENERATED =
  golden<
    Record<string, { readonly workload: string; readonly ranks: number; readonly exit: number; readonly dlio: string }>
  >('gen')

/** What Hydra 1.3.2 makes of overrides and of configs with them. */
export const HYDRA = golden<{
  readonly values: readonly (readonly [text: string, kind: 'value' | 'error' | 'sweep', value: unknown])[]
  readonly keys: readonly (readonly [text: string, key: string | null])[]
  readonly workloads: Readonly<Record<string, string>>
  readonly composed: readonly (readonly [overrides: string[], tree: unknown])[]
}>('hydra')
