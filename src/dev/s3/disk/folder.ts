import { mkdirSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fromSystemError } from '../../../errors.ts'
import { lockFolder } from './lock.ts'

/** Where a server keeps its objects. */
export interface ServerFolder {
  readonly path: string
  /** Lets others in, or removes what was only for a time. */
  leave(): Promise<void>
}

/** What must happen even where the process exits before a server was closed. One listener for all servers. */
const atExit = new Set<() => void>()
let listens = false

function onExit(act: () => void): void {
  atExit.add(act)
  if (listens) return
  listens = true
  process.once('exit', () => {
    for (const each of atExit) each()
  })
}

export async function temporaryFolder(): Promise<ServerFolder> {
  const path = await mkdtemp(join(tmpdir(), 'headrace-dev-s3-')).catch((error) => {
    throw fromSystemError(error, `cannot make a folder in ${tmpdir()}`, { path: tmpdir() })
  })
  const remove = () => rmSync(path, { recursive: true, force: true })
  onExit(remove)
  return {
    path,
    async leave() {
      await rm(path, { recursive: true, force: true })
      atExit.delete(remove)
    },
  }
}

/** A folder that stays, for one server at a time. E_STATE where another has it. */
export function keptFolder(dir: string): ServerFolder {
  const path = resolve(dir)
  try {
    mkdirSync(path, { recursive: true })
  } catch (error) {
    throw fromSystemError(error, `cannot make ${path}`, { path })
  }
  const unlock = lockFolder(path)
  onExit(unlock)
  return {
    path,
    async leave() {
      unlock()
      atExit.delete(unlock)
    },
  }
}
