import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { run } from '../vision/command.ts'
import { endServerProcess, type ServerProcess, startServerProcess } from './server-process.ts'
import { keyOf } from './task.ts'

/** What the data of a whole run needs, bytes. */
const ROOM = 6 * 2 ** 30
const ACCESS_KEY = 'benchkey'
const SECRET_KEY = 'benchsecret'
const STARTED_WITHIN = 15_000

/** versitygw, of HEADRACE_PEERS or of PATH. */
function findProgram(): string | undefined {
  const peers = process.env.HEADRACE_PEERS
  const folders = [...(peers ? [join(peers, 'bin')] : []), ...(process.env.PATH ?? '').split(delimiter)]
  return folders.map((folder) => join(folder, 'versitygw')).find((path) => existsSync(path))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('there is no free port')
  return address.port
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function started(child: ServerProcess, port: number): Promise<boolean> {
  for (const end = Date.now() + STARTED_WITHIN; Date.now() < end && child.exitCode === null; ) {
    if (await answers(port)) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

/** versitygw over a folder: objects are files, the bucket is a directory of it. */
export class ObjectServer {
  readonly bucket = 'bench'
  readonly version: string
  readonly endpoint: string
  readonly env = { AWS_ACCESS_KEY_ID: ACCESS_KEY, AWS_SECRET_ACCESS_KEY: SECRET_KEY, AWS_REGION: 'us-east-1' }
  readonly #folder: string
  readonly #child: ServerProcess

  private constructor(version: string, endpoint: string, folder: string, child: ServerProcess) {
    this.version = version
    this.endpoint = endpoint
    this.#folder = folder
    this.#child = child
  }

  /** Its data lies in memory where there is room and a file there can have attributes. A text says why there is none. */
  static async start(): Promise<ObjectServer | string> {
    const program = findProgram()
    if (program === undefined) return 'versitygw is neither in HEADRACE_PEERS nor in PATH'
    const [version = ''] = /(?<=Version\s*: ).*/.exec(await run([program, '--version'])) ?? []
    const memory = '/dev/shm'
    const roomy = existsSync(memory) && statfsSync(memory).bavail * statfsSync(memory).bsize > ROOM
    const disk = process.env.HEADRACE_BENCH_DISK ?? tmpdir()
    let complaint = ''
    for (const parent of roomy ? [memory, disk] : [disk]) {
      const folder = mkdtempSync(join(parent, 'headrace-bench-'))
      const port = await freePort()
      mkdirSync(join(folder, 'bench'))
      // Without --keep-alive every request would be a connection of its own.
      const flags = ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', folder]
      const child = startServerProcess([program, ...flags], {
        ROOT_ACCESS_KEY: ACCESS_KEY,
        ROOT_SECRET_KEY: SECRET_KEY,
      })
      child.stdout.resume()
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        complaint = (complaint + text).slice(-500)
      })
      process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
      if (await started(child, port)) return new ObjectServer(version, `http://127.0.0.1:${port}`, folder, child)
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    }
    return `versitygw does not start: ${complaint.trim().split('\n').at(-1)}`
  }

  /** Small objects, made as what they are at the server: files. Without etags, which is enough for deleting them. */
  makeObjects(folder: string, count: number): void {
    mkdirSync(join(this.#folder, this.bucket, folder), { recursive: true })
    const body = new Uint8Array(16).fill(1)
    for (let i = 0; i < count; i++) writeFileSync(join(this.#folder, this.bucket, keyOf(folder, i)), body)
  }

  removeObjects(folder: string): void {
    rmSync(join(this.#folder, this.bucket, folder), { recursive: true, force: true })
  }

  async end(): Promise<void> {
    await endServerProcess(this.#child)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
