import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { knownOptions, positiveInteger, show } from '../checks.ts'
import { fromSystemError, HeadraceError, throwIfAborted, userCallback } from '../errors.ts'
import { PARENT_FD, type RankFailure } from './parent.ts'
import type { Environment } from './rank.ts'
import { type RankEnd, type RankOutput, RankProcess } from './rank-process.ts'
import { shortTemporaryFolder } from './rendezvous.ts'

export interface StartRanksOptions {
  /** Processes on this host. */
  readonly ranks: number
  /** Program and arguments, of each rank the same. */
  readonly argv: readonly [string, ...string[]]
  /** What else the ranks find in their environment, beside this process's own. */
  readonly env?: Environment
  /** Lines as the ranks write them. Without it they go to this process's stdout and stderr. */
  readonly onOutput?: (output: RankOutput) => void
  /** Is passed on to all ranks as SIGINT. */
  readonly signal?: AbortSignal
}

/** More processes than that on one host are a mistake. */
const MAX_RANKS = 1024
/** When one has failed, the others have so long to end by themselves, and then so long after SIGTERM: milliseconds. */
const OWN_END = 5000
const TERM_END = 5000
/** To clean up after SIGINT: milliseconds. */
const INTERRUPT_END = 10_000

function passOn({ stream, line }: RankOutput): void {
  process[stream].write(`${line}\n`)
}

function wordsOf(end: RankEnd): string {
  switch (end.kind) {
    case 'exited':
      return `ended with exit code ${end.code}`
    case 'killed':
      return `was killed by ${end.signal}`
    default:
      return `could not be started: ${end.error.message}`
  }
}

/** The rank whose fault it is that the job fails, and what is known of the reason. */
type Fault = Pick<RankFailure, 'rank'> & Partial<RankFailure>

/** The processes of one job, watched together. */
class Job {
  readonly #processes: readonly RankProcess[]
  readonly #ends = new Map<number, RankEnd>()
  readonly #timers: NodeJS.Timeout[] = []
  #fault: Fault | undefined
  #isInterrupted = false

  constructor(options: StartRanksOptions, environments: readonly Environment[]) {
    const onOutput = options.onOutput === undefined ? passOn : userCallback(options.onOutput)
    this.#processes = environments.map(
      (env, rank) =>
        new RankProcess({
          rank,
          argv: options.argv,
          env,
          onOutput,
          onFailure: (failure) => this.#told(failure),
        }),
    )
  }

  async run(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => this.#interrupt()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.all(
        this.#processes.map(async (process) => {
          const end = await process.ended
          this.#ends.set(process.rank, end)
          if (end.kind !== 'exited' || end.code !== 0) this.#failed({ rank: process.rank })
        }),
      )
    } finally {
      signal?.removeEventListener('abort', onAbort)
      for (const timer of this.#timers) clearTimeout(timer)
      for (const process of this.#processes) process.kill()
    }
    throwIfAborted(signal, `the job of ${this.#processes.length} ranks`)
    if (this.#fault !== undefined) throw this.#error(this.#fault)
  }

  /** The first to learn of a failure knows whose it is; what that rank says of it itself counts more. */
  #told(failure: RankFailure): void {
    if (this.#processes[failure.rank] === undefined) return
    if (failure.isOwn && this.#fault?.rank === failure.rank) this.#fault = failure
    this.#failed(failure)
  }

  #failed(fault: Fault): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    if (!this.#isInterrupted) this.#after(OWN_END, () => this.#terminate())
  }

  #interrupt(): void {
    this.#isInterrupted = true
    for (const process of this.#processes) process.interrupt('SIGINT')
    this.#after(INTERRUPT_END, () => this.#terminate())
  }

  #terminate(): void {
    for (const process of this.#processes) process.interrupt('SIGTERM')
    this.#after(TERM_END, () => {
      for (const process of this.#processes) process.kill()
    })
  }

  #after(milliseconds: number, act: () => void): void {
    this.#timers.push(setTimeout(act, milliseconds))
  }

  #error({ rank, reason, isOwn }: Fault): HeadraceError {
    const process = this.#processes[rank]
    const end = this.#ends.get(rank)
    const isWell = end === undefined || (end.kind === 'exited' && end.code === 0)
    if (reason !== undefined && (isOwn === true || isWell))
      return new HeadraceError('E_PEER', reason, { ranks: [rank] })
    const name = `rank ${rank}${process?.pid === undefined ? '' : ` (process ${process.pid})`}`
    const lastError = process?.lastError ?? ''
    const said = lastError === '' ? '' : `: ${lastError}`
    const what = end === undefined ? 'has failed' : wordsOf(end)
    return new HeadraceError('E_PEER', `${name} ${what}${said}`, { ranks: [rank] })
  }
}

function environmentsOf(options: StartRanksOptions, folder: string): Environment[] {
  const size = String(options.ranks)
  const token = randomBytes(32).toString('hex')
  return Array.from({ length: options.ranks }, (_, rank) => ({
    ...process.env,
    ...options.env,
    HEADRACE_RANK: String(rank),
    HEADRACE_WORLD_SIZE: size,
    HEADRACE_LOCAL_RANK: String(rank),
    HEADRACE_LOCAL_SIZE: size,
    HEADRACE_COORDINATOR: `unix:${join(folder, 'coordinator')}`,
    HEADRACE_TOKEN: token,
    HEADRACE_PARENT_FD: String(PARENT_FD),
  }))
}

/**
 * Runs a job of several ranks on this host: starts them, passes on what they write, and waits until all have ended.
 * When one fails, the others are ended: E_PEER names it and its reason. A signal reaches all as SIGINT, and the job ends
 * with E_CANCELLED. Ranks that call `joinRanks` end when this process does, even if it is killed.
 */
export async function startRanks(options: StartRanksOptions): Promise<void> {
  knownOptions('startRanks', options, ['ranks', 'argv', 'env', 'onOutput', 'signal'])
  positiveInteger('ranks', options.ranks, MAX_RANKS)
  if (!Array.isArray(options.argv) || options.argv.length === 0)
    throw new HeadraceError('E_USAGE', `argv must begin with a program, but got ${show(options.argv)}`)
  throwIfAborted(options.signal, `a job of ${options.ranks} ranks`)
  const prefix = join(shortTemporaryFolder(), 'headrace-ranks-')
  const folder = await mkdtemp(prefix).catch((error) => {
    throw fromSystemError(error, `the ranks have no folder to meet in`, { path: prefix })
  })
  try {
    await new Job(options, environmentsOf(options, folder)).run(options.signal)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
