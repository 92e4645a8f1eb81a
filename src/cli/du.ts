import { Command } from 'commander'
import { formatBytes } from '../bytes.ts'
import { filterOf } from '../storage/transfer/filter.ts'
import { type OpenPlace, OpenStores } from '../storage/transfer/place.ts'
import { findSource } from '../storage/transfer/source.ts'
import { itemsOf } from '../storage/transfer/steps.ts'
import { flag } from './flags.ts'
import { Lines } from './lines.ts'
import { EXIT, interrupted, oneLine } from './run.ts'
import { filterFlags } from './transfer-flags.ts'
import { countFromZero } from './values.ts'

interface Flags {
  depth: number
  json?: boolean
  include?: readonly string[]
  exclude?: readonly string[]
}

interface Sum {
  readonly url: string
  bytes: number
  objects: number
}

/** `headrace du` */
export function duCommand(): Command {
  return filterFlags(
    new Command('du')
      .description('bytes and objects of folders, and of the folders in them')
      .argument('<url...>', 'URLs or paths')
      .addOption(flag('--depth <n>', 'levels of folders that are told apart', { parse: countFromZero, default: 1 })),
  )
    .option('--json', 'print a JSON document a line')
    .addHelpText('after', '\nExample:\n  headrace du s3://demo/photos --depth 2')
    .action(async (urls: string[], flags: Flags) => {
      const stores = new OpenStores()
      const lines = new Lines()
      try {
        for (const url of urls) await sums(await stores.at(url), lines, flags)
        await lines.flush()
      } finally {
        await stores.close()
      }
    })
}

/** 'a/b/c/d.jpg' at depth 2 is in 'a/b/'; what lies above the depth is in no folder of it. */
function folderAt(relative: string, depth: number): string | undefined {
  let end = -1
  for (let level = 0; level < depth; level++) {
    const next = relative.indexOf('/', end + 1)
    if (next < 0) return undefined
    end = next
  }
  return relative.slice(0, end + 1)
}

/** Keys come in order, so that a folder is through where the next one begins: one sum a level is in memory. */
async function sums(place: OpenPlace, lines: Lines, { depth, json, ...globs }: Flags): Promise<void> {
  const tell = async (kind: string, { url, bytes, objects }: Sum) => {
    if (json === true) await lines.printJson({ kind, url, bytes, objects })
    else await lines.print(`${formatBytes(bytes).padStart(10)}  ${objects.toLocaleString('en-US').padStart(9)}  ${url}`)
  }
  const found = await findSource(place, true, interrupted)
  const prefix = found.kind === 'folder' ? found.prefix : ''
  const total: Sum = { url: place.name(place.key), bytes: 0, objects: 0 }
  const open: (Sum & { readonly folder: string })[] = []
  const closeAllBut = async (relative: string) => {
    for (let last = open.at(-1); last !== undefined && !relative.startsWith(last.folder); last = open.at(-1)) {
      open.pop()
      await tell('folder', last)
    }
  }
  for await (const item of itemsOf(found, filterOf(globs), interrupted)) {
    if (item.kind === 'unlisted') {
      process.exitCode = EXIT.partial
      const { key, code, reason } = item.found
      process.stderr.write(`headrace: ${oneLine(`${place.name(key)} ${reason}`)} [${code}]\n`)
      continue
    }
    await closeAllBut(item.relative)
    for (let level = open.length + 1; level <= depth; level++) {
      const folder = folderAt(item.relative, level)
      if (folder === undefined) break
      open.push({ folder, url: place.name(prefix + folder), bytes: 0, objects: 0 })
    }
    for (const sum of [total, ...open]) {
      sum.bytes += item.info.size
      sum.objects++
    }
  }
  for (const last of open.reverse()) await tell('folder', last)
  await tell('total', total)
}
