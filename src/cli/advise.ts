import { Command } from 'commander'
import {
  type AdviseOptions,
  type AdviseReport,
  adviseEncoding,
  type MeasuredEncoding,
  nameOf,
} from '../benchmark/vision/index.ts'
import { formatBytes } from '../bytes.ts'
import { flag } from './flags.ts'
import { ProgressLine } from './progress.ts'
import { interrupted, print, printFacts, printJson } from './run.ts'
import { printTable } from './table.ts'
import { count, given } from './values.ts'

type Flags = Pick<AdviseOptions, 'samples' | 'size' | 'threads'> & { json?: boolean; progress?: boolean }

/** `headrace cache advise` */
export function advise(): Command {
  return new Command('advise')
    .description('try every encoding on samples of a source: bytes, images per second here, pixels; and recommend one')
    .argument('<source>', 'folder of pictures, or a cache (jpeg or dct)')
    .addOption(flag('--samples <n>', 'pictures tried, spread evenly over the source', { parse: count, shown: '256' }))
    .addOption(flag('--size <pixels>', 'side of the random crops that are timed', { parse: count, shown: '224' }))
    .addOption(flag('--threads <n>', 'decode threads', { parse: count, shown: '1' }))
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText(
      'after',
      '\nExample:\n  headrace cache advise photos/\n  headrace cache advise photos.cache --samples 1000 --json',
    )
    .action(async (source: string, { json, progress, ...flags }: Flags) => {
      const line = new ProgressLine(progress === true)
      const report = await adviseEncoding(source, {
        ...given(flags),
        signal: interrupted,
        onProgress: ({ doing, done, total }) => line.update(doing, done, total, ''),
      }).finally(() => line.clear())
      if (json === true) printJson(report)
      else show(report)
    })
}

const number = (value: number) => Math.round(value).toLocaleString('en-US')
const counts = (record: Readonly<Record<string, number>>) =>
  Object.entries(record)
    .map(([name, n]) => `${number(n)} (${name})`)
    .join(', ')

/** "exact", "44.1 dB, at most 37" */
function pixels({ fidelity }: MeasuredEncoding): string {
  const { exact, psnr, maxDifference, padded } = fidelity
  if (exact) return 'exact'
  const near = psnr === undefined ? 'exact' : `${psnr.toFixed(1)} dB, at most ${maxDifference}`
  return padded === 0 ? near : `${near}; ${number(padded)} padded`
}

function show(report: AdviseReport): void {
  const { images, sampled, skipped, reencoded, size, threads, simd, memoryBytes, encodings, recommendation } = report
  printTable(
    ['encoding', 'bytes/image', 'all of it', 'of jpeg', 'images/s', 'CPU us/image', 'pixels'],
    encodings.map((measured) => [
      nameOf(measured),
      formatBytes(measured.bytesPerImage),
      formatBytes(measured.expectedBytes),
      `${measured.relativeBytes.toFixed(2)}x`,
      number(measured.imagesPerSecond),
      number(measured.cpuSecondsPerImage * 1e6),
      pixels(measured),
    ]),
  )
  print()
  const stayed = encodings.find(({ unpacked }) => Object.keys(unpacked).length > 0)?.unpacked
  printFacts([
    [
      'tried',
      `${number(sampled)} of ${number(images)} images; random crops to ${size} x ${size}, ${threads} ${threads === 1 ? 'thread' : 'threads'}, ${simd}, ${formatBytes(memoryBytes)} of memory`,
    ],
    ...(skipped.length === 0 ? [] : [['left out', `${number(skipped.length)} bad: ${firstOf(skipped)}`] as const]),
    ...(Object.keys(reencoded).length === 0 ? [] : [['become JPEG', counts(reencoded)] as const]),
    ...(stayed === undefined ? [] : [['stay JPEG', `in dct: ${counts(stayed)}`] as const]),
    ['take', `${nameOf(recommendation)}: ${recommendation.reason}`],
    ...recommendation.unless.map((text, i) => [i === 0 ? 'unless' : '', text] as const),
    ['build', `headrace cache build SOURCE DESTINATION${flagsOf(recommendation)}`],
  ])
}

function firstOf(skipped: AdviseReport['skipped']): string {
  const [first] = skipped
  if (first === undefined) return ''
  const more = skipped.length === 1 ? '' : `, and ${number(skipped.length - 1)} more (--json lists them all)`
  return `${first.key}: ${first.reason} [${first.code}]${more}`
}

function flagsOf({ encoding, form }: AdviseReport['recommendation']): string {
  if (encoding === 'jpeg') return ''
  return ` --encoding ${encoding}${form === 'compact' ? ' --compact' : ''}`
}
