import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import type { CheckpointSpan, EpochLog, StepSpan } from '../../../../src/benchmark/dlio/run/epoch-log.ts'
import type { Profile } from '../../../../src/benchmark/dlio/types.ts'

/** What DLIO itself wrote: see test/fixtures/dlio-runs/README.md. */
const FOLDER = fileURLToPath(new URL('../../../fixtures/dlio-runs/', import.meta.url))

type Numbers = Record<string, number[]>

export interface GoldenEpoch {
  readonly load: Numbers
  readonly proc: Numbers
  readonly compute: Numbers
  readonly au: Record<string, number>
  readonly throughput: Record<string, number>
  readonly host_meminfo?: Record<string, string>
  readonly start?: string
  readonly end: string
}

interface GoldenSpan {
  readonly start: string
  readonly end: string
  readonly duration: string | number
  readonly throughput?: number
}

type GoldenStats = Record<string, Record<string, string | GoldenSpan>>

export interface GoldenRun {
  readonly name: string
  readonly profile: Profile
  readonly ranks: number
  /** Of a file, as it is. */
  text(file: string): string
  json<T>(file: string): T
  /** Lines of its log. */
  readonly log: readonly string[]
  readonly batchSize: number
  readonly batchSizeEval: number
  readonly recordBytes: number
  readonly window: { readonly excludeStartSteps: number; readonly excludeEndSteps: number }
  readonly checkpoints: { readonly written: boolean; readonly read: boolean }
}

interface GoldenWorkload {
  readonly dataset: { readonly record_length_bytes: number }
  readonly reader: { readonly batch_size: number; readonly batch_size_eval: number }
  readonly checkpoint?: { readonly num_checkpoints_write?: number; readonly num_checkpoints_read?: number }
  readonly output?: { readonly metric?: { readonly exclude_start_steps?: number; readonly exclude_end_steps?: number } }
  readonly workflow: { readonly generate_data: boolean }
}

export const GOLDEN_RUNS: readonly string[] = readdirSync(FOLDER).filter((name) => !name.endsWith('.md'))

export function goldenRun(name: string): GoldenRun {
  const text = (file: string) => readFileSync(`${FOLDER}${name}/${file}`, 'utf8')
  const workload = parse(text('workload.yaml')) as GoldenWorkload
  const { checkpoint, output } = workload
  const line = name.replace(/^ck_/, '')[0]
  const profile = line === 'F' ? 'mlcommons-fork' : line === 'M' ? 'mlperf-v2' : 'dlio'
  let ranks = 0
  while (existsSync(`${FOLDER}${name}/${ranks}_output.json`)) ranks++
  // It forgets how long a record is where it has generated the data itself.
  const recordBytes = name === 'pt_gen_and_train' ? 1 : workload.dataset.record_length_bytes
  return {
    name,
    profile,
    ranks,
    text,
    json: (file) => JSON.parse(text(file).replaceAll(/\bNaN\b/g, 'null')),
    log: text('log.txt').split('\n'),
    batchSize: workload.reader.batch_size,
    batchSizeEval: workload.reader.batch_size_eval,
    recordBytes,
    window: {
      excludeStartSteps: output?.metric?.exclude_start_steps ?? 1,
      excludeEndSteps: output?.metric?.exclude_end_steps ?? 0,
    },
    checkpoints: {
      written: (checkpoint?.num_checkpoints_write ?? -1) > 0,
      read: (checkpoint?.num_checkpoints_read ?? -1) > 0,
    },
  }
}

/** Microseconds of a local time with six digits behind the second. */
export function micros(iso: string): number {
  const [, second = '', fraction = ''] = /^(.*)\.(\d{6})$/.exec(iso) ?? []
  return new Date(second).getTime() * 1000 + Number(fraction)
}

const epochNumbers = (output: Record<string, unknown>) =>
  Object.keys(output)
    .filter((key) => /^\d+$/.test(key))
    .map(Number)

/** A rank's epochs, as its two files have them. */
export function goldenEpochs(run: GoldenRun, rank: number): EpochLog[] {
  const output = run.json<Record<string, GoldenEpoch>>(`${rank}_output.json`)
  const stats = run.json<GoldenStats>(`${rank}_per_epoch_stats.json`)
  return epochNumbers(output).map((epoch) => {
    const of = output[String(epoch)] as GoldenEpoch
    const marks = stats[String(epoch)] as Record<string, string | GoldenSpan>
    const { start, duration } = marks
    const spans = Object.entries(marks).flatMap(([name, span]) =>
      typeof span === 'string' ? [] : [spanOf(name, span, of)],
    )
    const stepless = of.start !== undefined
    return {
      epoch,
      start: micros(String(start)),
      stepless,
      spans,
      meminfo: of.host_meminfo && new Map(Object.entries(of.host_meminfo)),
      // Only its two digits are known.
      trained: duration === undefined ? undefined : micros(String(start)) + Number(duration) * 1e6,
      end: micros(of.end),
    }
  })
}

function spanOf(name: string, span: GoldenSpan, epoch: GoldenEpoch): StepSpan | CheckpointSpan {
  const times = { name, start: micros(span.start), end: micros(span.end) }
  if (span.throughput !== undefined) return { kind: 'checkpoint', ...times, throughput: span.throughput }
  return {
    kind: 'steps',
    ...times,
    times: {
      load: Float64Array.from(epoch.load[name] ?? []),
      proc: Float64Array.from(epoch.proc[name] ?? []),
      compute: Float64Array.from(epoch.compute[name] ?? []),
      wall: (times.end - times.start) / 1e6,
    },
    metrics: { au: epoch.au[name] ?? Number.NaN, throughput: epoch.throughput[name] ?? Number.NaN },
  }
}
