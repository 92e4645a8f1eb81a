import { Command } from 'commander'
import { syncObjects } from '../storage/transfer/index.ts'
import { GLOB_HELP, type MovingFlags, movingFlags } from './transfer-flags.ts'
import { showTransfer } from './transfer-output.ts'
import { given } from './values.ts'

type Flags = MovingFlags & { delete?: boolean; checksum?: boolean }

/** `headrace sync` */
export function syncCommand(): Command {
  return movingFlags(
    new Command('sync')
      .description('make a folder like another: copy what is missing or differs')
      .argument('<source>', 'folder')
      .argument('<destination>', 'folder')
      .option('--delete', 'delete what the source does not have')
      .option('--checksum', 'compare checksums also where times agree: a request an object, local files are read'),
  )
    .addHelpText(
      'after',
      `
Objects of one size are the same if their checksums are, where both listings have them; otherwise by time: in a local
folder another one means a change, elsewhere a later one than that of the copy. Where the time says so, checksums are
asked for before anything is copied, and of local files computed.`,
    )
    .addHelpText('after', GLOB_HELP)
    .addHelpText('after', '\nExample:\n  headrace sync s3://demo/photos photos --delete --dry-run')
    .action(async (source: string, destination: string, flags: Flags) => {
      const { jobs, partSize, workers, resume, checksum } = flags
      await showTransfer('syncing', flags, (options) =>
        syncObjects(source, destination, {
          ...options,
          ...given({ jobs, partSize, workers, resume, checksum, delete: flags.delete }),
        }),
      )
    })
}
