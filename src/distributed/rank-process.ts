import { type ChildProcess, spawn } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import { PARENT_FD, type RankFailure } from './parent.ts'
import type { Environment } from './rank.ts'

export interface RankOutput {
  readonly rank: number
  readonly stream: 'stdout' | 'stderr'
  /** Without its end. */
  readonly line: string
}

export interface RankProcessOptions {
  readonly rank: number
  readonly argv: readonly [string, ...string[]]
  readonly env: Environment
  readonly onOutput: (output: RankOutput) => void
  readonly onFailure: (failure: RankFailure) => void
}

/** How a process ended. */
export type RankEnd =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'killed'; readonly signal: string }
  /** It could not be started. */
  | { readonly kind: 'absent'; readonly error: Error }

/** A longer line is told in pieces: characters. */
const MAX_LINE = 65536

/** Cuts what comes into lines. */
class Lines {
  readonly #decoder = new StringDecoder('utf8')
  readonly #tell: (line: string) => void
  #rest = ''

  constructor(tell: (line: string) => void) {
    this.#tell = tell
  }

  add(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#tell(line.endsWith('\r') ? line.slice(0, -1) : line)
    for (; this.#rest.length > MAX_LINE; this.#rest = this.#rest.slice(MAX_LINE))
      this.#tell(this.#rest.slice(0, MAX_LINE))
  }

  end(): void {
    const rest = this.#rest + this.#decoder.end()
    this.#rest = ''
    if (rest !== '') this.#tell(rest)
  }
}

function failureIn(line: string): RankFailure | undefined {
  try {
    const { rank, reason, isOwn } = JSON.parse(line) as Partial<RankFailure>
    const isWhole = Number.isSafeInteger(rank) && typeof reason === 'string' && typeof isOwn === 'boolean'
    return isWhole ? ({ rank, reason, isOwn } as RankFailure) : undefined
  } catch {
    return undefined
  }
}

/** One rank's process: in a group of its own, so that what it starts can be ended with it, and no Ctrl-C reaches it twice. */
export class RankProcess {
  readonly rank: number
  /** Resolves once it has ended and all of its output was told. */
  readonly ended: Promise<RankEnd>
  readonly #child: ChildProcess
  #lastError = ''
  #hasEnded = false

  constructor({ rank, argv: [program, ...args], env, onOutput, onFailure }: RankProcessOptions) {
    this.rank = rank
    this.#child = spawn(program, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
    const telling = (stream: 'stdout' | 'stderr') =>
      new Lines((line) => {
        if (stream === 'stderr' && line.trim() !== '' && !line.startsWith('hint: ')) this.#lastError = line
        onOutput({ rank, stream, line })
      })
    const told = new Lines((line) => {
      const failure = failureIn(line)
      if (failure !== undefined) onFailure(failure)
    })
    const streams = [
      [this.#child.stdout, telling('stdout')],
      [this.#child.stderr, telling('stderr')],
      [this.#child.stdio[PARENT_FD], told],
    ] as const
    for (const [stream, lines] of streams) {
      stream?.on('data', (chunk: Buffer) => lines.add(chunk))
      stream?.on('end', () => lines.end())
      stream?.on('error', () => {})
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        if (this.#child.pid === undefined) resolve({ kind: 'absent', error })
      })
      this.#child.once('exit', () => {
        this.#hasEnded = true
        // What it started and left behind holds its pipes open.
        this.#signalGroup('SIGKILL')
      })
      this.#child.once('close', (code, signal) =>
        resolve(signal === null ? { kind: 'exited', code: code ?? 1 } : { kind: 'killed', signal }),
      )
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** The last line that it wrote to stderr, hints apart. */
  get lastError(): string {
    return this.#lastError
  }

  /** To the process alone: what it started is its own business, as long as it lives. */
  interrupt(signal: 'SIGINT' | 'SIGTERM'): void {
    if (!this.#hasEnded) this.#child.kill(signal)
  }

  kill(): void {
    if (!this.#hasEnded) this.#signalGroup('SIGKILL')
  }

  #signalGroup(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // Nobody of it is left.
    }
  }
}
