import { Command } from 'commander'
import { removeObjects } from '../storage/transfer/index.ts'
import { type BulkFlags, bulkFlags, GLOB_HELP } from './transfer-flags.ts'
import { showTransfer } from './transfer-output.ts'
import { given } from './values.ts'

/** `headrace rm` */
export function rmCommand(): Command {
  return bulkFlags(
    new Command('rm')
      .description('delete objects and folders')
      .argument('<url...>', 'URLs or paths')
      .option('-r, --recursive', 'folders, with all that is in them')
      .option('--force', 'also a whole bucket'),
  )
    .addHelpText('after', GLOB_HELP)
    .addHelpText('after', "\nExample:\n  headrace rm -r s3://demo/photos --include '*.tmp' --dry-run")
    .action(async (urls: string[], flags: BulkFlags & { recursive?: boolean; force?: boolean }) => {
      const { recursive, force } = flags
      await showTransfer('deleting', flags, (options) =>
        removeObjects(urls, { ...options, ...given({ recursive, force }) }),
      )
    })
}
