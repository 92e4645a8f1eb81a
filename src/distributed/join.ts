import { hostname } from 'node:os'
import { finiteNumber, knownOptions, show } from '../checks.ts'
import { HeadraceError, throwIfAborted } from '../errors.ts'
import type { CoordinatorAddress } from './address.ts'
import { type FailureListener, RankCommunicator, type Uplink } from './communicator.ts'
import { Hub } from './hub.ts'
import { joinAsMember } from './member.ts'
import { type ParentWatch, watchParent } from './parent.ts'
import { discoverRank, type Environment, type RankInfo } from './rank.ts'
import { Reception, type ReceptionOptions } from './reception.ts'
import { findCoordinator, tokenOf } from './rendezvous.ts'
import type { Communicator } from './types.ts'

export interface JoinOptions {
  /** `process.env`. */
  readonly env?: Environment
  /** `HOST:PORT` of rank 0, or `unix:PATH`; wins over what the environment says. */
  readonly coordinator?: string
  /** Milliseconds until all ranks must be there; 120,000. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

const DEFAULT_TIMEOUT = 120_000
const MAX_TIMEOUT = 2 ** 31 - 1

interface Meeting {
  readonly uplink: Uplink
  readonly hosts: readonly string[]
}

/** Rank 0 waits for the others, and is where they come together from then on. */
async function receive(address: CoordinatorAddress, host: string, options: ReceptionOptions): Promise<Meeting> {
  const guests = await new Reception(address, options).run()
  const hosts = [host, ...guests.map((guest) => guest.host)]
  const hub = new Hub(
    guests.map(({ link }) => link),
    hosts,
  )
  for (const [i, guest] of guests.entries()) {
    guest.owner = { frame: (frame) => hub.frame(i + 1, frame), closed: (reason) => hub.closed(i + 1, reason) }
    if (guest.gone !== undefined) hub.closed(i + 1, guest.gone)
  }
  return { uplink: hub, hosts }
}

async function meet(
  info: RankInfo,
  env: Environment,
  {
    coordinator,
    timeout,
    signal,
  }: { coordinator: string | undefined; timeout: number; signal: AbortSignal | undefined },
): Promise<Meeting> {
  const { rank, worldSize: size } = info
  const host = hostname()
  if (size === 1) return { uplink: new Hub([], [host]), hosts: [host] }
  const address = findCoordinator(coordinator, env, info, process.ppid)
  const token = tokenOf(env, address, process.ppid)
  return rank === 0
    ? receive(address, host, { size, token, timeout, signal })
    : joinAsMember(address, { rank, size, host, token, timeout, signal })
}

/** Among the ranks of this host: as the launcher says, else by the hosts' names. */
function localOf({ rank, localRank, localSize }: RankInfo, hosts: readonly string[]) {
  const isHere = (other: number) => hosts[other] === hosts[rank]
  const here = hosts.map((_, other) => other).filter(isHere)
  return { localRank: localRank ?? here.indexOf(rank), localSize: localSize ?? here.length }
}

function failureListener(parent: ParentWatch | undefined): FailureListener | undefined {
  if (parent === undefined) return undefined
  return (rank, reason, isOwn) => parent.tell({ rank, reason, isOwn })
}

/**
 * Joins the ranks of this job: those of `startRanks`, mpirun, srun or torchrun, by what these put into the environment.
 * Alone, it is a job of one rank. Rank 0 waits for the others at the coordinator's address (docs/ranks.md says how that
 * is found). E_TIMEOUT names the ranks that did not come; E_CONFIG what the environment lacks.
 */
export async function joinRanks(options: JoinOptions = {}): Promise<Communicator> {
  knownOptions('joinRanks', options, ['env', 'coordinator', 'timeout', 'signal'])
  const { env = process.env, coordinator, signal } = options
  const timeout = finiteNumber('timeout', options.timeout ?? DEFAULT_TIMEOUT, 1, MAX_TIMEOUT)
  if (coordinator !== undefined && typeof coordinator !== 'string')
    throw new HeadraceError('E_USAGE', `coordinator must be a string, but got ${show(coordinator)}`)
  throwIfAborted(signal, 'joining')
  const parent = watchParent(env)
  const info = discoverRank(env)
  const { uplink, hosts } = await meet(info, env, { coordinator, timeout, signal })
  const place = { rank: info.rank, hosts, ...localOf(info, hosts) }
  return new RankCommunicator(place, uplink, failureListener(parent))
}
