#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { fromSystemError } from '../errors.ts'
import { settle } from './flags.ts'
import { EXIT, reportError, setVerbose, watchInterrupts } from './run.ts'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

/** In the order of help. Loaded where they are asked for: all of them take longer to load than a listing to run. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  cache: async () => (await import('./cache.ts')).cacheCommand(),
  bench: async () => (await import('./bench.ts')).benchCommand(),
  generate: async () => (await import('./generate.ts')).generateCommand(),
  preview: async () => (await import('./preview.ts')).previewCommand(),
  plan: async () => (await import('./plan.ts')).planCommand(),
  order: async () => (await import('./order.ts')).orderCommand(),
  dlio: async () => (await import('./dlio.ts')).dlioCommand(),
  dev: async () => (await import('./dev.ts')).devCommand(),
  engine: async () => (await import('./engine.ts')).engineCommand(),
  ls: async () => (await import('./ls.ts')).lsCommand(),
  stat: async () => (await import('./stat.ts')).statCommand(),
  du: async () => (await import('./du.ts')).duCommand(),
  cat: async () => (await import('./cat.ts')).catCommand(),
  cp: async () => (await import('./cp.ts')).cpCommand(),
  mv: async () => (await import('./mv.ts')).mvCommand(),
  rm: async () => (await import('./rm.ts')).rmCommand(),
  sync: async () => (await import('./sync.ts')).syncCommand(),
  mb: async () => (await import('./buckets.ts')).mbCommand(),
  rb: async () => (await import('./buckets.ts')).rbCommand(),
  presign: async () => (await import('./presign.ts')).presignCommand(),
  manifest: async () => (await import('./manifest.ts')).manifestCommand(),
  inspect: async () => (await import('./inspect.ts')).inspectCommand(),
  run: async () => (await import('./dl-driver.ts')).runCommand(),
  legacy: async () => (await import('./dl-driver.ts')).runCommand('legacy'),
  aggregate: async () => (await import('./dl-driver.ts')).aggregateCommand(),
  validate: async () => (await import('./validate.ts')).validateCommand(),
  oplog: async () => (await import('./oplog.ts')).oplogCommand(),
}

/** The command that the arguments name, or all where they name none, so that help and suggestions know them. */
function wanted(): readonly (() => Promise<Command>)[] {
  const name = process.argv.slice(2).find((argument) => !argument.startsWith('-')) ?? ''
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  return load === undefined ? Object.values(COMMANDS) : [load]
}

const program = new Command('headrace')
  .description('Feeds training jobs from storage: photographs to augmented batches, exactly resumable.')
  .version(version)
  .option('-v, --verbose', 'show the stack of an error')
  .on('option:verbose', () => setVerbose(true))
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

for (const load of wanted()) program.addCommand(await load())
program.addCommand(helpCommand())
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
