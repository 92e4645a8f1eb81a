import { execFileSync } from 'node:child_process'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { buildFolder, CLI, type MadeSet } from './sets.ts'
import { median } from './statistics.ts'

export interface BuildRates {
  readonly files: number
  readonly bytes: number
  readonly copySeconds: number
  readonly buildSeconds: number
  /** Whether the page cache was emptied before each run. */
  readonly cold: boolean
}

/** Empties the page cache; false where this user may not. */
function dropCaches(): boolean {
  try {
    execFileSync('sync')
    writeFileSync('/proc/sys/vm/drop_caches', '3')
    return true
  } catch {
    return false
  }
}

function timed(command: string, args: readonly string[]): number {
  const start = performance.now()
  execFileSync(command, args, { stdio: 'ignore' })
  return (performance.now() - start) / 1000
}

/** `cp -r` against `cache build` of the same files, in turn; both end with their bytes handed to the system. */
export async function cacheBuild(set: MadeSet, rounds: number): Promise<BuildRates> {
  const source = await buildFolder(set, 3)
  const copy = join(set.work, 'build-copy')
  const cache = join(set.work, 'build-cache')
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.jpg'))
  const bytes = files.reduce((sum, name) => sum + statSync(join(source, name)).size, 0)
  const copies: number[] = []
  const builds: number[] = []
  let cold = true
  for (let round = 0; round < rounds; round++) {
    for (const target of [copy, cache]) await rm(target, { recursive: true, force: true })
    cold = dropCaches() && cold
    copies.push(timed('cp', ['-r', source, copy]))
    cold = dropCaches() && cold
    // Node.js and the package are pages too: they are read before the clock starts, as cp's were long ago.
    execFileSync(process.execPath, [CLI, 'cache', 'info', set.cache], { stdio: 'ignore' })
    builds.push(timed(process.execPath, [CLI, 'cache', 'build', source, cache]))
  }
  for (const target of [copy, cache]) await rm(target, { recursive: true, force: true })
  return { files: files.length, bytes, copySeconds: median(copies), buildSeconds: median(builds), cold }
}
