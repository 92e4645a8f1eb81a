import { Command, Option } from 'commander'
import { type BenchVisionOptions, type BenchVisionReport, benchVision } from '../benchmark/vision/index.ts'
import { formatBytes } from '../bytes.ts'
import { PRESETS } from '../vision/index.ts'
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
    .addOption(
      new Option('--pipeline <name>', 'what is done to every image').choices([...PRESETS]).makeOptionMandatory(),
    )
    .option('--size <pixels>', 'side of the output (default 224)', count)
    .option('--batch <n>', 'images a batch (default 256)', count)
    .option('--epochs <n>', 'epochs; the first is left out of the median (default 3)', count)
    .option('--threads <n>', 'decode threads (default: available cores)', count)
    .option('--prefetch <n>', 'batches made ahead (default 2)', count)
    .option('--shuffle', 'in shuffled order')
    .option('--seed <n>', 'of order and crops (default 0)', countFromZero)
    .addOption(new Option('--dtype <name>', 'element type (default uint8)').choices(['uint8', 'float16', 'float32']))
    .addOption(new Option('--layout <name>', 'axes (default nhwc)').choices(['nchw', 'nhwc']))
    .option('--ratio <share>', 'of the shorter side that `center` takes (default 1)', share)
    .addOption(
      new Option('--dct <method>', 'islow is exact, ifast is what other loaders use (default islow)').choices([
        'islow',
        'ifast',
      ]),
    )
    .option('--cold', "drop the cache's pages before the first epoch")
    .addOption(new Option('--on-error <policy>', 'what a bad image does').choices(['throw', 'skip', 'replace']))
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
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
      `${Math.round(report.imagesPerSecond).toLocaleString('en-US')} (median of the epochs after the first)`,
    ],
    ['CPU per image', `${(report.cpuSecondsPerImage * 1e6).toFixed(0)} us`],
    [
      'pipeline',
      `${report.pipeline} -> [${report.batchShape.join(', ')}] ${report.dtype} ${report.layout}, ${report.threads} thread(s), ${report.simd}`,
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
    ...(report.skipped > 0 ? [['skipped', `${report.skipped} images`] as const] : []),
  ])
}
