import { setImmediate } from 'node:timers/promises'
import { Command } from 'commander'
import { formatBytes } from '../bytes.ts'
import { throwIfAborted } from '../errors.ts'
import {
  type BuildManifestOptions,
  buildManifest,
  type Manifest,
  type ManifestEntry,
  type ManifestProgress,
  type ManifestSummary,
  openManifest,
} from '../index.ts'
import { flag } from './flags.ts'
import { Lines } from './lines.ts'
import { ProgressLine } from './progress.ts'
import { interrupted, print, printFacts, printJson } from './run.ts'
import { filterFlags, GLOB_HELP } from './transfer-flags.ts'
import { count, countFromZero, given } from './values.ts'

/** `headrace manifest` */
export function manifestCommand(): Command {
  return new Command('manifest')
    .description('lists of objects (key, size, etag), made once, that datasets start from')
    .addCommand(buildCommand())
    .addCommand(catCommand())
    .addCommand(infoCommand())
}

interface BuildFlags extends Pick<BuildManifestOptions, 'include' | 'exclude' | 'parallel'> {
  json?: boolean
  progress?: boolean
}

function buildCommand(): Command {
  return filterFlags(
    new Command('build')
      .description('list what lies in a folder or bucket, and write the list')
      .argument('<url>', 'URL or path of the folder')
      .argument('<out>', 'file or object that the list becomes; what is there is replaced'),
  )
    .addOption(flag('--parallel <n>', 'prefixes of the first level listed side by side', { parse: count, shown: '8' }))
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', GLOB_HELP)
    .addHelpText('after', "\nExample:\n  headrace manifest build s3://demo/train train.manifest --include '*.jpg'")
    .action(async (url: string, out: string, { json, progress, ...flags }: BuildFlags) => {
      const line = new ProgressLine(progress === true)
      const onProgress = ({ objects, bytes }: ManifestProgress) =>
        line.update('listing', objects, undefined, formatBytes(bytes))
      let summary: ManifestSummary
      try {
        summary = await buildManifest(url, out, { ...given(flags), signal: interrupted, onProgress })
      } finally {
        line.clear()
      }
      if (json === true) printJson(summary)
      else print(`${summary.length.toLocaleString('en-US')} objects, ${formatBytes(summary.bytes)}: ${out}`)
    })
}

interface CatFlags {
  start: number
  count?: number
  json?: boolean
}

function catCommand(): Command {
  return new Command('cat')
    .description('print the keys of a manifest, in their order')
    .argument('<manifest>', 'URL or path')
    .addOption(flag('--start <n>', 'the first object', { parse: countFromZero, default: 0 }))
    .addOption(flag('--count <n>', 'so many objects', { parse: count, shown: 'all' }))
    .option('--json', 'print a JSON document a line: key, size, etag')
    .addHelpText('after', '\nExample:\n  headrace manifest cat train.manifest --start 1000 --count 10')
    .action(async (url: string, flags: CatFlags) => {
      const manifest = await openManifest(url, { signal: interrupted })
      try {
        await printEntries(manifest, flags)
      } finally {
        manifest.close()
      }
    })
}

/** Entries between two looks at signals: some 10 ms. */
const A_TURN = 4096

async function printEntries(manifest: Manifest, { start, count: most = Infinity, json }: CatFlags): Promise<void> {
  const lines = new Lines()
  const tell = (entry: ManifestEntry) => (json === true ? lines.printJson(entry) : lines.print(entry.key))
  let printed = 0
  for (const entry of manifest.entries(start)) {
    if (printed++ === most) break
    await tell(entry)
    if (printed % A_TURN !== 0) continue
    await setImmediate()
    throwIfAborted(interrupted, 'printing')
  }
  await lines.flush()
}

function infoCommand(): Command {
  return new Command('info')
    .description('what a manifest is of')
    .argument('<manifest>', 'URL or path')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  headrace manifest info train.manifest')
    .action(async (url: string, { json }: { json?: boolean }) => {
      const manifest = await openManifest(url, { signal: interrupted })
      manifest.close()
      const { length, bytes, largest, fingerprint, include, exclude } = manifest
      if (json === true) return printJson({ url: manifest.url, length, bytes, largest, fingerprint, include, exclude })
      printFacts([
        ['url', manifest.url],
        ['objects', length.toLocaleString('en-US')],
        ['bytes', formatBytes(bytes)],
        ['largest', formatBytes(largest)],
        ['fingerprint', fingerprint],
        ...(include.length === 0 ? [] : [['include', include.join(' ')] as const]),
        ...(exclude.length === 0 ? [] : [['exclude', exclude.join(' ')] as const]),
      ])
    })
}
