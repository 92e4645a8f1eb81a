import { Command, Option } from 'commander'
import { formatBytes } from '../bytes.ts'
import { buildImageCache, imageCacheInfo, verifyImageCache } from '../vision/index.ts'
import { duration, ProgressLine, rates } from './progress.ts'
import { EXIT, interrupted, print, printFacts, printJson } from './run.ts'
import { count, given } from './values.ts'

export function cacheCommand(): Command {
  return new Command('cache')
    .description('build, inspect and verify image caches')
    .addCommand(build())
    .addCommand(info())
    .addCommand(verify())
}

interface BuildFlags {
  encoding?: 'jpeg'
  maxSide?: number
  shortSide?: number
  quality?: number
  workers?: number
  onError: 'throw' | 'skip'
  validate?: 'structure' | 'decode'
  tolerant?: boolean
  force?: boolean
  json?: boolean
  progress?: boolean
}

/** Bad files that are printed one by one; --json has them all. */
const LISTED = 20

function build(): Command {
  return new Command('build')
    .description('build an image cache from a folder with one sub-folder per class')
    .argument('<source>', 'folder of pictures')
    .argument('<destination>', 'folder that becomes the cache')
    .addOption(new Option('--encoding <name>', 'how pictures are stored').choices(['jpeg']))
    .option('--max-side <pixels>', 'scale pictures down to this longer side', count)
    .option('--short-side <pixels>', 'scale pictures down to this shorter side', count)
    .option('--quality <1-100>', 'JPEG quality of what is encoded anew (default 95)', count)
    .option('--workers <n>', 'pictures handled at once (default: available cores)', count)
    .addOption(new Option('--on-error <policy>', 'what a bad file does').choices(['throw', 'skip']).default('skip'))
    .addOption(
      new Option('--validate <how>', 'look at the structure of each picture, or decode it').choices([
        'structure',
        'decode',
      ]),
    )
    .option('--tolerant', 'keep damaged JPEG files that decode in part')
    .option('--force', 'replace the cache that is there')
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', '\nExample:\n  headrace cache build photos/ photos.cache --max-side 512 --quality 90')
    .action(async (source: string, destination: string, { json, progress, ...flags }: BuildFlags) => {
      const line = new ProgressLine(progress === true)
      const report = await buildImageCache(source, destination, {
        ...given(flags),
        signal: interrupted,
        onProgress: ({ images, total, bytes, seconds }) =>
          line.update('building', images, total, rates(images, bytes, seconds, total)),
      }).finally(() => line.clear())
      if (json === true) return printJson(report)
      print(
        `${destination}: ${report.images.toLocaleString('en-US')} images, ${formatBytes(report.bytes)}, in ${duration(report.seconds)}`,
      )
      const reencoded = Object.entries(report.reencoded)
      if (reencoded.length > 0) print(`encoded anew: ${reencoded.map(([type, n]) => `${n} ${type}`).join(', ')}`)
      if (report.skipped.length > 0) print(`skipped ${report.skipped.length} bad files:`)
      for (const { key, code, reason } of report.skipped.slice(0, LISTED)) print(`  ${key}: ${reason} [${code}]`)
      if (report.skipped.length > LISTED) print(`  and ${report.skipped.length - LISTED} more; --json lists them all`)
    })
}

function info(): Command {
  return new Command('info')
    .description('what a cache holds, and what would decode it')
    .argument('<cache>')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  headrace cache info photos.cache --json')
    .action(async (path: string, { json }: { json?: boolean }) => {
      const found = await imageCacheInfo(path)
      if (json === true) return printJson(found)
      const fields = Object.entries(found.fields).map(
        ([name, field]) => `${name} (${JSON.stringify(field).replace(/[{}"]/g, '').replaceAll(',', ', ')})`,
      )
      printFacts([
        ['images', found.images.toLocaleString('en-US')],
        ['bytes', formatBytes(found.bytes)],
        ['encoding', found.encoding],
        ['fields', fields.join('; ')],
        ['source', typeof found.source === 'string' ? found.source : (found.source?.url ?? 'not known')],
        ['version', found.version],
        ['libjpeg-turbo', found.libjpegTurbo],
        ['SIMD', found.simd],
      ])
    })
}

function verify(): Command {
  return new Command('verify')
    .description('check every byte of a cache against its checksums')
    .argument('<cache>')
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', '\nExample:\n  headrace cache verify photos.cache')
    .action(async (path: string, { json, progress }: { json?: boolean; progress?: boolean }) => {
      const line = new ProgressLine(progress === true)
      const result = await verifyImageCache(path, {
        signal: interrupted,
        onProgress: ({ images, total }) => line.update('verifying', images, total, ''),
      }).finally(() => line.clear())
      if (json === true) printJson(result)
      else if (result.ok)
        print(`${path}: ${result.images.toLocaleString('en-US')} images, ${formatBytes(result.bytes)}: sound`)
      else {
        print(`${path}: damaged`)
        for (const { file, sample, key, reason } of result.problems)
          print(
            `  ${file}${sample === undefined ? '' : `, sample ${sample}`}${key === undefined ? '' : ` (${key})`}: ${reason}`,
          )
      }
      if (!result.ok) process.exitCode = EXIT.failed
    })
}
