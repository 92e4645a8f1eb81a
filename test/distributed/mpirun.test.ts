import { execFile, execFileSync } from 'node:child_process'
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compiled } from './compiled.ts'
import { cleanEnvironment, freePort } from './launch.ts'

/** Open MPI's or MPICH's, if there is one. */
function versionOfMpirun(): string {
  try {
    return execFileSync('mpirun', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return ''
  }
}

const version = versionOfMpirun()
const flags = version.includes('Open MPI') ? ['--oversubscribe', '--allow-run-as-root'] : []

describe.skipIf(version === '')('ranks that a real mpirun starts (where mpirun is installed)', () => {
  let child: string
  let remove: () => Promise<void>
  beforeAll(async () => {
    const { file, ...folder } = await compiled()
    child = file('child.js')
    remove = folder.remove
  })
  afterAll(() => remove())

  async function run(ranks: number, env: Readonly<Record<string, string>>, ...args: string[]) {
    const argv = [...flags, '-n', String(ranks), process.execPath, child, ...args]
    const { stdout } = await promisify(execFile)('mpirun', argv, { env: { ...cleanEnvironment(), ...env } })
    const results = stdout.split('\n').flatMap((line) => (line.startsWith('result ') ? [line.slice(7)] : []))
    return results.map((text) => JSON.parse(text) as Record<string, { rank: number }>)
  }

  const places = (size: number) =>
    Array.from({ length: size }, (_, rank) => ({
      who: { rank, size, localRank: rank, localSize: size, hosts: Array.from({ length: size }, () => hostname()) },
      many: 'done',
    }))
  const byRank = (told: readonly Record<string, { rank: number }>[]) =>
    [...told].sort((a, b) => (a.who?.rank ?? 0) - (b.who?.rank ?? 0))

  test('meet on one host without being told where', async () => {
    expect(byRank(await run(3, {}, 'who,many'))).toEqual(places(3))
  })

  test('meet at MASTER_ADDR and MASTER_PORT', async () => {
    const env = { MASTER_ADDR: 'localhost', MASTER_PORT: String(await freePort()) }
    expect(byRank(await run(2, env, 'who,many'))).toEqual(places(2))
  })
})
