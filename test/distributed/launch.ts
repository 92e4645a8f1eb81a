import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { startRanks } from '../../src/distributed/index.ts'

/** How one rank of a test ended. */
export interface Outcome {
  /** What its scenario came to. */
  readonly result?: unknown
  /** Why it could not join. */
  readonly failed?: { readonly code: string; readonly message: string; readonly ranks: readonly number[] }
}

export interface JobOutcome {
  readonly ranks: readonly Outcome[]
  /** Of the launcher, where it watches its ranks. */
  readonly error?: unknown
}

/** Runs a scenario on so many ranks, to its end. */
export type Launch = (child: string, ranks: number, scenario: string, ...args: string[]) => Promise<JobOutcome>

function outcomeIn(lines: readonly string[]): Outcome {
  for (const line of lines) {
    if (line.startsWith('result '))
      return { result: line === 'result undefined' ? undefined : JSON.parse(line.slice(7)) }
    if (line.startsWith('failed ')) return { failed: JSON.parse(line.slice(7)) }
  }
  return {}
}

export const launchLocal: Launch = async (child, ranks, ...args) => {
  const lines = Array.from({ length: ranks }, (): string[] => [])
  const job = startRanks({
    ranks,
    argv: [process.execPath, child, ...args],
    onOutput: ({ rank, stream, line }) => {
      if (stream === 'stdout') lines[rank]?.push(line)
      else process.stderr.write(`rank ${rank}: ${line}\n`)
    },
  })
  const error = await job.then(
    () => undefined,
    (error) => error,
  )
  return { ranks: lines.map(outcomeIn), ...(error !== undefined && { error }) }
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

type Environment = Readonly<Record<string, string>>

/** What tells a process that it is a rank must come from the test alone. */
export function cleanEnvironment(): Record<string, string> {
  const launchers = /^(HEADRACE_|OMPI_|PMI|MPI_|SLURM_|TORCHELASTIC_|MASTER_|RANK$|WORLD_SIZE$|LOCAL_)/
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => !launchers.test(entry[0])),
  )
}

/** One rank, started by hand. */
async function startChild(child: string, env: Environment, ...args: string[]): Promise<Outcome> {
  const process_ = spawn(process.execPath, [child, ...args], {
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  process_.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  await once(process_, 'close')
  return outcomeIn(text.split('\n'))
}

/** Ranks that nobody watches, with the environment that a launcher would give them. */
function launchWith(environment: (rank: number, size: number, job: string, port: number) => Environment): Launch {
  return async (child, ranks, ...args) => {
    const job = randomBytes(8).toString('hex')
    const port = await freePort()
    const started = Array.from({ length: ranks }, (_, rank) =>
      startChild(child, environment(rank, ranks, job, port), ...args),
    )
    return { ranks: await Promise.all(started) }
  }
}

/** TCP. */
export const launchTorchrun = launchWith((rank, size, job, port) => ({
  RANK: String(rank),
  WORLD_SIZE: String(size),
  LOCAL_RANK: String(rank),
  LOCAL_WORLD_SIZE: String(size),
  MASTER_ADDR: '127.0.0.1',
  MASTER_PORT: String(port),
  TORCHELASTIC_RUN_ID: job,
}))

/** A socket at a place that follows from the job. */
export const launchOpenMpi = launchWith((rank, size, job) => ({
  OMPI_COMM_WORLD_RANK: String(rank),
  OMPI_COMM_WORLD_SIZE: String(size),
  OMPI_COMM_WORLD_LOCAL_RANK: String(rank),
  OMPI_COMM_WORLD_LOCAL_SIZE: String(size),
  PMIX_NAMESPACE: job,
}))

/** The same without a name of the job: its ranks have one parent. */
export const launchPmi = launchWith((rank, size) => ({
  PMI_RANK: String(rank),
  PMI_SIZE: String(size),
  MPI_LOCALRANKID: String(rank),
  MPI_LOCALNRANKS: String(size),
}))

/** TCP, with an address and a token that the user gives; two "hosts". */
export const launchSlurm = launchWith((rank, size, job, port) => ({
  SLURM_PROCID: String(rank),
  SLURM_NTASKS: String(size),
  SLURM_LOCALID: String(rank % 2),
  SLURM_STEP_ID: '0',
  SLURM_JOB_ID: '4711',
  HEADRACE_TOKEN: job,
  TEST_COORDINATOR: `127.0.0.1:${port}`,
}))
