import { Command } from 'commander'
import {
  type BenchProtocolReport,
  type BenchVisionOptions,
  type BenchVisionReport,
  benchProtocol,
  benchVision,
  PROTOCOLS,
  type Protocol,
  type ProtocolRun,
} from '../benchmark/vision/index.ts'
import { formatBytes } from '../bytes.ts'
import { PRESETS, type Preset } from '../vision/index.ts'
import { storage } from './bench-storage.ts'
import { flag } from './flags.ts'
import { pipelineHelp } from './pipelines.ts'
import { ProgressLine, rates } from './progress.ts'
import { interrupted, print, printFacts, printJson } from './run.ts'
import { printTable } from './table.ts'
import { count, countFromZero, given, share } from './values.ts'

/** What the library takes, from flags. */
type Given = Omit<BenchVisionOptions, 'pipeline' | 'onProgress'>
type Flags = Omit<Given, 'signal'> & { pipeline?: Preset; protocol?: Protocol; json?: boolean; progress?: boolean }

const EXAMPLE = `
Example:
  headrace bench vision photos.cache --pipeline rrc --threads 1 --json
  headrace bench vision photos.cache --protocol slipstream`

const PROTOCOL_HELP = `
Protocols:
  slipstream  raw, decode, center (the central --size pixels as they are), rrc, and two rrc views of every image from
              one decode; each in sequential and in shuffled order, three epochs: one cold, two warm. It takes --size,
              --batch, --threads, --dtype and --layout.`

export function benchCommand(): Command {
  return new Command('bench').description('measure').addCommand(vision()).addCommand(storage())
}

function vision(): Command {
  return new Command('vision')
    .description('images per second of an image cache')
    .argument('<cache>')
    .addOption(
      flag('--pipeline <name>', 'what is done to every image; this or --protocol is required', { choices: PRESETS }),
    )
    .addOption(flag('--protocol <name>', 'in place of --pipeline: a fixed set of measurements', { choices: PROTOCOLS }))
    .addOption(flag('--size <pixels>', 'side of the output', { parse: count, shown: '224' }))
    .addOption(flag('--batch <n>', 'images a batch', { parse: count, shown: '256' }))
    .addOption(
      flag('--epochs <n>', 'epochs; the first of several is left out of the median', { parse: count, shown: '3' }),
    )
    .addOption(flag('--threads <n>', 'decode threads', { parse: count, shown: 'available cores' }))
    .addOption(flag('--prefetch <n>', 'batches made ahead', { parse: count, shown: '2' }))
    .option('--shuffle', 'in shuffled order')
    .addOption(flag('--seed <n>', 'of order and crops', { parse: countFromZero, shown: '0' }))
    .addOption(flag('--dtype <name>', 'element type', { choices: ['uint8', 'float16', 'float32'], shown: 'uint8' }))
    .addOption(flag('--layout <name>', 'axes', { choices: ['nchw', 'nhwc'], shown: 'nhwc' }))
    .addOption(flag('--ratio <share>', 'of the shorter side that center takes', { parse: share, shown: '1' }))
    .addOption(
      flag('--dct <method>', 'islow is exact, ifast is what other loaders use', {
        choices: ['islow', 'ifast'],
        shown: 'islow',
      }),
    )
    .option('--cold', "drop the cache's pages before the first epoch")
    .addOption(
      flag('--on-error <policy>', 'what a bad image does', { choices: ['throw', 'skip', 'replace'], shown: 'throw' }),
    )
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', pipelineHelp())
    .addHelpText('after', PROTOCOL_HELP)
    .addHelpText('after', EXAMPLE)
    .action(async (path: string, { json, progress, layout, pipeline, protocol, ...flags }: Flags, command: Command) => {
      const options: Given = {
        ...given(flags),
        ...(layout === undefined ? {} : { layout: layout.toUpperCase() as 'NHWC' | 'NCHW' }),
        signal: interrupted,
      }
      const line = new ProgressLine(progress === true)
      // A pipeline beside a protocol is for the library to refuse, as every option that a protocol fixes.
      if (protocol !== undefined) await runProtocol(path, { ...options, ...given({ pipeline }), protocol }, line, json)
      else if (pipeline !== undefined) await runPipeline(path, { ...options, pipeline }, line, json)
      else command.error("error: required option '--pipeline <name>' or '--protocol <name>' not specified")
    })
}

async function runPipeline(
  path: string,
  options: Given & { readonly pipeline: Preset },
  line: ProgressLine,
  json = false,
): Promise<void> {
  const report = await benchVision(path, {
    ...options,
    onProgress: ({ epoch, images, total, seconds }) =>
      line.update(`epoch ${epoch}`, images, total, rates(images, 0, seconds, total)),
  }).finally(() => line.clear())
  if (json) printJson(report)
  else show(report)
}

