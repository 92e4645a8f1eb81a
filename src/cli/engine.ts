import { createRequire } from 'node:module'
import { Command } from 'commander'
import { startEngine } from '../bridge/index.ts'
import { fromSystemError } from '../errors.ts'
import { EXIT, interrupted } from './run.ts'

interface Flags {
  stay?: boolean
}

export function engineCommand(): Command {
  return new Command('engine')
    .description('serve other processes, such as Python: batches in shared memory; ends with its stdin')
    .option('--stay', 'end at Ctrl-C only, whatever becomes of stdin')
    .addHelpText(
      'after',
      `
Prints one line of JSON; its address is what HEADRACE_ENGINE holds for Python. docs/bridge.md has the protocol.

Example:
  headrace engine --stay`,
    )
    .action(serve)
}

async function serve({ stay }: Flags): Promise<void> {
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }
  const engine = await startEngine(version).catch((error: unknown) => {
    // Who started it reads stdout and sees nothing of stderr.
    const { code, message, details } = fromSystemError(error, 'the engine cannot start')
    process.stdout.write(`${JSON.stringify({ ok: false, code, message, hint: details.hint })}\n`)
    throw error
  })
  process.stdout.write(`${JSON.stringify(engine.facts)}\n`)
  await untilOver(stay === true)
  await engine.close()
  // A read that hangs, or a thread, keeps nobody waiting for an engine that has nobody to serve.
  process.exit(EXIT.done)
}

/** Whoever started the engine holds the other end of its stdin: when that is gone, so are they. */
function untilOver(stay: boolean): Promise<void> {
  return new Promise((resolve) => {
    if (interrupted.aborted) resolve()
    interrupted.addEventListener('abort', () => resolve(), { once: true })
    if (stay) return
    process.stdin.on('error', () => resolve())
    process.stdin.on('close', () => resolve())
    process.stdin.on('end', () => resolve())
    process.stdin.resume()
  })
}
