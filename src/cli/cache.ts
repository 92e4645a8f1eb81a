import { Command } from 'commander'
import { formatBytes } from '../bytes.ts'
import { HeadraceError } from '../errors.ts'
import {
  type BuildReport,
  buildImageCache,
  exportImageCache,
  imageCacheInfo,
  verifyImageCache,
} from '../vision/index.ts'
import { advise } from './advise.ts'
import { infoFacts } from './cache-info.ts'
import { flag } from './flags.ts'
import { duration, ProgressLine, rates } from './progress.ts'
import { EXIT, interrupted, print, printFacts, printJson } from './run.ts'
import { count, given, quality } from './values.ts'

export function cacheCommand(): Command {
  return new Command('cache')
    .description('build, inspect, verify and export image caches, and choose how pictures are stored')
    .addCommand(build())
    .addCommand(info())
    .addCommand(verify())
    .addCommand(exportFiles())
    .addCommand(advise())
}

interface BuildFlags {
  encoding?: 'jpeg' | 'dct' | 'yuv420'
  compact?: boolean
  compat?: 'slipstream'
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

/** Bad and ignored files that are printed one by one; --json has them all. */
const LISTED = 20

function build(): Command {
  return new Command('build')
    .description('build an image cache from a folder with one sub-folder per class, or from another cache')
    .argument('<source>', 'folder of pictures, or a cache')
    .argument('<destination>', 'folder that becomes the cache')
    .addOption(
      flag('--encoding <name>', 'how pictures are stored', { choices: ['jpeg', 'dct', 'yuv420'], shown: 'jpeg' }),
    )
    .option('--compact', 'with dct: entropy-code the coefficients, smaller and slower')
    .addOption(flag('--compat <tool>', "with yuv420: the tool's own rounding", { choices: ['slipstream'] }))
    .addOption(flag('--max-side <pixels>', 'scale pictures down to this longer side', { parse: count }))
    .addOption(flag('--short-side <pixels>', 'scale pictures down to this shorter side', { parse: count }))
    .addOption(
      flag('--quality <1-100>', 'JPEG quality of what is encoded anew', {
        parse: quality,
        shown: '95',
      }),
    )
    .addOption(flag('--workers <n>', 'pictures handled at once', { parse: count, shown: 'available cores' }))
    .addOption(flag('--on-error <policy>', 'what a bad file does', { choices: ['throw', 'skip'], default: 'skip' }))
    .addOption(
      flag('--validate <how>', 'look at the structure of each picture, or decode it', {
        choices: ['structure', 'decode'],
        shown: 'structure',
      }),
    )
    .option('--tolerant', 'keep damaged JPEG files that decode in part')
    .option('--force', 'replace the cache that is there')
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText(
      'after',
      '\nExample:\n  headrace cache build photos/ photos.cache --max-side 512 --quality 90\n  headrace cache build photos.cache fast.cache --encoding dct\n  headrace cache build photos/ planes.cache --encoding yuv420',
    )
    .action(async (source: string, destination: string, { json, progress, ...flags }: BuildFlags) => {
      const line = new ProgressLine(progress === true)
      const report = await buildImageCache(source, destination, {
        ...given(flags),
        signal: interrupted,
        onProgress: ({ images, total, bytes, seconds }) =>
          line.update('building', images, total, rates(images, bytes, seconds, total)),
      })
        .catch(goesOn)
        .finally(() => line.clear())
      if (json === true) printJson(report)
      else showBuild(destination, report)
    })
}

/** An interrupted build says how it goes on. */
function goesOn(error: unknown): never {
  if (!interrupted.aborted) throw error
  throw new HeadraceError('E_CANCELLED', 'interrupted', {
    hint: 'the same command goes on where it stopped',
    cause: error,
  })
}

function showBuild(destination: string, report: BuildReport): void {
  const { images, bytes, seconds, reencoded, unpacked, skipped, ignored, resumedAt, startedOver } = report
  print(`${destination}: ${images.toLocaleString('en-US')} images, ${formatBytes(bytes)}, in ${duration(seconds)}`)
  if (resumedAt > 0) print(`went on at ${resumedAt.toLocaleString('en-US')}, where an earlier build stopped`)
  if (startedOver) print('started over: what an earlier build left was of other options or another source')
  const types = Object.entries(reencoded)
  if (types.length > 0) print(`encoded anew: ${types.map(([type, n]) => `${n} ${type}`).join(', ')}`)
  const reasons = Object.entries(unpacked)
  if (reasons.length > 0) print(`stayed JPEG: ${reasons.map(([reason, n]) => `${n} (${reason})`).join(', ')}`)
  if (ignored.length > 0) {
    const more = ignored.length > LISTED ? `, and ${ignored.length - LISTED} more` : ''
    print(
      `ignored ${plural(ignored.length, 'file')} outside class folders: ${ignored.slice(0, LISTED).join(', ')}${more}`,
    )
  }
  if (skipped.length > 0) print(`skipped ${plural(skipped.length, 'bad file')}:`)
  for (const { key, code, reason } of skipped.slice(0, LISTED)) print(`  ${key}: ${reason} [${code}]`)
  if (skipped.length > LISTED) print(`  and ${skipped.length - LISTED} more; --json lists them all`)
}

interface ExportFlags {
  format?: 'jpeg'
  field?: string
  workers?: number
  json?: boolean
  progress?: boolean
}

function plural(n: number, noun: string): string {
  return `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`
}

function info(): Command {
  return new Command('info')
    .description('what a cache holds, and what would decode it')
    .argument('<cache>')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  headrace cache info photos.cache --json')
    .action(async (path: string, { json }: { json?: boolean }) => {
      const found = await imageCacheInfo(path)
      if (json === true) printJson(found)
      else printFacts(infoFacts(found))
    })
}

const LOOKED_AT = {
  checksums: 'checksums match',
  structure: 'sizes and structure only: this cache has no checksums',
} as const

function verify(): Command {
  return new Command('verify')
    .description('check every byte of a cache against its checksums (of a cache without them: sizes and structure)')
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
        print(
          `${path}: ${result.images.toLocaleString('en-US')} images, ${formatBytes(result.bytes)}: sound (${LOOKED_AT[result.checked]})`,
        )
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

function exportFiles(): Command {
  return new Command('export')
    .description("write a cache's pictures as image files")
    .argument('<cache>')
    .argument('<folder>', 'empty, or not there yet')
    .addOption(flag('--format <name>', "the files' format", { choices: ['jpeg'], shown: 'jpeg' }))
    .option('--field <name>', 'the image field, where there are several')
    .addOption(flag('--workers <n>', 'pictures handled at once', { parse: count, shown: 'available cores' }))
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', '\nExample:\n  headrace cache export photos.cache photos/')
    .action(async (path: string, folder: string, { json, progress, ...flags }: ExportFlags) => {
      const line = new ProgressLine(progress === true)
      const report = await exportImageCache(path, folder, {
        ...given(flags),
        signal: interrupted,
        onProgress: ({ images, total }) => line.update('exporting', images, total, ''),
      }).finally(() => line.clear())
      if (json === true) printJson(report)
      else
        print(
          `${folder}: ${plural(report.images, 'image')}, ${formatBytes(report.bytes)}, in ${duration(report.seconds)}`,
        )
    })
}
