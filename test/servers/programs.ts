import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/**
 * Real servers that tests start where they are installed: below $HEADRACE_SERVERS (as scripts/servers/install.sh puts them
 * there), $PEERS or the cache folder, or in PATH.
 */

export interface RunningServer {
  /** http://127.0.0.1:port, or https */
  readonly endpoint: string
  readonly folder: string
  stop(): Promise<void>
}

export interface ServerProgram {
  /** undefined: not installed. */
  readonly path: string | undefined
  /** Behind the names of tests that are skipped without it: why. '' where it is installed. */
  readonly absent: string
  start(): Promise<RunningServer>
}

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'headrace', 'servers')

/** The path of a program; undefined where it is not installed. */
function findProgram(name: string): string | undefined {
  const { HEADRACE_SERVERS, PEERS, PATH = '' } = process.env
  const folders = [HEADRACE_SERVERS, PEERS, CACHE].flatMap((folder) => (folder ? [join(folder, 'bin')] : []))
  for (const folder of [...folders, ...PATH.split(delimiter)]) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not there.
    }
  }
  return undefined
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** Starts a program that serves on a port, and waits until it does. What it kept goes with it. */
async function startServer(program: string, { commandLine, env, scheme }: ServerStart): Promise<RunningServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'headrace-server-'))
  const child: ChildProcess = spawn(program, commandLine(port, folder), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr?.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-2000)
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async () => {
    // A polite end takes some servers many seconds.
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  for (let tries = 0; tries < 300; tries++) {
    if (child.exitCode !== null) break
    if (await answers(port)) return { endpoint: `${scheme ?? 'http'}://127.0.0.1:${port}`, folder, stop }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await stop()
  throw new Error(`${program} does not serve: ${said}`)
}

interface ServerStart {
  /** Its arguments; `folder` is empty and its own. */
  commandLine(port: number, folder: string): readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** http */
  readonly scheme?: 'https'
}

export function serverProgram(name: string, start: ServerStart): ServerProgram {
  const path = findProgram(name)
  const absent = path === undefined ? ` (${name} is not installed: make test-servers)` : ''
  return { path, absent, start: () => startServer(path ?? name, start) }
}
