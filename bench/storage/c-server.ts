import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from '../vision/places.ts'
import { endServerProcess, startServerProcess } from './server-process.ts'

export interface CServer {
  readonly port: string
  end(): Promise<void>
}

/** server.c, compiled: what it costs is not what a client waits for. */
export async function startCServer(): Promise<CServer> {
  const folder = join(root, 'build', 'bench', 'storage')
  const program = join(folder, 'server')
  mkdirSync(folder, { recursive: true })
  execFileSync(process.env.CC ?? 'cc', ['-O2', '-o', program, join(root, 'bench', 'storage', 'server.c')])
  const child = startServerProcess([program])
  child.stderr.pipe(process.stderr)
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { port, end: () => endServerProcess(child) }
}