async function runProtocol(
  path: string,
  options: Given & { readonly protocol: Protocol },
  line: ProgressLine,
  json = false,
): Promise<void> {
  const report = await benchProtocol(path, {
    ...options,
    onProgress: ({ run, runs, operation, order, epoch, images, total, seconds }) =>
      line.update(
        `${run + 1}/${runs} ${operation} ${order} epoch ${epoch}`,
        images,
        total,
        rates(images, 0, seconds, total),
      ),
  }).finally(() => line.clear())
  if (json) printJson(report)
  else showProtocol(report)
}

const number = (value: number) => Math.round(value).toLocaleString('en-US')
const percent = (share: number) => `${(100 * share).toFixed(1)} %`
const withThreads = (threads: number) => `${threads} ${threads === 1 ? 'thread' : 'threads'}`

function show(report: BenchVisionReport): void {
  const { cold, memory } = report
  for (const { epoch, images, seconds, imagesPerSecond } of report.epochs)
    print(
      `epoch ${epoch}: ${images} images in ${seconds.toFixed(3)} s, ${number(imagesPerSecond)} images/s${epoch === 0 && cold !== undefined ? ' (cold)' : ''}`,
    )
  printFacts([
    [
      'images/s',
      `${number(report.imagesPerSecond)} (${report.epochs.length > 1 ? 'median of the epochs after the first' : 'of the only epoch'})`,
    ],
    ['CPU per image', `${(report.cpuSecondsPerImage * 1e6).toFixed(0)} us`],
    ['pipeline', `${report.pipeline} -> ${delivered(report)}, ${withThreads(report.threads)}, ${report.simd}`],
    ['cache', describeCache(report)],
    ...(cold === undefined
      ? []
      : [
          [
            'cold epoch',
            `${percent(cold.residentShare)} of pages in memory before it, ${cold.deviceBytes === undefined ? 'unknown' : formatBytes(cold.deviceBytes)} read from the device`,
          ] as const,
        ]),
    [
      'peak memory',
      `${formatBytes(report.peakRssBytes)}: slots ${formatBytes(memory.slotBytes)}, scratch ${formatBytes(memory.scratchBytes)}, the rest is Node.js and pages of the cache`,
    ],
    ...(['skipped', 'replaced'] as const).flatMap((what) =>
      report[what] > 0 ? [[what, `${number(report[what])} images, over all epochs`] as const] : [],
    ),
  ])
}

/** A row per run: the rates of its epochs, what a batch of it is, and what the cold epoch found and read. */
function showProtocol(report: BenchProtocolReport): void {
  const { runs, dtype, layout, threads } = report
  print('images/s of three epochs; before the first, the cache is dropped from memory')
  printTable(
    ['operation', 'order', 'cold', 'warm', 'warm', 'batch shape', 'resident before', 'MiB from device'],
    runs.map(({ operation, order, epochs, ...batch }) => [
      operation,
      order,
      ...epochs.map(({ imagesPerSecond }) => number(imagesPerSecond)),
      shapeOf({ operation, ...batch }),
      ...epochs
        .slice(0, 1)
        .flatMap(({ residentBefore, deviceBytes }) => [
          percent(residentBefore),
          deviceBytes === undefined ? 'unknown' : (deviceBytes / 2 ** 20).toFixed(1),
        ]),
    ]),
  )
  print()
  printFacts([
    ['protocol', `${report.protocol}: ${dtype} ${layout} (raw: the stored bytes), ${withThreads(threads)}`],
    ['cache', describeCache(report)],
    ['peak memory', `${formatBytes(report.peakRssBytes)}, with pages of the cache`],
  ])
}

function describeCache({ cache }: BenchVisionReport | BenchProtocolReport): string {
  return `${number(cache.images)} images, ${formatBytes(cache.bytes)}, ${cache.encoding}`
}

/** "[256, 224, 224, 3] uint8 NHWC" */
function delivered({ pipeline, batchShape, dtype, layout }: BenchVisionReport): string {
  return [shapeOf({ operation: pipeline, batchShape }), dtype, ...(layout === null ? [] : [layout])].join(' ')
}

/** "[256] ragged", "2 x [256, 224, 224, 3]" */
function shapeOf({ operation, batchShape, views }: Pick<ProtocolRun, 'batchShape' | 'views'> & { operation: string }) {
  const shape = `[${batchShape.join(', ')}]`
  if (operation === 'decode') return `${shape} ragged`
  return views === undefined ? shape : `${views.length} x ${shape}`
}
