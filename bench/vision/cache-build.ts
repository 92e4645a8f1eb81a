import { existsSync } from 'node:fs'
import { copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { run } from './command.ts'
import { cli, made } from './places.ts'
import type { ImageSet } from './sets.ts'
import { median } from './statistics.ts'

export interface CacheBuild {
  readonly files: number
  readonly bytes: number
  /** How the page cache was emptied before each run. */
  readonly dropped: string
  /** Until the command returned. */
  readonly copySeconds: number
  readonly buildSeconds: number
  /** Until everything was on the disk. */
  readonly copySyncedSeconds: number
  readonly buildSyncedSeconds: number
  /** Build speed over copy speed, both until everything was on the disk. */
  readonly ratio: number
}

interface Took {
  readonly command: number
  readonly synced: number
}

/** A folder of `files` pictures with bytes of their own, so that reading it cold reads all of them. */
async function manyFiles(set: ImageSet, files: number): Promise<{ folder: string; bytes: number }> {
  const folder = join(made, `copies-${set.name}-${files}`)
  if (!existsSync(folder)) {
    const pictures = (await readdir(set.folder, { recursive: true })).filter(
      (name) => name.endsWith('.jpg') && !basename(name).startsWith('again'),
    )
    const unfinished = `${folder}.part`
    await rm(unfinished, { recursive: true, force: true })
    for (let i = 0; i < files; i++) {
      const name = pictures[i % pictures.length] ?? ''
      const target = join(unfinished, dirname(name), `${i}-${basename(name)}`)
      await mkdir(dirname(target), { recursive: true })
      await copyFile(join(set.folder, name), target)
    }
    await rename(unfinished, folder)
  }
  const bytes = Number((await run(['du', '-sb', '--apparent-size', folder])).split('\t')[0])
  return { folder, bytes }
}

/** Asks for each file below a folder to leave the page cache; what is being written stays. */
const ADVISE = `
import os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        file = os.open(os.path.join(folder, name), os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)
`

async function dropCaches(folder: string): Promise<string> {
  await run(['sync'])
  try {
    const file = await open('/proc/sys/vm/drop_caches', 'w')
    await file.write('3\n').finally(() => file.close())
    return '/proc/sys/vm/drop_caches'
  } catch {
    await run(['python3', '-c', ADVISE, folder])
    return 'posix_fadvise of every file'
  }
}

async function timeCold(command: readonly string[], source: string, destination: string): Promise<Took> {
  await rm(destination, { recursive: true, force: true })
  await dropCaches(source)
  // The program's own pages were dropped too. They are no part of the work.
  await run([...command.slice(0, command[0] === 'cp' ? 1 : 2), '--help'])
  const start = performance.now()
  await run(command)
  const returned = performance.now()
  await run(['sync'])
  const synced = performance.now()
  await rm(destination, { recursive: true, force: true })
  return { command: (returned - start) / 1000, synced: (synced - start) / 1000 }
}

/** `cp -r` against `headrace cache build`, each from a cold source onto the same disk, in turn. */
export async function measureCacheBuild(
  set: ImageSet,
  files: number,
  rounds: number,
  say: (line: string) => void,
): Promise<CacheBuild> {
  const { folder, bytes } = await manyFiles(set, files)
  const destination = join(made, 'built')
  const copies: Took[] = []
  const builds: Took[] = []
  const build = [process.execPath, cli, 'cache', 'build', folder, destination, '--on-error', 'throw']
  for (let round = 0; round < rounds; round++) {
    copies.push(await timeCold(['cp', '-r', folder, destination], folder, destination))
    builds.push(await timeCold(build, folder, destination))
    say(
      `cache build round ${round + 1}: cp -r ${copies.at(-1)?.synced.toFixed(2)} s, build ${builds.at(-1)?.synced.toFixed(2)} s`,
    )
  }
  const copySyncedSeconds = median(copies.map((took) => took.synced))
  const buildSyncedSeconds = median(builds.map((took) => took.synced))
  return {
    files,
    bytes,
    dropped: await dropCaches(folder),
    copySeconds: median(copies.map((took) => took.command)),
    buildSeconds: median(builds.map((took) => took.command)),
    copySyncedSeconds,
    buildSyncedSeconds,
    ratio: copySyncedSeconds / buildSyncedSeconds,
  }
}
