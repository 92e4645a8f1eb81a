import { isoLocal, secondsBetween, type Timestamp } from './clock.ts'
import { type EpochLog, type StepSpan, stepSpans } from './epoch-log.ts'
import type { HostFacts } from './host.ts'
import { Float, fixed, type PythonValue } from './python-json.ts'
import type { RunSummary } from './summary.ts'

/** The JSON files of a run, key by key as DLIO has them. */

type Entry = readonly [string, PythonValue]

const seconds = (start: Timestamp, end: Timestamp) => fixed(secondsBetween(start, end), 2)

function facts(name: string, values: ReadonlyMap<string, string> | undefined): readonly Entry[] {
  return values === undefined ? [] : [[name, values]]
}

/** A map of one figure over the blocks and the evaluation of an epoch. */
function perSpan(spans: readonly StepSpan[], of: (span: StepSpan) => PythonValue): ReadonlyMap<string, PythonValue> {
  return new Map(spans.map((span) => [span.name, of(span)]))
}

function epochOutput(epoch: EpochLog): ReadonlyMap<string, PythonValue> {
  const spans = stepSpans(epoch)
  return new Map<string, PythonValue>([
    ...(epoch.stepless ? [['start', isoLocal(epoch.start)] as const] : []),
    ['load', perSpan(spans, (span) => span.times.load)],
    ['proc', perSpan(spans, (span) => span.times.proc)],
    ['throughput', perSpan(spans, (span) => new Float(span.metrics.throughput))],
    ['au', perSpan(spans, (span) => new Float(span.metrics.au))],
    ['compute', perSpan(spans, (span) => span.times.compute)],
    ...(epoch.stepless ? [] : facts('host_meminfo', epoch.meminfo)),
    ...(epoch.end === undefined ? [] : [['end', isoLocal(epoch.end)] as const]),
  ])
}

/** `{rank}_output.json` */
export function rankOutput(host: HostFacts, mayBeCached: boolean, epochs: readonly EpochLog[]): PythonValue {
  return new Map<string, PythonValue>([
    ['host_memory_GB', new Float(host.memoryGb)],
    ['host_cpu_count', host.cpus],
    ['host_processor_name', ''],
    ['potential_caching', mayBeCached ? 1 : 0],
    ...facts('host_cpuinfo', host.cpuinfo),
    ...facts('host_meminfo', host.meminfo),
    ...epochs.map((epoch): Entry => [String(epoch.epoch), epochOutput(epoch)]),
    ['hostname', host.hostname],
  ])
}

function epochStats(epoch: EpochLog): ReadonlyMap<string, PythonValue> {
  const stats = new Map<string, PythonValue>([['start', isoLocal(epoch.start)]])
  const ended = () => {
    if (epoch.end !== undefined) stats.set('end', isoLocal(epoch.end))
    if (epoch.trained !== undefined) stats.set('duration', seconds(epoch.start, epoch.trained))
  }
  for (const span of epoch.spans) {
    const { name, start, end } = span
    if (name === 'eval') ended()
    const times: readonly Entry[] = [
      ['start', isoLocal(start)],
      ['end', isoLocal(end)],
    ]
    stats.set(
      name,
      new Map<string, PythonValue>(
        span.kind === 'steps'
          ? [...times, ['duration', seconds(start, end)]]
          : [...times, ['duration', new Float(secondsBetween(start, end))], ['throughput', new Float(span.throughput)]],
      ),
    )
  }
  ended()
  return stats
}

/** `{rank}_per_epoch_stats.json` */
export function perEpochStats(epochs: readonly EpochLog[]): PythonValue {
  return new Map(epochs.map((epoch): Entry => [String(epoch.epoch), epochStats(epoch)]))
}

function metricEntries(summary: RunSummary): readonly Entry[] {
  const { save, load, checkpointGb, train, evaluation } = summary
  const checkpoints = (name: 'save' | 'load', rates: RunSummary['save']): readonly Entry[] =>
    rates === undefined
      ? []
      : [
          [`${name}_checkpoint_io_mean_GB_per_second`, new Float(rates.rate.mean)],
          [`${name}_checkpoint_io_stdev_GB_per_second`, new Float(rates.rate.stdev)],
          [`${name}_checkpoint_duration_mean_seconds`, new Float(rates.duration.mean)],
          [`${name}_checkpoint_duration_stdev_seconds`, new Float(rates.duration.stdev)],
        ]
  const steps = (name: 'train' | 'eval', of: RunSummary['train']): readonly Entry[] =>
    of === undefined
      ? []
      : [
          [`${name}_au_percentage`, Float64Array.from(of.au)],
          [`${name}_au_mean_percentage`, new Float(of.auMean)],
          [`${name}_au_meet_expectation`, of.meets ? 'success' : 'fail'],
          [`${name}_au_stdev_percentage`, new Float(of.auStdev)],
          [`${name}_throughput_samples_per_second`, Float64Array.from(of.throughput)],
          [`${name}_throughput_mean_samples_per_second`, new Float(of.throughputMean)],
          [`${name}_throughput_stdev_samples_per_second`, new Float(of.throughputStdev)],
          [`${name}_io_mean_MB_per_second`, new Float(of.mbMean)],
          [`${name}_io_stdev_MB_per_second`, new Float(of.mbStdev)],
        ]
  return [
    ...checkpoints('save', save),
    ...checkpoints('load', load),
    ...(checkpointGb === undefined ? [] : [['checkpoint_size_GB', new Float(checkpointGb)] as const]),
    ...steps('train', train),
    ...steps('eval', evaluation),
  ]
}

/** What rank 0 knows of the run as a whole. */
export interface SummaryFacts {
  readonly start: Timestamp
  readonly end: Timestamp
  readonly ranks: number
  readonly host: HostFacts
  /** One each. */
  readonly hosts: readonly { readonly cpus: number; readonly memoryGb: number }[]
  readonly filesTrain: number
  readonly filesValid: number
  readonly samplesPerFile: number
  /** Of 2^30 bytes. */
  readonly dataPerHostGb: number
  readonly epochs: number
  readonly summary: RunSummary
  /** Why the run did not come to its end; DLIO has no such key, and a whole run neither. */
  readonly partial?: string
}

/** `summary.json` */
export function summaryOutput(run: SummaryFacts): PythonValue {
  const { host, hosts, dataPerHostGb } = run
  return new Map<string, PythonValue>([
    ['start', isoLocal(run.start)],
    ['num_accelerators', run.ranks],
    ['num_hosts', hosts.length],
    ['hostname', host.hostname],
    ['metric', new Map(metricEntries(run.summary))],
    ['num_files_train', run.filesTrain],
    ['num_files_eval', run.filesValid],
    ['num_samples_per_file', run.samplesPerFile],
    ['host_cpu_count', hosts.map((each) => each.cpus)],
    ['host_processor_name', ''],
    ['potential_caching', hosts.map((each) => (each.memoryGb <= dataPerHostGb ? 0 : 1))],
    ...facts('host_cpuinfo', host.cpuinfo),
    ...facts('host_meminfo', host.meminfo),
    ['host_memory_GB', Float64Array.from(hosts, (each) => each.memoryGb)],
    ['data_size_per_host_GB', new Float(dataPerHostGb)],
    ['epochs', run.epochs],
    ['end', isoLocal(run.end)],
    ...(run.partial === undefined ? [] : [['partial', run.partial] as const]),
  ])
}
