import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromSystemError } from '../errors.ts'

/** Where an engine listens. */
export interface Address {
  /** For `net.Server.listen`. */
  readonly path: string
  /** What a client must say. */
  readonly token: string
  /** Name of the socket, `#` and the token: what other processes are told. */
  readonly text: string
  remove(): Promise<void>
}

const TOKEN_BYTES = 32

/** A socket in Linux's abstract namespace, which nothing is left of; elsewhere one in a folder of its own. */
export async function newAddress(): Promise<Address> {
  const token = randomBytes(TOKEN_BYTES).toString('hex')
  if (process.platform === 'linux') {
    const name = `headrace-${process.pid}-${randomBytes(8).toString('hex')}`
    return { path: `\0${name}`, token, text: `@${name}#${token}`, remove: async () => {} }
  }
  const parent = tmpdir()
  // mkdtemp makes it for its owner alone, 0700
  const folder = await mkdtemp(join(parent, 'headrace-')).catch((error: unknown) => {
    throw fromSystemError(error, `no folder for the engine's socket in ${parent}`, { path: parent })
  })
  const path = join(folder, 'engine')
  return { path, token, text: `${path}#${token}`, remove: () => rm(folder, { recursive: true, force: true }) }
}
