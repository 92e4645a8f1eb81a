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
      .option('--checksum', 'ask for checksums where listings have none: a request for each object on both sides'),
  )
    .addHelpText(
      'after',
      `
Objects of one size are the same if their checksums are, where both sides know one; otherwise by time: in a local
folder another one means a change, elsewhere a later one than that of the copy.`,
    )
    .addHelpText('after', GLOB_HELP)
    .addHelpText('after', '\nExample:\n  headrace sync s3://demo/photos photos --delete --dry-run')
    .action(async (source: string, destination: string, flags: Flags) => {
      const { jobs, partSize, checksum } = flags
      await showTransfer('syncing', flags, (options) =>
        syncObjects(source, destination, {
          ...options,
          ...given({ jobs, partSize, checksum, delete: flags.delete }),
        }),
      )
    })
}
