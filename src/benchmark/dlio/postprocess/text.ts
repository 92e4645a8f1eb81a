import { CPU_COLUMNS, DEVICE_COLUMNS, type IostatStatistics } from './iostat.ts'
import type { PhaseTables, PostprocessReport } from './report.ts'
import { type ColumnStatistics, STATISTICS } from './statistics.ts'

/** The report as DLIO's postprocessor lays it out, so that what reads it goes on to work. */

const TAB = '    '
/** Of names of rows, within their indentation. */
const NAMES = 35
/** Of a cell. */
const CELL = 12

const DEVICE_NAMES: Readonly<Record<(typeof DEVICE_COLUMNS)[number], string>> = {
  'rMB/s': 'R Bandwidth (MB/s):',
  'wMB/s': 'W Bandwidth (MB/s):',
  'r/s': 'R IOPS:',
  'w/s': 'W IOPS:',
  r_await: 'Avg R Time (ms):',
  w_await: 'Avg W Time (ms):',
  'aqu-sz': 'Avg Queue Length:',
}

const CPU_NAMES: Readonly<Record<(typeof CPU_COLUMNS)[number], string>> = {
  user: 'User (%):',
  system: 'System (%):',
  iowait: 'IO Wait (%):',
  steal: 'Steal (%):',
  idle: 'Idle (%):',
}

const cells = (texts: readonly string[]) => texts.map((text) => `${text.padStart(CELL)} `).join('')
const row = (name: string, statistics: ColumnStatistics | undefined) =>
  `${name.padEnd(NAMES)}${cells(STATISTICS.map((column) => statistics?.[column].toFixed(2) ?? 'n/a'))}`

function iostatRows({ devices, cpu }: IostatStatistics): string[] {
  return [
    'I/O Stats (over all time segments)',
    ...[...devices].flatMap(([name, columns]) => [
      `  Device: ${name}`,
      ...DEVICE_COLUMNS.map((column) => row(`${TAB}${DEVICE_NAMES[column]}`, columns[column])),
      '',
    ]),
    'CPU Stats',
    ...CPU_COLUMNS.map((column) => row(`${TAB}${CPU_NAMES[column]}`, cpu[column])),
    '',
  ]
}

/** `over`: what the numbers of its throughput stand for. */
function tables(of: PhaseTables, over: string): string[] {
  const hasRates = 'samplesPerSecond' in of
  if (!hasRates && of.iostat === undefined) return []
  return [
    `${''.padEnd(NAMES)}${cells(STATISTICS)}`,
    `${''.padEnd(NAMES)}${'-'.repeat((CELL + 1) * STATISTICS.length - 1)}`,
    ...(hasRates
      ? [
          `Throughput Stats (over all ${over})`,
          row('  Samples/s:', of.samplesPerSecond),
          row('  MB/s (derived from Samples/s):', of.mbPerSecond),
          '',
        ]
      : []),
    ...(of.iostat === undefined ? [] : iostatRows(of.iostat)),
  ]
}

function described(facts: readonly (readonly [name: string, value: string | number])[]): string[] {
  const width = Math.max(...facts.map(([name]) => name.length)) + 8
  return [...facts.map(([name, value]) => `${name.padEnd(width)}${value}`), '']
}

const indented = (lines: readonly string[], depth: number) =>
  lines.map((line) => (line === '' ? '' : `${TAB.repeat(depth)}${line}`.trimEnd()))

const time = (iso: string) => iso.replace('T', ' ')

export function reportText(report: PostprocessReport): string {
  const lines = [
    'DLIO v1.0 Report',
    '',
    "Note: where there are less than two values, for example seconds of iostat, tables show 'n/a'.",
    '',
    'Overall',
    '',
    ...indented(
      described([
        ['Run name:', report.name],
        ['Started:', time(report.started)],
        ['Ended:', time(report.ended)],
        ['Duration (s):', report.duration.toFixed(2)],
        ['Num Ranks:', report.ranks],
        ['Batch size (per rank):', report.batchSize],
        ...(report.batchSizeEval === undefined ? [] : [['Eval batch size:', report.batchSizeEval] as const]),
      ]),
      1,
    ),
    ...indented(tables(report.overall, 'epochs'), 1),
    '',
    'Detailed Report',
    '',
    ...report.epochs.flatMap(({ epoch, started, ended, duration, phases }) => [
      `Epoch ${epoch}`,
      ...indented(
        described([
          ['Started:', time(started)],
          ['Ended:', time(ended)],
          ['Duration (s):', duration.toFixed(2)],
        ]),
        1,
      ),
      ...phases.flatMap((phase) => [
        `${TAB}${phase.title}`,
        ...indented(
          described([
            ['Started:', time(phase.started)],
            ['Ended:', time(phase.ended)],
            ['Duration (s):', phase.duration.toFixed(2)],
            ...(phase.loading === undefined
              ? []
              : [['Avg loading time / rank (s):', phase.loading.toFixed(2)] as const]),
            ...(phase.processing === undefined
              ? []
              : [['Avg processing time / rank (s):', phase.processing.toFixed(2)] as const]),
          ]),
          2,
        ),
        ...indented(tables(phase, 'steps'), 2),
      ]),
    ]),
  ]
  return `${lines.join('\n')}\n`
}
