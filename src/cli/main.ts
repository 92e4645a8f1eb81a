#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { fromSystemError } from '../errors.ts'
import { benchCommand } from './bench.ts'
import { cacheCommand } from './cache.ts'
import { devCommand } from './dev.ts'
import { settle } from './flags.ts'
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
  .addCommand(devCommand())
  .addCommand(helpCommand())
  .addHelpText(
    'after',
    '\nExample:\n  headrace cache build photos/ photos.cache && headrace bench vision photos.cache --pipeline rrc',
  )

/** `headrace help cache build` is `headrace cache build --help`. */
function helpCommand(): Command {
  return new Command('help')
    .description('show the help of a command')
    .argument('[command...]', 'such as: cache build')
    .action((names: readonly string[]) => {
      let command: Command = program
      for (const name of names)
        command =
          command.commands.find((child) => child.name() === name) ?? command.error(`error: unknown command '${name}'`)
      command.help()
    })
}

settle(program)
watchInterrupts()
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has enough (`| head`) is no failure.
  if (error.code === 'EPIPE') process.exit(EXIT.done)
  process.exit(
    reportError(fromSystemError(error, 'writing to stdout', { hint: 'is there room where the output goes?' })),
  )
})
// There is no one left to tell.
process.stderr.on('error', () => {})
try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage
  else process.exitCode = reportError(error)
}
