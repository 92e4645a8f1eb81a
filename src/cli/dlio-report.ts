import type { RunReport } from '../benchmark/dlio/run/index.ts'
import { formatBytes, formatRate } from '../bytes.ts'
import type { Percentiles } from '../histogram.ts'
import { formatLatency } from '../storage/oplog/plot.ts'
import { print, printFacts } from './run.ts'
import { printTable } from './table.ts'

/** What stands behind each column of steps. */
const COLUMNS = [
  ['load', 'waiting for the batch'],
  ['compute', 'computation'],
  ['barrier', 'waiting for other ranks'],
  ['storage', "the batch's reader: storage"],
  ['decode', "the batch's reader: decoding"],
  ['queue', 'the batch in the queue'],
] as const

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const whole = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: value >= 100 ? 0 : 1 })

function row(what: string, { p50, p90, p99, p999, max }: Percentiles): string[] {
  return [what, ...[p50, p90, p99, p999, max].map(formatLatency)]
}

/** Behind DLIO's own block: what it does not tell. */
export function showReport(report: RunReport): void {
  const { figures, epochs, steps, verdict, notes } = report
  if (epochs.length > 0) {
    print()
    printTable(
      ['epoch', 'steps', 'samples/s by formula', 'by the clock', 'asked for', 'by the device'],
      epochs.map((epoch) => [
        String(epoch.epoch),
        whole(epoch.steps),
        whole(epoch.throughput),
        whole(epoch.wallThroughput),
        formatBytes(epoch.askedBytes),
        epoch.deviceBytes === undefined ? 'unknown' : formatBytes(epoch.deviceBytes),
      ]),
    )
  }
  const spreads = COLUMNS.flatMap(([name, what]) => {
    const of = steps[name]
    return of === null || (name === 'barrier' && report.ranks === 1) ? [] : [row(what, of)]
  })
  if (spreads.length > 0) {
    print()
    printTable(['of each step', 'p50', 'p90', 'p99', 'p99.9', 'max'], spreads)
  }
  print()
  const { load, compute, barrier, engine } = figures
  const time = load + compute + barrier + engine
  printFacts([
    ...(time > 0
      ? [
          [
            'time of steps',
            `computation ${percent(compute / time)}, waiting for batches ${percent(load / time)}, for other ranks ${percent(barrier / time)}, this tool ${percent(engine / time)}`,
          ] as const,
        ]
      : []),
    ...(figures.hostCpu === undefined || figures.ownCpu === undefined
      ? []
      : [
          [
            'host CPU',
            `${percent(figures.hostCpu)} of ${figures.cores} cores, ${percent(figures.ownCpu)} by this run`,
          ] as const,
        ]),
    ...(figures.askedBytes === 0 || time === 0
      ? []
      : [
          [
            'read',
            `${formatBytes(figures.askedBytes)}, ${formatRate((figures.askedBytes * report.ranks) / time)}`,
          ] as const,
        ]),
    ...(figures.calibratedAu === undefined
      ? []
      : [['calibration', `${figures.calibratedAu.toFixed(2)} % AU with storage that answers at once`] as const]),
    ...(report.faults > 0 ? [['not read', `${whole(report.faults)} samples`] as const] : []),
    ['outputs', report.outputFolder],
  ])
  for (const note of notes) print(`note: ${note}`)
  print(verdict.text)
}
