import { Command } from 'commander'
import { formatBytes } from '../bytes.ts'
import { HeadraceError } from '../errors.ts'
import { isAccount, openStore } from '../storage/open.ts'
import { filterOf } from '../storage/transfer/filter.ts'
import { folderPrefix, OpenStores } from '../storage/transfer/place.ts'
import { folderIsThere, notThere } from '../storage/transfer/source.ts'
import type { ListEntry, ObjectInfo } from '../storage/types.ts'
import { flag } from './flags.ts'
import { Lines } from './lines.ts'
import { EXIT, interrupted, oneLine } from './run.ts'
import { filterFlags } from './transfer-flags.ts'
import { count } from './values.ts'

interface Flags {
  parallel?: number
  recursive?: boolean
  long?: boolean
  json?: boolean
  include?: readonly string[]
  exclude?: readonly string[]
}

/** `headrace ls` */
export function lsCommand(): Command {
  return filterFlags(
    new Command('ls')
      .description('list what lies in a folder, or the buckets of an account')
      .argument('<url>', 'URL or path; s3:// lists the buckets')
      .option('-r, --recursive', 'all objects, whatever folders they are in')
      .option('-l, --long', 'with sizes and times')
      .addOption(
        flag('--parallel <n>', 'with -r: prefixes of the first level listed side by side', {
          parse: count,
          shown: '1',
        }),
      ),
  )
    .option('--json', 'print a JSON document a line')
    .addHelpText('after', '\nGlobs choose objects; without -r the folders are shown whatever they say.')
    .addHelpText('after', '\nExample:\n  headrace ls s3://demo/photos\n  headrace ls -r -l s3://demo --json')
    .action(async (url: string, flags: Flags) => {
      const lines = new Lines()
      if (isAccount(url)) await listContainers(url, lines, flags)
      else await list(url, lines, flags)
      await lines.flush()
    })
}

const timeOf = (modified: number) => new Date(modified).toISOString()
/** "2026-01-31 12:00:00" in UTC. */
const shortTime = (modified: number) => timeOf(modified).slice(0, 19).replace('T', ' ')

async function listContainers(url: string, lines: Lines, { json, long }: Flags): Promise<void> {
  const store = await openStore(url)
  try {
    if (store.listContainers === undefined)
      throw new HeadraceError('E_UNSUPPORTED', `${url} names no bucket, and there is no list of them`, { url })
    for await (const { name, created } of store.listContainers({ signal: interrupted })) {
      const each = `${store.url.replace(/([^/])$/, '$1/')}${name}`
      if (json === true)
        await lines.printJson({ kind: 'container', url: each, ...(created && { created: timeOf(created) }) })
      else await lines.print(long === true ? `${created ? shortTime(created) : '-'.padEnd(19)}  ${each}` : each)
    }
  } finally {
    await store.close()
  }
}

async function list(url: string, lines: Lines, flags: Flags): Promise<void> {
  const { recursive, long, json, parallel } = flags
  const stores = new OpenStores()
  const filter = filterOf(flags)
  try {
    const place = await stores.at(url)
    const { store, key } = place
    const prefix = folderPrefix(place)
    const print = (entry: ListEntry) => {
      const name = place.name(entry.kind === 'object' ? entry.key : entry.prefix)
      return json === true ? lines.printJson(documentOf(entry, name)) : lines.print(lineOf(entry, name, long))
    }
    let found = false
    if (!place.isFolder) {
      const info = await store.head(key, { signal: interrupted })
      found = info !== undefined
      if (info !== undefined && filter(key.slice(key.lastIndexOf('/') + 1))) await print({ kind: 'object', ...info })
    }
    const onUnlisted = ({ key: odd, code, reason }: { key: string; code: string; reason: string }) => {
      if (code === 'E_EXISTS') return
      process.exitCode = EXIT.partial
      process.stderr.write(`headrace: ${oneLine(`${place.name(odd)} ${reason}`)} [${code}]\n`)
    }
    const depth = recursive === true ? { ...(parallel !== undefined && { parallel }) } : { delimiter: '/' as const }
    const how = { signal: interrupted, onUnlisted, ...depth }
    for await (const entry of store.list(prefix, how)) {
      found = true
      const name = entry.kind === 'object' ? entry.key : entry.prefix
      if (entry.kind === 'prefix' || filter(name.slice(prefix.length))) await print(entry)
    }
    if (!found && prefix !== '' && !(await folderIsThere(place, prefix, interrupted))) throw notThere(place)
  } finally {
    await stores.close()
  }
}

function lineOf(entry: ListEntry, name: string, long = false): string {
  if (!long) return name
  if (entry.kind === 'prefix') return `${'-'.padStart(10)}  ${'-'.padEnd(19)}  ${name}`
  return `${formatBytes(entry.size).padStart(10)}  ${shortTime(entry.modified)}  ${name}`
}

/** An object as JSON has it. */
export function objectDocument({ modified, ...info }: ObjectInfo, url: string): object {
  return { url, ...info, modified: timeOf(modified) }
}

function documentOf(entry: ListEntry, url: string): object {
  if (entry.kind === 'prefix') return { kind: 'prefix', url }
  const { kind, ...info } = entry
  return { kind, ...objectDocument(info, url) }
}
