import { Command } from 'commander'
import {
  type BenchStorageOptions,
  type BenchStorageReport,
  benchStorage,
  STORAGE_OPS,
} from '../benchmark/storage/index.ts'
import { formatBytes, formatRate } from '../bytes.ts'
import type { Percentiles } from '../histogram.ts'
import { formatLatency } from '../storage/oplog/plot.ts'
import { flag } from './flags.ts'
import { ProgressLine } from './progress.ts'
import { EXIT, interrupted, print, printFacts, printJson } from './run.ts'
import { printTable } from './table.ts'
import { count, countFromZero, given, seconds, secondsFromZero, size } from './values.ts'

type Flags = Omit<BenchStorageOptions, 'signal' | 'onProgress'> & { json?: boolean; progress?: boolean }

/** Bytes a second: what a client of a training cluster is often asked to reach. */
const GOAL = 5e9

const HELP = `
Objects lie below headrace-bench/ at the URL. Those that are read, listed or deleted are made first where they are not
there; what a run has made is deleted afterwards, unless --keep. A list is one listing of all objects. mixed is 45 %
gets, 15 % puts, 10 % deletes and 30 % heads.

CPU is user and system time of this process, memory its peak from the beginning on.`

/** `headrace bench storage` */
export function storage(): Command {
  return new Command('storage')
    .description('operations a second, latencies and CPU of a store')
    .argument('<url>', 'a store, such as file:///mnt/data')
    .addOption(flag('--op <name>', 'what is measured', { choices: STORAGE_OPS, required: true }))
    .addOption(flag('--size <bytes>', 'of an object, up to 1GiB', { parse: size, shown: '128KiB' }))
    .addOption(flag('--objects <n>', 'how many there are', { parse: count, shown: '1000' }))
    .addOption(flag('--concurrency <n>', 'operations under way at once', { parse: count, shown: '32' }))
    .addOption(flag('--duration <seconds>', 'how long it is measured', { parse: seconds, shown: '10' }))
    .addOption(flag('--warmup <seconds>', 'before that, not measured', { parse: secondsFromZero, shown: '1' }))
    .addOption(flag('--workers <n>', 'threads, each with its own connections', { parse: count, shown: '1' }))
    .addOption(flag('--batch <n>', 'keys of one delete, up to 1000', { parse: count, shown: '1' }))
    .addOption(
      flag('--seed <n>', 'of the bytes that are written, and of the order of gets', {
        parse: countFromZero,
        shown: '0',
      }),
    )
    .option('--keep', 'leave the objects there, for the next run')
    .addOption(flag('--op-log <file>', 'write a log of every operation: .tsv, .ndjson, each also .zst'))
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', HELP)
    .addHelpText(
      'after',
      '\nExample:\n  headrace bench storage file:///mnt/data --op get --size 128KiB --concurrency 64 --duration 30',
    )
    .action(async (url: string, { json, progress, ...flags }: Flags) => {
      const line = new ProgressLine(progress === true)
      const report = await benchStorage(url, {
        ...given(flags),
        signal: interrupted,
        onProgress: ({ doing, done, total }) => line.update(doing, done, total, ''),
      }).finally(() => line.clear())
      if (json === true) printJson(report)
      else show(report, flags)
      if (Object.keys(report.errors).length > 0) process.exitCode = EXIT.partial
    })
}

const number = (value: number) =>
  Number(value.toPrecision(value >= 1000 ? 15 : 3)).toLocaleString('en-US', { maximumFractionDigits: 0 })
const rate = (value: number) => (value >= 100 ? number(value) : String(Number(value.toPrecision(3))))

function row(what: string, percentiles: Percentiles | null): string[] {
  if (percentiles === null) return [what, '-', '-', '-', '-', '-']
  const { p50, p90, p99, p999, max } = percentiles
  return [what, ...[p50, p90, p99, p999, max].map(formatLatency)]
}

function show(report: BenchStorageReport, { size = 128 * 1024, opLog }: Flags): void {
  const { op, concurrency, workers, objects, cpuSecondsPerOp, cpuSecondsPerGiB, errors } = report
  printTable(
    ['', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    [row('latency', report.latencyMs), ...(report.firstByteMs === null ? [] : [row('first byte', report.firstByteMs)])],
  )
  print()
  printFacts([
    ['store', report.url],
    [
      'measured',
      `${op} of ${number(objects)} objects of ${formatBytes(size)}, ${number(concurrency)} at once, ${workers} ${workers === 1 ? 'worker' : 'workers'}, ${report.seconds.toFixed(2)} s`,
    ],
    ['operations', `${rate(report.opsPerSecond)}/s`],
    ...(report.bytes === 0 ? [] : [['throughput', formatRate(report.bytesPerSecond)] as const]),
    [
      'CPU',
      [
        cpuSecondsPerOp === null ? 'no operation succeeded' : `${rate(cpuSecondsPerOp * 1e6)} us an operation`,
        ...(cpuSecondsPerGiB === null ? [] : [`${Number(cpuSecondsPerGiB.toPrecision(3))} s a GiB`]),
      ].join(', '),
    ],
    ...(cpuSecondsPerGiB === null
      ? []
      : [
          [
            '5 GB/s',
            `needs ${Number(((cpuSecondsPerGiB * GOAL) / 2 ** 30).toPrecision(3))} cores like these, by CPU, at this object size`,
          ] as const,
        ]),
    ['peak memory', formatBytes(report.peakRssBytes)],
    ...Object.entries(errors).map(([code, n]) => ['errors', `${number(n)} ${code}`] as const),
    ...(opLog === undefined ? [] : [['op-log', opLog] as const]),
  ])
}
