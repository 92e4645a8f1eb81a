import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { availableCores, cgroupQuota } from '../src/cores.ts'

const made: string[] = []
afterEach(async () => {
  for (const root of made.splice(0)) await rm(root, { recursive: true, force: true })
})

/** A file system with these files; its path as a root. */
async function root(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-cores-'))
  made.push(folder)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return `${folder}/`
}

describe('cgroup v2', () => {
  it.each([
    ['250000 100000\n', 2.5],
    ['50000 100000\n', 0.5],
    ['max 100000\n', Number.POSITIVE_INFINITY],
  ])('cpu.max of %j is %d cores', async (max, cores) => {
    expect(cgroupQuota(await root({ 'proc/self/cgroup': '0::/job\n', 'sys/fs/cgroup/job/cpu.max': max }))).toBe(cores)
  })

  it('takes the smallest quota of the own group and all above it', async () => {
    const files = {
      'proc/self/cgroup': '0::/kubepods/pod1/container\n',
      'sys/fs/cgroup/kubepods/cpu.max': '800000 100000\n',
      'sys/fs/cgroup/kubepods/pod1/cpu.max': '300000 100000\n',
      'sys/fs/cgroup/kubepods/pod1/container/cpu.max': 'max 100000\n',
    }
    expect(cgroupQuota(await root(files))).toBe(3)
  })

  it("finds a container's quota where the mount's root is the own group", async () => {
    expect(cgroupQuota(await root({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n' }))).toBe(
      1.5,
    )
    // Docker without a cgroup namespace: the path is the host's, and not there inside.
    const host = {
      'proc/self/cgroup': '0::/system.slice/docker-1234.scope\n',
      'sys/fs/cgroup/cpu.max': '200000 100000\n',
    }
    expect(cgroupQuota(await root(host))).toBe(2)
    expect(
      cgroupQuota(await root({ 'proc/self/cgroup': '0::/../../x\n', 'sys/fs/cgroup/x/cpu.max': '100000 100000\n' })),
    ).toBe(1)
  })
})

describe('cgroup v1', () => {
  const memberships = '12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n'
  const quota = (folder: string, us: string) => ({
    [`sys/fs/cgroup/cpu/${folder}cpu.cfs_quota_us`]: us,
    [`sys/fs/cgroup/cpu/${folder}cpu.cfs_period_us`]: '100000\n',
  })

  it.each([
    ['400000\n', 4],
    ['-1\n', Number.POSITIVE_INFINITY],
  ])('cpu.cfs_quota_us of %j is %d cores', async (us, cores) => {
    expect(cgroupQuota(await root({ 'proc/self/cgroup': memberships, ...quota('docker/abc/', us) }))).toBe(cores)
  })

  it('takes the smallest of the nested groups, and of the mount in a container', async () => {
    const nested = {
      'proc/self/cgroup': memberships,
      ...quota('', '-1\n'),
      ...quota('docker/', '600000\n'),
      ...quota('docker/abc/', '700000\n'),
    }
    expect(cgroupQuota(await root(nested))).toBe(6)
    expect(cgroupQuota(await root({ 'proc/self/cgroup': memberships, ...quota('', '250000\n') }))).toBe(2.5)
  })

  it('beside v2, as on hybrid systems: the smaller counts', async () => {
    const files = {
      'proc/self/cgroup': `${memberships}0::/job\n`,
      ...quota('docker/abc/', '500000\n'),
      'sys/fs/cgroup/job/cpu.max': '300000 100000\n',
    }
    expect(cgroupQuota(await root(files))).toBe(3)
  })
})

describe('without cgroups', () => {
  it('there is no quota, also where the files hold nonsense', async () => {
    expect(cgroupQuota(await root({}))).toBe(Number.POSITIVE_INFINITY)
    expect(
      cgroupQuota(await root({ 'proc/self/cgroup': '0::/\nrubbish\n', 'sys/fs/cgroup/cpu.max': 'rubbish\n' })),
    ).toBe(Number.POSITIVE_INFINITY)
    expect(cgroupQuota(await root({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '100000 0\n' }))).toBe(
      Number.POSITIVE_INFINITY,
    )
  })
})

describe('available cores', () => {
  it('are the quota rounded up, at least one and at most what the affinity mask allows', async () => {
    const of = async (max: string) =>
      availableCores(await root({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': max }))
    expect(await of('10000 100000\n')).toBe(1)
    expect(await of('110000 100000\n')).toBe(Math.min(2, availableParallelism()))
    expect(await of('max 100000\n')).toBe(availableParallelism())
    expect(await of('99900000 100000\n')).toBe(availableParallelism())
  })
})
