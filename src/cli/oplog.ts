import { basename } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { formatBytes, formatRate } from '../bytes.ts'
import type { Percentiles } from '../histogram.ts'
import { openStore } from '../storage/open.ts'
import { planReplay, REPLAYED_OPS, type ReplayPlan } from '../storage/oplog/plan.ts'
import { formatLatency, plotFormat, writeLatencyPlot } from '../storage/oplog/plot.ts'
import { OpLogReader } from '../storage/oplog/reader.ts'
import { type ReplayOptions, type ReplayReport, replayOpLog } from '../storage/oplog/replay.ts'
import { type OpLogSummary, OpLogTotals } from '../storage/oplog/summary.ts'
import { OpLogWriter } from '../storage/oplog/writer.ts'
import { flag } from './flags.ts'
import { ProgressLine } from './progress.ts'
import { EXIT, interrupted, print, printFacts, printJson } from './run.ts'
import { printTable } from './table.ts'
import { count, countFromZero, given, list } from './values.ts'

const SOURCES = `
Logs of headrace, s3dlio and MinIO warp are read: tables with a header, or JSON lines; plain, .gz or .zst.`

export function oplogCommand(): Command {
  return new Command('oplog').description('logs of storage operations').addCommand(summary()).addCommand(replay())
}

function plotFile(text: string): string {
  try {
    plotFormat(text)
  } catch {
    throw new InvalidArgumentError('It must end in .svg or .png.')
  }
  return text
}

function summary(): Command {
  return new Command('summary')
    .description('operations, bytes, rates, latencies and errors of an op-log')
    .argument('<file>')
    .addOption(flag('--plot <file>', 'draw the latencies, as .svg or .png', { parse: plotFile }))
    .option('--json', 'print one JSON document')
    .addHelpText('after', SOURCES)
    .addHelpText('after', '\nExample:\n  headrace oplog summary run.tsv.zst --plot latency.png')
    .action(async (path: string, { plot, json }: { plot?: string; json?: boolean }) => {
      const reader = new OpLogReader(path)
      const totals = new OpLogTotals()
      for await (const records of reader.batches({ signal: interrupted }))
        for (const record of records) totals.add(record)
      const found = totals.summary()
      if (plot !== undefined) await draw(plot, path, totals, found)
      if (json === true) {
        printJson({ path, cutOff: reader.cutOff, ...found })
        return
      }
      showSummary(found)
      print()
      printFacts([
        ['log', path],
        [
          'time',
          found.start === null
            ? 'no operation'
            : `${found.seconds.toFixed(3)} s from ${found.start}, ${found.workers} ${found.workers === 1 ? 'worker' : 'workers'}`,
        ],
        ...(reader.cutOff ? [['end', 'the log was cut off; what stands before has been read'] as const] : []),
        ...(plot === undefined ? [] : [['plot', plot] as const]),
      ])
    })
}

const number = (value: number) => value.toLocaleString('en-US')

function draw(
  plot: string,
  path: string,
  totals: OpLogTotals,
  { ops, count: all, seconds }: OpLogSummary,
): Promise<void> {
  const notes = new Map(
    ops.map(({ op, count: n, failed, bytesPerSecond, opsPerSecond }) => [
      op,
      [
        `${number(n)} ${n === 1 ? 'operation' : 'operations'}`,
        bytesPerSecond > 0 ? formatRate(bytesPerSecond) : `${number(Math.round(opsPerSecond))}/s`,
        ...(failed > 0 ? [`${number(failed)} failed`] : []),
      ],
    ]),
  )
  return writeLatencyPlot(plot, {
    title: 'Latency by operation',
    subtitle: `${basename(path)}: ${number(all)} operations in ${seconds.toFixed(1)} s`,
    rows: totals.latencies().map((row) => ({ ...row, notes: notes.get(row.op) ?? [] })),
  })
}

function times(percentiles: Percentiles | null): string[] {
  if (percentiles === null) return ['-', '-', '-', '-', '-']
  const { p50, p90, p99, p999, max } = percentiles
  return [p50, p90, p99, p999, max].map(formatLatency)
}

