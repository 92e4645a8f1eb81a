import type { BenchVisionReport, Preset } from 'headrace'
import { runJson } from './command.ts'
import { cli } from './places.ts'

export interface BenchRequest {
  readonly cache: string
  readonly pipeline: Preset
  readonly batch: number
  /** Timed epochs; one more comes before them. */
  readonly epochs: number
  readonly threads: number
  readonly cores: string
  readonly more?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** What a user would type: `headrace bench vision`. */
export function benchHeadrace({
  cache,
  pipeline,
  batch,
  epochs,
  threads,
  cores,
  more = [],
  env = {},
}: BenchRequest): Promise<BenchVisionReport> {
  const options = { pipeline, batch, epochs: epochs + 1, threads }
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  return runJson([process.execPath, cli, 'bench', 'vision', cache, ...flags, ...more, '--json'], { cores, env })
}
