import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { show } from '../checks.ts'
import { fromSystemError, HeadraceError } from '../errors.ts'
import { type CoordinatorAddress, parseAddress } from './address.ts'
import type { Environment, RankInfo } from './rank.ts'

/** Where the ranks of a job meet, and the token they know each other by, as far as the environment says. */

/** Ports for jobs of Slurm, by their number: above those of services, below those of clients. */
const FIRST_PORT = 20_000
const PORTS = 10_000
/** Of a folder for temporary files, so that a socket's path in it is short enough: bytes. */
const MAX_FOLDER = 60

/** What all ranks of one job have in common and other jobs do not, as far as the launcher says. */
function jobOf(env: Environment, parent: number | undefined): string {
  const { PMIX_NAMESPACE, OMPI_MCA_ess_base_jobid, SLURM_JOB_ID, SLURM_STEP_ID, TORCHELASTIC_RUN_ID } = env
  const names = [PMIX_NAMESPACE ?? OMPI_MCA_ess_base_jobid, SLURM_JOB_ID, SLURM_STEP_ID, TORCHELASTIC_RUN_ID]
  const known = names.filter((name) => name !== undefined && name !== 'none')
  // On one host the launcher is the parent of all of its ranks.
  return known.length > 0 ? known.join(' ') : parent === undefined ? '' : `parent ${parent}`
}

/** A folder for temporary files in which a socket's path is not too long. */
export function shortTemporaryFolder(): string {
  const folder = tmpdir()
  return Buffer.byteLength(folder) <= MAX_FOLDER ? folder : '/tmp'
}

/** E_ACCESS unless the folder is this user's alone: what lies in such folders is found by its name. */
function checkOwner(folder: string): void {
  const { uid } = userInfo()
  const found = lstatSync(folder)
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return
  throw new HeadraceError('E_ACCESS', `${show(folder)} is not a folder of this user alone`, {
    path: folder,
    hint: 'remove it, or name another place with --coordinator HOST:PORT',
  })
}

/** A socket of this user on this host, at a place that follows from the job. */
function localAddress(env: Environment, parent: number): CoordinatorAddress {
  const job = createHash('sha256').update(jobOf(env, parent)).digest('hex').slice(0, 16)
  const folder = join(shortTemporaryFolder(), `headrace-${userInfo().uid}-${job}`)
  try {
    mkdirSync(folder, { mode: 0o700, recursive: true })
    checkOwner(folder)
  } catch (error) {
    throw fromSystemError(error, `the ranks cannot meet in ${folder}`, { path: folder })
  }
  return { kind: 'unix', path: join(folder, 'coordinator'), folder }
}

/** The first of Slurm's nodes: `node[003-010,12],login1` begins with node003. */
function firstNode(list: string): string | undefined {
  const [, name, first = ''] = /^([^[,\s]+)(?:\[(\w+))?/.exec(list) ?? []
  return name === undefined ? undefined : name + first
}

function slurmAddress({ SLURM_STEP_NODELIST, SLURM_NODELIST, SLURM_JOB_ID, SLURM_STEP_ID }: Environment) {
  const host = firstNode(SLURM_STEP_NODELIST ?? SLURM_NODELIST ?? '')
  const job = Number(SLURM_JOB_ID)
  if (host === undefined || !Number.isSafeInteger(job)) return undefined
  const port = FIRST_PORT + ((job * 31 + Number(SLURM_STEP_ID ?? 0)) % PORTS)
  return { kind: 'tcp', host, port } as const
}

function masterAddress(env: Environment): CoordinatorAddress | undefined {
  const { MASTER_ADDR, MASTER_PORT, TORCHELASTIC_USE_AGENT_STORE } = env
  if (MASTER_ADDR === undefined || MASTER_PORT === undefined) return undefined
  const host = MASTER_ADDR.includes(':') ? `[${MASTER_ADDR}]` : MASTER_ADDR
  const address = parseAddress(`${host}:${MASTER_PORT}`, 'MASTER_ADDR:MASTER_PORT', 'E_CONFIG')
  // torchrun listens at that port itself.
  const isTaken = TORCHELASTIC_USE_AGENT_STORE === 'True' && address.kind === 'tcp'
  return isTaken ? { ...address, port: address.port === 65535 ? 65534 : address.port + 1 } : address
}

function isOneHost(env: Environment, { worldSize, localSize }: RankInfo): boolean {
  return localSize === worldSize || (localSize === undefined && env.SLURM_STEP_NUM_NODES === '1')
}

/**
 * Where the ranks meet: what the caller names, else HEADRACE_COORDINATOR, else MASTER_ADDR and MASTER_PORT, else on one
 * host a socket in this user's temporary folder, else under Slurm the step's first node. E_CONFIG where nothing tells.
 */
export function findCoordinator(
  named: string | undefined,
  env: Environment,
  info: RankInfo,
  parent: number,
): CoordinatorAddress {
  if (named !== undefined) return parseAddress(named, 'coordinator')
  const { HEADRACE_COORDINATOR, HEADRACE_PARENT_FD } = env
  if (HEADRACE_COORDINATOR !== undefined) {
    const address = parseAddress(HEADRACE_COORDINATOR, 'HEADRACE_COORDINATOR', 'E_CONFIG')
    // `startRanks` made a folder for it, which has to go if that is killed.
    const isOurs = HEADRACE_PARENT_FD !== undefined && address.kind === 'unix'
    return isOurs ? { ...address, folder: dirname(address.path) } : address
  }
  const master = masterAddress(env)
  if (master !== undefined) return master
  if (isOneHost(env, info)) return localAddress(env, parent)
  const slurm = info.source === 'slurm' ? slurmAddress(env) : undefined
  if (slurm !== undefined) return slurm
  throw new HeadraceError('E_CONFIG', `nothing says where the ${info.worldSize} ranks meet`, {
    hint: 'name the host of rank 0 and a free port there: --coordinator HOST:PORT, or MASTER_ADDR and MASTER_PORT',
  })
}

/**
 * What ranks know each other by: HEADRACE_TOKEN. Without it the job's id stands in, which keeps ranks of other jobs away
 * and nobody who wants to come in; a socket in a folder of this user alone needs no more.
 */
export function tokenOf(env: Environment, address: CoordinatorAddress, parent: number): Uint8Array {
  const { HEADRACE_TOKEN } = env
  if (HEADRACE_TOKEN === '')
    throw new HeadraceError('E_CONFIG', 'HEADRACE_TOKEN must not be empty', { hint: 'leave it out, or make it random' })
  const isLocal = address.kind === 'unix' && address.folder !== undefined
  const known =
    HEADRACE_TOKEN === undefined ? `job ${jobOf(env, isLocal ? parent : undefined)}` : `token ${HEADRACE_TOKEN}`
  return createHash('sha256').update(known).digest()
}
