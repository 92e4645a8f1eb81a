import { Command } from 'commander'
import { formatBytes } from '../bytes.ts'
import { HeadraceError } from '../errors.ts'
import { copyObjects } from '../storage/transfer/index.ts'
import { writeObject } from '../storage/transfer/object-write.ts'
import { OpenStores } from '../storage/transfer/place.ts'
import { ProgressLine } from './progress.ts'
import { interrupted, print, printJson } from './run.ts'
import { GLOB_HELP, type MovingFlags, movingFlags, route } from './transfer-flags.ts'
import { showTransfer } from './transfer-output.ts'
import { given } from './values.ts'

type Flags = MovingFlags & { recursive?: boolean }

export const DESTINATION_HELP = `
What is in a folder lands under the destination, however that is written: cp -r photos s3://b/photos makes
s3://b/photos/a.jpg of photos/a.jpg. An object keeps its name in a destination that ends with / or is a bucket or a
local folder; any other destination is its new name.`

/** `headrace cp` */
export function cpCommand(): Command {
  return movingFlags(
    new Command('cp')
      .description('copy objects and folders between stores and local files')
      .usage('[options] <source...> <destination>')
      .argument('<paths...>', 'URLs or paths; - is standard input, the destination last')
      .option('-r, --recursive', 'folders, with all that is in them'),
  )
    .addHelpText('after', DESTINATION_HELP)
    .addHelpText('after', GLOB_HELP)
    .addHelpText(
      'after',
      '\nExample:\n  headrace cp -r photos s3://demo/photos\n  headrace cp s3://demo/photos/a.jpg .\n  tar c photos | headrace cp - s3://demo/photos.tar',
    )
    .action(async (paths: string[], flags: Flags) => {
      const [sources, destination] = route(paths)
      const { recursive, jobs, partSize, workers, resume } = flags
      if (sources.includes('-')) return copyInput(sources, destination, flags)
      await showTransfer('copying', flags, (options) =>
        copyObjects(sources, destination, { ...options, ...given({ recursive, jobs, partSize, workers, resume }) }),
      )
    })
}

/** Standard input becomes one object. */
async function copyInput(sources: readonly string[], to: string, flags: Flags): Promise<void> {
  const { partSize, workers, json, progress } = flags
  if (sources.length > 1 || flags.dryRun === true || flags.recursive === true)
    throw new HeadraceError('E_USAGE', '- must be the only source, without -r and --dry-run')
  const stores = new OpenStores(given({ partSize, workers }))
  const line = new ProgressLine(progress === true)
  try {
    const place = await stores.at(to)
    if (place.isFolder)
      throw new HeadraceError('E_USAGE', `standard input needs a name, but got the folder ${to}`, { url: to })
    let bytes = 0
    const onBytes = (count: number) => {
      bytes += count
      line.update('copying', bytes, undefined, formatBytes(bytes))
    }
    await writeObject(place, process.stdin, { signal: interrupted, onBytes }).finally(() => line.clear())
    if (json === true) printJson({ copied: 1, bytes, url: place.name(place.key) })
    else print(`copied ${formatBytes(bytes)} to ${place.name(place.key)}`)
  } finally {
    await stores.close()
  }
}
