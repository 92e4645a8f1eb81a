import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/**
 * Cores that this process may use: its affinity mask, and the CPU quota of its cgroup and every cgroup above it
 * (v2: cpu.max; v1: cpu.cfs_quota_us over cpu.cfs_period_us), rounded up, at least 1.
 */
export function availableCores(root = '/'): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(cgroupQuota(root))))
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Cores by quota; Infinity where there is none. `root` is where /proc and /sys are looked for. */
export function cgroupQuota(root = '/'): number {
  const memberships = read(`${root}proc/self/cgroup`)
  if (memberships === undefined) return Number.POSITIVE_INFINITY
  let cores = Number.POSITIVE_INFINITY
  for (const line of memberships.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (path === undefined || controllers === undefined) continue
    if (controllers === '') cores = Math.min(cores, walk(`${root}sys/fs/cgroup`, path, quotaV2))
    else if (controllers.split(',').includes('cpu'))
      cores = Math.min(cores, walk(`${root}sys/fs/cgroup/cpu`, path, quotaV1))
  }
  return cores
}

/** The smallest quota from the process's group up to the root; inside a container the own group is the mount's root. */
function walk(mount: string, path: string, quota: (folder: string) => number): number {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..')
  let cores = quota(mount)
  for (let depth = 1; depth <= parts.length; depth++)
    cores = Math.min(cores, quota(`${mount}/${parts.slice(0, depth).join('/')}`))
  return cores
}

function ratio(quota: number, period: number): number {
  return quota > 0 && period > 0 ? quota / period : Number.POSITIVE_INFINITY
}

function quotaV2(folder: string): number {
  const [quota, period] = (read(`${folder}/cpu.max`) ?? 'max').trim().split(' ')
  return ratio(Number(quota), Number(period))
}

function quotaV1(folder: string): number {
  return ratio(Number(read(`${folder}/cpu.cfs_quota_us`)), Number(read(`${folder}/cpu.cfs_period_us`)))
}
