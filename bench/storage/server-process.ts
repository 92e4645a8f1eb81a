import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { canPin } from '../vision/command.ts'
import { SERVER_CORE } from './cores.ts'

export type ServerProcess = ChildProcessByStdio<Writable, Readable, Readable>

/** A server on the core of servers. It does not outlive this process. */
export function startServerProcess(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ServerProcess {
  const [program = '', ...args] = canPin ? ['taskset', '-c', SERVER_CORE, ...command] : command
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  return child
}

export async function endServerProcess(child: ServerProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}
