import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { BenchVisionReport } from 'headrace'
import { CLI, type MadeSet, ROOT } from './sets.ts'

const run = promisify(execFile)

export interface Epoch {
  readonly images: number
  readonly seconds: number
  readonly cpuSeconds: number
}

/** One that measures an operation over a set. */
export interface Tool {
  readonly name: string
  epochs(operation: string, epochs: number): Promise<readonly Epoch[]>
  close(): Promise<void>
}

/** taskset keeps a tool on one core; where there is none (macOS) it runs free. */
export function pinned(core: number, command: string, args: readonly string[]): [string, string[]] {
  return existsSync('/usr/bin/taskset') ? ['/usr/bin/taskset', ['-c', String(core), command, ...args]] : [command, [...args]]
}

export async function headraceReport(
  cache: string,
  pipeline: string,
  epochs: number,
  { threads = 1, core = 0, extra = [] as readonly string[] } = {},
): Promise<BenchVisionReport> {
  const args = [CLI, 'bench', 'vision', cache, '--pipeline', pipeline, '--threads', String(threads), '--epochs', String(epochs), '--json', ...extra]
  const [command, rest] = threads === 1 ? pinned(core, process.execPath, args) : [process.execPath, args]
  const { stdout } = await run(command, rest, { maxBuffer: 2 ** 26 })
  return JSON.parse(stdout) as BenchVisionReport
}

/** This package, by its own command: the first epoch is left out, as it is with every tool. */
export function headrace(set: MadeSet): Tool {
  return {
    name: 'headrace',
    async epochs(operation, epochs) {
      return (await headraceReport(set.cache, operation, epochs + 1)).epochs.slice(1)
    },
    async close() {},
  }
}

/** Compiles the rebuilt algorithms; undefined without a compiler. */
export async function compileRebuilt(): Promise<string | undefined> {
  const program = join(ROOT, 'build', 'bench', 'rebuilt')
  await mkdir(join(ROOT, 'build', 'bench'), { recursive: true })
  try {
    const source = join(ROOT, 'bench', 'vision', 'rebuilt', 'main.cc')
    execFileSync('c++', ['-std=c++20', '-O3', '-march=native', source, '-o', program, '-ljpeg'], { stdio: 'pipe' })
    return program
  } catch (error) {
    process.stderr.write(`the rebuilt algorithms do not compile: ${(error as Error).message}\n`)
    return undefined
  }
}

/** FFCV's or slipstream's algorithm (or memcpy) in plain C++, without their loaders. */
export function rebuilt(program: string, of: string, set: MadeSet): Tool {
  return {
    name: `${of} (rebuilt)`,
    async epochs(operation, epochs) {
      const name = of === 'memcpy' ? 'memcpy' : `${of}-${operation}`
      const [command, args] = pinned(0, program, [set.cache, name, String(epochs)])
      return (JSON.parse((await run(command, args)).stdout) as { epochs: Epoch[] }).epochs
    },
    async close() {},
  }
}

/** The real tool, kept alive between questions so that what it compiled stays compiled. */
class RealPeer implements Tool {
  readonly name: string
  readonly #process: ChildProcess
  readonly #answers: AsyncIterator<string>

  private constructor(name: string, child: ChildProcess, answers: AsyncIterator<string>) {
    this.name = name
    this.#process = child
    this.#answers = answers
  }

  static async start(of: 'ffcv' | 'slipstream', peers: string, set: MadeSet): Promise<RealPeer | undefined> {
    const python = join(peers, 'venv', 'bin', 'python')
    if (!existsSync(python)) return undefined
    const script = join(ROOT, 'bench', 'vision', 'peers.py')
    const [command, args] = pinned(0, python, [script, of, '--folder', set.folder, '--quality', String(set.photos.quality), '--work', join(set.work, of)])
    const env = { ...process.env, PYTHONPATH: join(peers, 'src', 'slipstream'), TQDM_DISABLE: '1' }
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'], env })
    const answers = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
    const first = await answers.next()
    if (first.done === true) return undefined
    const { version } = JSON.parse(first.value) as { version: string }
    return new RealPeer(`${of} ${version}`, child, answers)
  }

  async epochs(operation: string, epochs: number): Promise<readonly Epoch[]> {
    this.#process.stdin?.write(`${JSON.stringify({ operation, batch: 256, epochs })}\n`)
    const { value, done } = await this.#answers.next()
    if (done === true) throw new Error(`${this.name} ended`)
    const answer = JSON.parse(value) as { epochs?: Epoch[]; error?: string }
    if (answer.epochs === undefined) throw new Error(`${this.name}: ${answer.error}`)
    return answer.epochs
  }

  async close(): Promise<void> {
    this.#process.stdin?.end()
    await new Promise((resolve) => (this.#process.exitCode === null ? this.#process.once('exit', resolve) : resolve(undefined)))
  }
}

/** A peer as it is installed below $HEADRACE_PEERS, else its algorithm rebuilt, else nothing. */
export async function peer(of: 'ffcv' | 'slipstream', set: MadeSet, program: string | undefined): Promise<Tool | undefined> {
  const { HEADRACE_PEERS } = process.env
  const real = HEADRACE_PEERS === undefined ? undefined : await RealPeer.start(of, HEADRACE_PEERS, set)
  return real ?? (program === undefined ? undefined : rebuilt(program, of, set))
}

export function machine(): string {
  const [cpu] = cpus()
  return `${cpu?.model ?? 'unknown processor'}, ${cpus().length} cores, Node.js ${process.version}`
}