/** A row an operation, then the first bytes where there are any, then the errors. */
function showSummary({ ops }: OpLogSummary): void {
  printTable(
    ['operation', 'count', 'failed', 'bytes', 'ops/s', 'bytes/s', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    ops.map(({ op, count: n, failed, bytes, opsPerSecond, bytesPerSecond, latencyMs }) => [
      op,
      number(n),
      number(failed),
      formatBytes(bytes),
      number(Number(opsPerSecond.toPrecision(4))),
      formatRate(bytesPerSecond),
      ...times(latencyMs),
    ]),
  )
  const seen = ops.filter(({ firstByteMs }) => firstByteMs !== null)
  if (seen.length > 0) {
    print()
    printTable(
      ['first byte', 'p50', 'p90', 'p99', 'p99.9', 'max'],
      seen.map(({ op, firstByteMs }) => [op, ...times(firstByteMs)]),
    )
  }
  const failures = ops.flatMap(({ op, errors, messages }) =>
    Object.entries(errors).map(([kind, n]) => [op, number(n), kind, messages[kind] ?? '']),
  )
  if (failures.length > 0) {
    print()
    // Errors of other tools are their own messages.
    const columns = failures.some(([, , , message]) => message !== '') ? 4 : 3
    printTable(
      ['operation', 'failed', 'error', 'the first of them'].slice(0, columns),
      failures.map((row) => row.slice(0, columns)),
    )
  }
}

interface ReplayFlags extends Pick<ReplayOptions, 'ops' | 'strip' | 'prepare' | 'speed' | 'concurrency' | 'seed'> {
  to: string
  opLog?: string
  dryRun?: boolean
  json?: boolean
  progress?: boolean
}

function speedOf(text: string): number | 'max' {
  if (text === 'max') return 'max'
  const value = Number(text)
  if (text.trim() === '' || !(value >= 1e-3 && value <= 1e6))
    throw new InvalidArgumentError('It must be a number from 0.001 to 1000000, or max.')
  return value
}

const REPLAY_HELP = `
GET, GET_RANGE, PUT, HEAD (STAT), LIST, DELETE and DELETE_BATCH are done again; others, and what failed in the log, are
counted and left out. What PUT and DELETE name is overwritten and deleted at the target. Of a batch the log names the
first key only: the others that are deleted are made up, and are not there. A GET_RANGE of which the log does not say
where it began reads from the beginning.`

function replay(): Command {
  return new Command('replay')
    .description('do what an op-log says again, at another place, at the same times')
    .argument('<file>')
    .addOption(flag('--to <url>', 'where: the keys of the log go below it', { required: true }))
    .addOption(
      flag('--speed <factor>', 'times as fast as the log, such as 2 or 0.5; or max', { parse: speedOf, shown: '1' }),
    )
    .addOption(flag('--ops <names>', `only these, of ${REPLAYED_OPS.join(',')}`, { parse: list, shown: 'all' }))
    .addOption(flag('--concurrency <n>', 'operations under way at once', { parse: count, shown: '64' }))
    .addOption(
      flag('--strip <prefix>', 'what is taken off the URLs of the log to give keys', {
        shown: 'the folder that they have in common',
      }),
    )
    .option('--prepare', 'first make objects that are read and are not there')
    .addOption(flag('--seed <n>', 'of the bytes that are written', { parse: countFromZero, shown: '0' }))
    .addOption(flag('--op-log <file>', 'also write a log of the replay'))
    .option('--dry-run', 'only say what would be done')
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', REPLAY_HELP)
    .addHelpText('after', SOURCES)
    .addHelpText(
      'after',
      '\nExample:\n  headrace oplog replay run.tsv.zst --to file:///mnt/fast/replay --speed 2 --prepare',
    )
    .action(async (path: string, { to, opLog, dryRun, json, progress, ...flags }: ReplayFlags) => {
      if (dryRun === true) {
        const { prepared, ...plan } = await planReplay(new OpLogReader(path), { ...given(flags), signal: interrupted })
        if (json === true)
          printJson({ to, ...plan, ...(prepared === undefined ? {} : { objectsToPrepare: prepared.size }) })
        else showPlan(plan, to, prepared?.size)
        return
      }
      const line = new ProgressLine(progress === true)
      const store = await openStore(to)
      try {
        const sink = opLog === undefined ? undefined : await OpLogWriter.open(opLog)
        const report = await replayOpLog(path, store, {
          ...given(flags),
          ...(sink === undefined ? {} : { sink }),
          signal: interrupted,
          onProgress: ({ doing, done, total }) => line.update(doing, done, total, ''),
        }).finally(async () => {
          line.clear()
          await sink?.close()
        })
        if (json === true) printJson({ to: store.url, ...report })
        else showReplay(report, store.url)
        if (report.summary.failed > 0) process.exitCode = EXIT.partial
      } finally {
        await store.close()
      }
    })
}

function planFacts(
  { path, strip, operations, skipped, cutOff }: Omit<ReplayPlan, 'prepared'>,
  to: string,
): [string, string][] {
  const counts = Object.entries(operations).map(([op, n]) => `${number(n)} ${op}`)
  return [
    ['log', path],
    ['operations', counts.length === 0 ? 'none' : counts.join(', ')],
    [
      'keys',
      strip === '' ? `as they are, s3://b/k as s3/b/k, below ${to}` : `${strip}… becomes ${to.replace(/\/?$/, '/')}…`,
    ],
    ...Object.entries(skipped).map(([reason, n], i): [string, string] => [
      i === 0 ? 'left out' : '',
      `${number(n)} ${reason}`,
    ]),
    ...(cutOff ? [['end', 'the log was cut off'] as [string, string]] : []),
  ]
}

function showPlan(plan: Omit<ReplayPlan, 'prepared'>, to: string, prepared: number | undefined): void {
  printFacts([
    ...planFacts(plan, to),
    ['time', `${plan.seconds.toFixed(3)} s`],
    ['bytes', `${formatBytes(plan.bytesRead)} read, ${formatBytes(plan.bytesWritten)} written`],
    ...(prepared === undefined
      ? []
      : [['prepared', `${number(prepared)} objects that are read, where they are not there`] as const]),
  ])
}

function showReplay(report: ReplayReport, to: string): void {
  const { plan, prepared, seconds, plannedSeconds, latenessMs, speed, concurrency } = report
  showSummary(report.summary)
  print()
  printFacts([
    ...planFacts(plan, to),
    ...(prepared > 0 ? [['prepared', `${number(prepared)} objects`] as const] : []),
    [
      'time',
      plannedSeconds === null
        ? `${seconds.toFixed(3)} s, as fast as it went`
        : `${seconds.toFixed(3)} s; ${plannedSeconds.toFixed(3)} s from the first start to the last as planned, at ${speed} x`,
    ],
    ...(latenessMs === null
      ? []
      : [
          [
            'late',
            `p50 ${formatLatency(latenessMs.p50)}, p99 ${formatLatency(latenessMs.p99)}, max ${formatLatency(latenessMs.max)}; at most ${concurrency} at once`,
          ] as const,
        ]),
  ])
}
