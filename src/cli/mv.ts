import { Command } from 'commander'
import { moveObjects } from '../storage/transfer/index.ts'
import { DESTINATION_HELP } from './cp.ts'
import { GLOB_HELP, type MovingFlags, movingFlags, route } from './transfer-flags.ts'
import { showTransfer } from './transfer-output.ts'
import { given } from './values.ts'

/** `headrace mv` */
export function mvCommand(): Command {
  return movingFlags(
    new Command('mv')
      .description('move objects and folders: each is deleted once its copy has been verified')
      .usage('[options] <source...> <destination>')
      .argument('<paths...>', 'URLs or paths, the destination last')
      .option('-r, --recursive', 'folders, with all that is in them'),
  )
    .addHelpText('after', DESTINATION_HELP)
    .addHelpText('after', GLOB_HELP)
    .addHelpText('after', '\nExample:\n  headrace mv -r s3://demo/incoming s3://demo/done')
    .action(async (paths: string[], flags: MovingFlags & { recursive?: boolean }) => {
      const [sources, destination] = route(paths)
      const { recursive, jobs, partSize, workers, resume } = flags
      await showTransfer('moving', flags, (options) =>
        moveObjects(sources, destination, { ...options, ...given({ recursive, jobs, partSize, workers, resume }) }),
      )
    })
}
