import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromSystemError } from './errors.ts'

/**
 * Runs `use` with a new folder for temporary data, in $HEADRACE_SCRATCH or else where the system has such folders.
 * However `use` ends, the folder is removed; also where the process exits in between.
 */
export async function withScratch<T>(purpose: string, use: (folder: string) => Promise<T>): Promise<T> {
  const { HEADRACE_SCRATCH: named } = process.env
  const parent = named === undefined || named === '' ? tmpdir() : named
  const folder = await mkdtemp(join(parent, `headrace-${purpose}-`)).catch((error) => {
    const hint = '$HEADRACE_SCRATCH names the folder for temporary data'
    throw fromSystemError(error, `making a scratch folder in ${parent}`, { path: parent, hint })
  })
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    return await use(folder)
  } finally {
    process.off('exit', remove)
    await rm(folder, { recursive: true, force: true })
  }
}
