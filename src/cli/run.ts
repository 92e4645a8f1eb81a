import { setMaxListeners } from 'node:events'
import { HeadraceError, isHeadraceError } from '../errors.ts'

/** What every command shares: JSON or text on stdout, one-line errors on stderr, exit codes, Ctrl-C. */

/** partial: a transfer that went on to its end, with failures that were told one by one. */
export const EXIT = { done: 0, failed: 1, usage: 2, partial: 3, interrupted: 130 } as const

let verbose = false
export function setVerbose(value: boolean): void {
  verbose = value
}

/** What would break a line, as JSON writes it: names of files may hold anything. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1))
}

/** One document, indented for people who look at it. */
export function printJson(document: unknown): void {
  process.stdout.write(
    `${JSON.stringify(document, (_, value) => (typeof value === 'bigint' ? Number(value) : value), 2)}\n`,
  )
}

export function print(line = ''): void {
  process.stdout.write(`${oneLine(line)}\n`)
}

/** Label and value, aligned. */
export function printFacts(facts: readonly (readonly [label: string, value: string | number])[]): void {
  const width = Math.max(...facts.map(([label]) => label.length))
  for (const [label, value] of facts) print(`${label.padEnd(width)}  ${value}`)
}

const interrupt = new AbortController()
// Many operations listen at once, and stop when they are over: no leak for Node to warn of.
setMaxListeners(0, interrupt.signal)

/** ms: npm and shells pass on what the terminal has sent already, so that one Ctrl-C comes twice. */
const ONE_INTERRUPT = 300

/** Fires at Ctrl-C. The second Ctrl-C ends the process at once. */
export const interrupted: AbortSignal = interrupt.signal

export function watchInterrupts(): void {
  let first = 0
  const stop = () => {
    if (interrupt.signal.aborted) {
      if (performance.now() - first > ONE_INTERRUPT) process.exit(EXIT.interrupted)
      return
    }
    first = performance.now()
    interrupt.abort(new Error('interrupted'))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

/** What the user can do. The library names its options; here they are flags. */
export function printHint(hint: string | undefined): void {
  if (hint === undefined) return
  const text = hint
    .replace(/onError: '(\w+)'(?: or '(\w+)')?/, onErrorFlag)
    .replace('force: true', '--force')
    .replace('recursive: true', '-r')
    .replace('the option include', '--include')
    .replace('without recursive', 'without -r')
    .replace('a larger ringBytes or ', '')
    .replace('batchSize', '--batch')
    .replace('the option timeout', '--timeout')
  process.stderr.write(`hint: ${text}\n`)
}

function onErrorFlag(_: string, first: string, second: string | undefined): string {
  return `--on-error ${first}${second === undefined ? '' : ` or --on-error ${second}`}`
}

/** The error as the user sees it, and the exit code that goes with it. */
export function reportError(error: unknown): number {
  if (interrupt.signal.aborted) {
    process.stderr.write('headrace: interrupted\n')
    if (isHeadraceError(error, 'E_CANCELLED')) printHint(error.details.hint)
    return EXIT.interrupted
  }
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof HeadraceError ? ` [${error.code}]` : ''
  process.stderr.write(`headrace: ${oneLine(message)}${code}\n`)
  if (error instanceof HeadraceError) printHint(error.details.hint)
  if (verbose && error instanceof Error)
    process.stderr.write(`${error.stack}\n${error.cause === undefined ? '' : `cause: ${String(error.cause)}\n`}`)
  return error instanceof HeadraceError && error.code === 'E_USAGE' ? EXIT.usage : EXIT.failed
}
