import { Command } from 'commander'
import { type BenchVisionOptions, type BenchVisionReport, benchVision } from '../benchmark/vision/index.ts'
import { formatBytes } from '../bytes.ts'
import { PRESETS } from '../vision/index.ts'
import { flag } from './flags.ts'
import { pipelineHelp } from './pipelines.ts'
import { ProgressLine, rates } from './progress.ts'
import { interrupted, print, printFacts, printJson } from './run.ts'
import { count, countFromZero, given, share } from './values.ts'

type Flags = Omit<BenchVisionOptions, 'signal' | 'onProgress'> & { json?: boolean; progress?: boolean }

export function benchCommand(): Command {
  return new Command('bench').description('measure').addCommand(vision())
}

function vision(): Command {
  return new Command('vision')
    .description('images per second of an image cache')
    .argument('<cache>')
    .addOption(flag('--pipeline <name>', 'what is done to every image', { choices: PRESETS, required: true }))
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
    .addHelpText('after', '\nExample:\n  headrace bench vision photos.cache --pipeline rrc --threads 1 --json')
    .action(async (path: string, { json, progress, layout, ...flags }: Flags) => {
      const line = new ProgressLine(progress === true)
      const report = await benchVision(path, {
        ...given(flags),
        ...(layout === undefined ? {} : { layout: layout.toUpperCase() as 'NHWC' | 'NCHW' }),
        signal: interrupted,
        onProgress: ({ epoch, images, total, seconds }) =>
          line.update(`epoch ${epoch}`, images, total, rates(images, 0, seconds, total)),
      }).finally(() => line.clear())
      if (json === true) printJson(report)
      else show(report)
    })
}

function show(report: BenchVisionReport): void {
  const { cache, cold, memory } = report
  for (const { epoch, images, seconds, imagesPerSecond } of report.epochs)
    print(
      `epoch ${epoch}: ${images} images in ${seconds.toFixed(3)} s, ${Math.round(imagesPerSecond).toLocaleString('en-US')} images/s${epoch === 0 && cold !== undefined ? ' (cold)' : ''}`,
    )
  printFacts([
    [
      'images/s',
      `${Math.round(report.imagesPerSecond).toLocaleString('en-US')} (${report.epochs.length > 1 ? 'median of the epochs after the first' : 'of the only epoch'})`,
    ],
    ['CPU per image', `${(report.cpuSecondsPerImage * 1e6).toFixed(0)} us`],
    [
      'pipeline',
      `${report.pipeline} -> ${delivered(report)}, ${report.threads} ${report.threads === 1 ? 'thread' : 'threads'}, ${report.simd}`,
    ],
    ['cache', `${cache.images.toLocaleString('en-US')} images, ${formatBytes(cache.bytes)}, ${cache.encoding}`],
    ...(cold === undefined
      ? []
      : [
          [
            'cold epoch',
            `${(100 * cold.residentShare).toFixed(1)} % of pages in memory before it, ${cold.deviceBytes === undefined ? 'unknown' : formatBytes(cold.deviceBytes)} read from the device`,
          ] as const,
        ]),
    [
      'peak memory',
      `${formatBytes(report.peakRssBytes)}: slots ${formatBytes(memory.slotBytes)}, scratch ${formatBytes(memory.scratchBytes)}, the rest is Node.js and pages of the cache`,
    ],
    ...(['skipped', 'replaced'] as const).flatMap((what) =>
      report[what] > 0 ? [[what, `${report[what].toLocaleString('en-US')} images, over all epochs`] as const] : [],
    ),
  ])
}

/** "[256, 224, 224, 3] uint8 NHWC" */
function delivered({ pipeline, batchShape, dtype, layout }: BenchVisionReport): string {
  const shape = `[${batchShape.join(', ')}]${pipeline === 'decode' ? ' ragged' : ''}`
  return [shape, dtype, ...(layout === null ? [] : [layout])].join(' ')
}
