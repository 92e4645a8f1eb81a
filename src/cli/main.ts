#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { benchCommand } from './bench.ts'
import { cacheCommand } from './cache.ts'
import { planCommand } from './plan.ts'
import { previewCommand } from './preview.ts'
import { EXIT, reportError, setVerbose, watchInterrupts } from './run.ts'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

const program = new Command('headrace')
  .description('Feeds training jobs from storage: photographs to augmented batches, exactly resumable.')
  .version(version)
  .option('-v, --verbose', 'show the stack of an error')
  .on('option:verbose', () => setVerbose(true))
  .addCommand(cacheCommand())
  .addCommand(benchCommand())
  .addCommand(previewCommand())
  .addCommand(planCommand())
  .addHelpText(
    'after',
    '\nExample:\n  headrace cache build photos/ photos.cache && headrace bench vision photos.cache --pipeline rrc',
  )

/** What commander takes over for no command that was made elsewhere: it ends the process itself unless told otherwise. */
function settle(command: Command): void {
  command.exitOverride().showHelpAfterError('(--help tells what there is)')
  for (const child of command.commands) settle(child)
}

settle(program)
watchInterrupts()
// A reader that has enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done)
  throw error
})
try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage
  else process.exitCode = reportError(error)
}
