import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'

/** What told this process its rank; `headrace`: `--ranks` did; `none`: nothing did, so it is alone. */
export type RankSource = 'headrace' | 'torchrun' | 'openmpi' | 'pmi' | 'slurm' | 'none'

/** This process among those that run the same job. */
export interface RankInfo {
  readonly rank: number
  readonly worldSize: number
  /** Among the processes of this machine; absent where the launcher does not say. */
  readonly localRank?: number
  readonly localSize?: number
  readonly source: RankSource
}

export type Environment = Readonly<Record<string, string | undefined>>

interface Launcher {
  readonly source: RankSource
  readonly rank: string
  readonly worldSize: string
  readonly localRank: string
  readonly localSize?: string
  /** False where the variables are there without saying anything about this process. */
  readonly applies?: (env: Environment) => boolean
}

/** The lowest of Slurm's reserved step ids (SLURM_INTERACTIVE_STEP): shells and batch scripts, which are no step. */
const FIRST_RESERVED_STEP = 0xfffffffa

function insideSlurmStep(env: Environment): boolean {
  const step = env.SLURM_STEP_ID
  return step !== undefined && Number(step) < FIRST_RESERVED_STEP
}

/** The innermost first: our own ranks may be started by any of the others, torchrun is started by mpirun or srun, mpirun by srun, and each leaves its own variables. */
const LAUNCHERS: readonly Launcher[] = [
  {
    source: 'headrace',
    rank: 'HEADRACE_RANK',
    worldSize: 'HEADRACE_WORLD_SIZE',
    localRank: 'HEADRACE_LOCAL_RANK',
    localSize: 'HEADRACE_LOCAL_SIZE',
  },
  {
    source: 'torchrun',
    rank: 'RANK',
    worldSize: 'WORLD_SIZE',
    localRank: 'LOCAL_RANK',
    localSize: 'LOCAL_WORLD_SIZE',
  },
  {
    source: 'openmpi',
    rank: 'OMPI_COMM_WORLD_RANK',
    worldSize: 'OMPI_COMM_WORLD_SIZE',
    localRank: 'OMPI_COMM_WORLD_LOCAL_RANK',
    localSize: 'OMPI_COMM_WORLD_LOCAL_SIZE',
  },
  // The local names are those of MPICH's Hydra, which Intel MPI shares.
  {
    source: 'pmi',
    rank: 'PMI_RANK',
    worldSize: 'PMI_SIZE',
    localRank: 'MPI_LOCALRANKID',
    localSize: 'MPI_LOCALNRANKS',
  },
  {
    source: 'slurm',
    rank: 'SLURM_PROCID',
    worldSize: 'SLURM_NTASKS',
    localRank: 'SLURM_LOCALID',
    applies: insideSlurmStep,
  },
]

function refuse(name: string, wanted: string, value: string | undefined): never {
  const got = value === undefined ? 'it is not set' : `got ${show(value)}`
  throw new HeadraceError('E_CONFIG', `environment variable ${name} must be ${wanted}, but ${got}`)
}

function readInteger(env: Environment, name: string, min: number): number {
  const text = env[name]
  const value = text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text) : -1
  return value >= min ? value : refuse(name, min === 0 ? 'an integer of 0 or more' : 'a positive integer', text)
}

function readPair(env: Environment, rankName: string, sizeName: string): { rank: number; size: number } {
  const size = readInteger(env, sizeName, 1)
  const rank = readInteger(env, rankName, 0)
  if (rank >= size) refuse(rankName, `less than ${sizeName} (${size})`, env[rankName])
  return { rank, size }
}

function readLauncher(env: Environment, launcher: Launcher): RankInfo {
  const { source } = launcher
  const { rank, size: worldSize } = readPair(env, launcher.rank, launcher.worldSize)
  if (env[launcher.localRank] === undefined) return { rank, worldSize, source }
  if (launcher.localSize === undefined || env[launcher.localSize] === undefined)
    return { rank, worldSize, localRank: readInteger(env, launcher.localRank, 0), source }
  const local = readPair(env, launcher.localRank, launcher.localSize)
  if (local.size > worldSize)
    refuse(launcher.localSize, `at most ${launcher.worldSize} (${worldSize})`, env[launcher.localSize])
  return { rank, worldSize, localRank: local.rank, localSize: local.size, source }
}

/**
 * This process's rank as its launcher put it in the environment: `startRanks`, torchrun, Open MPI, MPICH and others that speak PMI,
 * or a Slurm step; rank 0 of 1 where there is none. E_CONFIG names the variable that is missing, unreadable or
 * contradicts another.
 */
export function discoverRank(env: Environment = process.env): RankInfo {
  for (const launcher of LAUNCHERS) {
    const named = env[launcher.rank] !== undefined || env[launcher.worldSize] !== undefined
    if (named && (launcher.applies?.(env) ?? true)) return readLauncher(env, launcher)
  }
  return { rank: 0, worldSize: 1, source: 'none' }
}
