import type { RankFigures } from '../run/index.ts'
import type { Workload } from '../types.ts'

/** dl-driver's documents of a run, with its keys and units. */

const GIB = 2 ** 30

/** What one rank did. */
export interface RankReport {
  readonly rank: number
  /** Seconds since 1970, as those that follow. */
  readonly timestamp: number
  readonly start_time: number
  readonly end_time: number
  readonly config: {
    readonly data_folder: string
    readonly batch_size: number
    readonly epochs: number
    /** Seconds; of a distribution its mean. */
    readonly computation_time: number
  }
  readonly metrics: {
    readonly files_processed: number
    readonly bytes_read: number
    readonly bytes_written: number
    readonly batches_processed: number
    readonly storage_throughput_gib_s: number
    readonly total_read_time_ms: number
    readonly total_compute_time_ms: number
    readonly total_batch_time_ms: number
    readonly wall_clock_time_ms: number
    readonly average_batch_time_ms: number
    readonly au_fraction: number
    readonly au_percent: number
    readonly au_pass: boolean
  }
  readonly timing_details: {
    readonly batch_p50_ms: number
    readonly batch_p95_ms: number
    readonly batch_p99_ms: number
    readonly io_p50_ms: number
    readonly io_p95_ms: number
    readonly io_p99_ms: number
    readonly decode_p50_ms: number
    readonly decode_p95_ms: number
    readonly decode_p99_ms: number
  }
}

/** `computation`: seconds, on average. */
export function rankReport(workload: Workload, figures: RankFigures, computation: number): RankReport {
  const { data, reader, train, metricAu } = workload
  const { proc, storage, decode } = figures.quantiles
  const batch = 1000 * (figures.load + figures.compute)
  return {
    rank: figures.rank,
    timestamp: figures.ended / 1000,
    start_time: figures.started / 1000,
    end_time: figures.ended / 1000,
    config: {
      data_folder: data.url,
      batch_size: reader.batchSize,
      epochs: train.epochs,
      computation_time: computation,
    },
    metrics: {
      files_processed: Math.ceil(figures.samples / data.samplesPerFile),
      bytes_read: figures.bytesRead,
      bytes_written: figures.bytesWritten,
      batches_processed: figures.steps,
      storage_throughput_gib_s: figures.wall === 0 ? 0 : figures.bytesRead / GIB / figures.wall,
      total_read_time_ms: 1000 * figures.load,
      total_compute_time_ms: 1000 * figures.compute,
      total_batch_time_ms: batch,
      wall_clock_time_ms: 1000 * figures.wall,
      average_batch_time_ms: figures.steps === 0 ? 0 : batch / figures.steps,
      au_fraction: figures.au / 100,
      au_percent: figures.au,
      au_pass: figures.au >= 100 * metricAu,
    },
    timing_details: {
      batch_p50_ms: proc.p50,
      batch_p95_ms: proc.p95,
      batch_p99_ms: proc.p99,
      io_p50_ms: storage.p50,
      io_p95_ms: storage.p95,
      io_p99_ms: storage.p99,
      decode_p50_ms: decode.p50,
      decode_p95_ms: decode.p95,
      decode_p99_ms: decode.p99,
    },
  }
}

/** All ranks together. */
export interface AggregateReport {
  readonly total_ranks: number
  readonly global_metrics: {
    readonly total_throughput_gib_s: number
    readonly total_files_processed: number
    readonly total_bytes_read: number
    readonly global_runtime_seconds: number
    /** 0 to 1. */
    readonly global_au: number
    readonly pass: boolean
  }
  readonly rank_details: readonly RankReport[]
}

/** `threshold`: 0 to 1. The run lasted from the first start to the last end; AU is the mean of the ranks. */
export function aggregate(reports: readonly RankReport[], threshold: number): AggregateReport {
  const sum = (of: (report: RankReport) => number) => reports.reduce((total, report) => total + of(report), 0)
  const runtime =
    Math.max(...reports.map((report) => report.end_time)) - Math.min(...reports.map((report) => report.start_time))
  const bytes = sum(({ metrics }) => metrics.bytes_read)
  const au = sum(({ metrics }) => metrics.au_fraction) / reports.length
  return {
    total_ranks: reports.length,
    global_metrics: {
      total_throughput_gib_s: sum(({ metrics }) => metrics.storage_throughput_gib_s),
      total_files_processed: sum(({ metrics }) => metrics.files_processed),
      total_bytes_read: bytes,
      global_runtime_seconds: runtime,
      global_au: au,
      pass: au >= threshold,
    },
    rank_details: [...reports].sort((a, b) => a.rank - b.rank),
  }
}

export interface MlperfReport {
  readonly benchmark_name: string
  readonly backend_type: string
  readonly framework: string
  readonly total_samples: number
  readonly total_bytes: number
  readonly throughput_samples_per_sec: number
  readonly p50_ms: number
  readonly p95_ms: number
  readonly p99_ms: number
  readonly io_p50_ms: number
  readonly io_p95_ms: number
  readonly io_p99_ms: number
  readonly decode_p50_ms: number
  readonly decode_p95_ms: number
  readonly decode_p99_ms: number
  /** To a device, of which there is none: 0. */
  readonly h2d_p50_ms: number
  readonly h2d_p95_ms: number
  readonly h2d_p99_ms: number
  readonly config: Readonly<Record<string, unknown>>
  readonly versions: Readonly<Record<string, string>>
  readonly total_execution_time_secs: number
  readonly access_order_sample: readonly string[]
}

export function mlperfReport(
  workload: Workload,
  figures: RankFigures,
  config: Readonly<Record<string, unknown>>,
  versions: Readonly<Record<string, string>>,
): MlperfReport {
  const { proc, storage, decode } = figures.quantiles
  return {
    benchmark_name: workload.model.name,
    backend_type: /^([a-z][a-z0-9+.-]*):/i.exec(workload.data.url)?.[1] ?? 'file',
    framework: workload.framework,
    total_samples: figures.samples,
    total_bytes: figures.bytesRead,
    throughput_samples_per_sec: figures.wall === 0 ? 0 : figures.samples / figures.wall,
    p50_ms: proc.p50,
    p95_ms: proc.p95,
    p99_ms: proc.p99,
    io_p50_ms: storage.p50,
    io_p95_ms: storage.p95,
    io_p99_ms: storage.p99,
    decode_p50_ms: decode.p50,
    decode_p95_ms: decode.p95,
    decode_p99_ms: decode.p99,
    h2d_p50_ms: 0,
    h2d_p95_ms: 0,
    h2d_p99_ms: 0,
    config,
    versions,
    total_execution_time_secs: (figures.ended - figures.started) / 1000,
    access_order_sample: figures.firstSamples,
  }
}

/** One line of names and one of values: of nested objects with dots between, of lists with spaces. */
export function csvOf(document: object): string {
  const cells: [string, string][] = []
  const add = (name: string, value: unknown) => {
    if (Array.isArray(value)) cells.push([name, value.map(String).join(' ')])
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) add(name === '' ? key : `${name}.${key}`, inner)
    else cells.push([name, String(value)])
  }
  add('', document)
  const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  return [cells.map(([name]) => quoted(name)), cells.map(([, value]) => quoted(value))]
    .map((row) => `${row.join(',')}\n`)
    .join('')
}
