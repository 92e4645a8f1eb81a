import { type Command, Option } from 'commander'
import { HeadraceError } from '../errors.ts'
import type { BulkOptions, MovingOptions } from '../storage/transfer/index.ts'
import { flag } from './flags.ts'
import { count, countFromZero, size } from './values.ts'

/** What the flags of all transfers give. */
export interface BulkFlags extends Pick<BulkOptions, 'include' | 'exclude' | 'dryRun'> {
  onError: 'report' | 'skip' | 'throw'
  opLog?: string
  json?: boolean
  progress?: boolean
}

export type MovingFlags = BulkFlags & Pick<MovingOptions, 'jobs' | 'partSize' | 'resume' | 'workers'>

function repeated(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string, before: readonly string[] = []) => [...before, text])
}

export function filterFlags(command: Command): Command {
  return command
    .addOption(repeated('--include <glob>', 'only what matches; may be given several times'))
    .addOption(repeated('--exclude <glob>', 'not what matches; may be given several times'))
}

export function bulkFlags(command: Command): Command {
  return filterFlags(command)
    .option('--dry-run', 'print what would be done, and do nothing')
    .addOption(
      flag('--on-error <policy>', 'a failure of one object: go on and exit with 3, go on and exit with 0, or stop', {
        choices: ['report', 'skip', 'throw'],
        default: 'report',
      }),
    )
    .addOption(flag('--op-log <file>', 'record every operation: .tsv or .ndjson, also with .zst'))
    .option('--json', 'print one JSON document; of a dry run one a line')
    .option('--progress', 'draw progress although stderr is no terminal')
}

export function movingFlags(command: Command): Command {
  return bulkFlags(
    command
      .addOption(flag('--jobs <n>', 'objects under way at once', { parse: count, shown: '32' }))
      .addOption(flag('--part-size <bytes>', 'of parts of larger objects', { parse: size, shown: '8MiB' }))
      .addOption(
        flag('--workers <n>', 'threads of a store that is no local folder, each with its own connections', {
          parse: countFromZero,
          shown: '0',
        }),
      )
      .option('--resume', 'take up uploads of large objects to S3 that were interrupted'),
  )
}

/** Several sources and one destination: commander takes only the last argument to be several. */
export function route(paths: readonly string[]): readonly [sources: string[], destination: string] {
  const destination = paths.at(-1)
  if (destination === undefined || paths.length < 2)
    throw new HeadraceError('E_USAGE', `the destination is missing: only ${paths.join(' ')} was given`)
  if (destination === '-')
    throw new HeadraceError('E_USAGE', '- is standard input, and cannot be the destination', {
      hint: '`headrace cat` writes to standard output; ./- is a file of that name',
    })
  return [paths.slice(0, -1), destination]
}

export const GLOB_HELP = `
Globs are matched against what stands behind the folder, those without a slash against the name alone:
  --include '*.jpg' --exclude 'drafts/**'`
