import { type Command, type Help, Option } from 'commander'

export interface FlagOptions<T> {
  /** Reads the value; what it refuses is a usage error. */
  readonly parse?: (text: string) => T
  readonly choices?: readonly string[]
  readonly default?: T
  /** The default that help shows where the library has it and the flag stays absent. */
  readonly shown?: string
  readonly required?: boolean
}

/** A flag with a value. */
export function flag<T>(flags: string, description: string, options: FlagOptions<T> = {}): Option {
  const option = new Option(flags, description)
  if (options.parse !== undefined) option.argParser(options.parse)
  if (options.choices !== undefined) chooseFrom(option, options.choices)
  if (options.default !== undefined || options.shown !== undefined) option.default(options.default, options.shown)
  return option.makeOptionMandatory(options.required === true)
}

/** Upper and lower case are the same. */
function chooseFrom(option: Option, choices: readonly string[]): void {
  option.choices(choices)
  const { parseArg } = option
  const spelt = (text: string) => choices.find((choice) => choice.toLowerCase() === text.toLowerCase()) ?? text
  if (parseArg !== undefined) option.argParser<unknown>((text, previous) => parseArg(spelt(text), previous))
}

/** The same way of telling choices, defaults and what is required for every flag of every command. */
function describeFlag({ description, argChoices, mandatory, defaultValue, defaultValueDescription }: Option): string {
  const standard = defaultValueDescription ?? (defaultValue === undefined ? undefined : String(defaultValue))
  return [
    description,
    ...(argChoices === undefined ? [] : [`(choices: ${argChoices.join(', ')})`]),
    ...(mandatory ? ['(required)'] : []),
    ...(standard === undefined ? [] : [`(default: ${standard})`]),
  ].join(' ')
}

/** What commander says ("error: unknown command 'buld'", "(Did you mean build?)") in the shape of every other error. */
function usageError(text: string): string {
  const [first = '', ...rest] = text.trim().split('\n')
  const suggestion = rest.map((line) => `${line.replace(/^\(D(.*)\)$/, 'd$1')} `).join('')
  return `headrace: ${first.replace(/^error: /, '')} [E_USAGE]\nhint: ${suggestion}--help tells what there is\n`
}

const HELP: Partial<Help> = { optionDescription: describeFlag }

/** What commander takes over for no command that was made elsewhere. It ends the process itself unless told otherwise. */
export function settle(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(usageError(text)) })
    .configureHelp(HELP)
    // Commander's own goes one level deep; ours is in main.ts.
    .helpCommand(false)
  for (const child of command.commands) settle(child)
}
