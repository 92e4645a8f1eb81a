import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { root } from './places.ts'

export interface CommandOptions {
  /** Cores it may run on, as taskset has them: '0' or '0,1'. Where there is no taskset it runs anywhere. */
  readonly cores?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Linux's; without it tools run on any core. */
const pinner = 'taskset'

export const canPin: boolean = spawnSync(pinner, ['-c', '0', 'true']).status === 0

function placed(command: readonly string[], { cores }: CommandOptions): [string, string[]] {
  const [program = '', ...args] = cores !== undefined && canPin ? [pinner, '-c', cores, ...command] : command
  return [program, args]
}

/** Runs a command to its end and returns what it printed; what it says on stderr is in the error where it fails. */
export function run(command: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [program, args] = placed(command, options)
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(out)
      else reject(new Error(`${command.join(' ')} ended with ${code}: ${complaint.trim()}`))
    })
  })
}

export async function runJson<T>(command: readonly string[], options?: CommandOptions): Promise<T> {
  return JSON.parse(await run(command, options)) as T
}

/** A process that answers every line of JSON with one line of JSON. */
export class Conversation {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #answers: AsyncIterator<string>
  #complaint = ''

  constructor(command: readonly string[], options: CommandOptions = {}) {
    const [program, args] = placed(command, options)
    this.#child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child.on('error', (error) => {
      this.#complaint = error.message
    })
    this.#child.stdin.on('error', () => {})
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-2000)
    })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async next<T>(): Promise<T> {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`no answer: ${this.#complaint.trim().split('\n').at(-1)}`)
    return JSON.parse(value) as T
  }

  ask<T>(question: object): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(question)}\n`)
    return this.next()
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.stdin.end()
    await closed
  }
}
