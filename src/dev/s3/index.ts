import { mkdirSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fromSystemError } from '../../errors.ts'
import { Catalog } from './disk/catalog.ts'
import { lockFolder } from './disk/lock.ts'
import { FaultDraws } from './faults/draw.ts'
import { checkOptions, type S3ServerOptions } from './options.ts'
import { RequestLog } from './requests.ts'
import { HttpFront } from './server.ts'

export { FAULT_KINDS, type Fault, type FaultKind, type FaultRule } from './faults/rules.ts'
export { DEFAULT_KEYS, type S3ServerOptions } from './options.ts'
export { type RequestEntry, RequestLog } from './requests.ts'

export interface S3Server {
  /** Such as http://127.0.0.1:9900 */
  readonly url: string
  readonly port: number
  /** The folder that holds the objects. */
  readonly dir: string
  /** What was asked so far. */
  readonly requests: RequestLog
  /** Ends every connection; a temporary folder goes. */
  close(): Promise<void>
}

/** A folder, and how to leave it. */
interface Folder {
  readonly path: string
  leave(): Promise<void>
}

async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'headrace-dev-s3-'))
  const remove = () => rmSync(path, { recursive: true, force: true })
  process.once('exit', remove)
  return {
    path,
    async leave() {
      process.off('exit', remove)
      await rm(path, { recursive: true, force: true })
    },
  }
}

function keptFolder(dir: string): Folder {
  const path = resolve(dir)
  try {
    mkdirSync(path, { recursive: true })
  } catch (error) {
    throw fromSystemError(error, `cannot make ${path}`, { path })
  }
  const unlock = lockFolder(path)
  process.once('exit', unlock)
  return {
    path,
    async leave() {
      process.off('exit', unlock)
      unlock()
    },
  }
}

/**
 * Starts an S3 server for development and tests: one account, one region, objects in a folder. It is not for anything
 * that must last: bodies are not forced to the disk. E_USAGE, E_STATE (the folder is in use), E_NETWORK, E_CORRUPT.
 */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const { port, host, dir, account, region, tls, rules, seed, minPartSize, clockOffset } = checkOptions(options)
  const folder = dir === undefined ? await temporaryFolder() : keptFolder(dir)
  let catalog: Catalog | undefined
  try {
    catalog = await Catalog.open(folder.path)
    const opened = catalog
    const requests = new RequestLog()
    const faults = rules.length === 0 ? undefined : new FaultDraws(rules, seed)
    const service = { catalog, region, minPartSize, now: () => Date.now() + clockOffset, account, faults }
    const front = new HttpFront(service, requests, undefined, reportDefect)
    const listening = await front.listen({ host, port, tls: undefined })
    const name = host.includes(':') ? `[${host}]` : host
    return {
      url: `${tls === undefined ? 'http' : 'https'}://${name}:${listening}`,
      port: listening,
      dir: folder.path,
      requests,
      async close() {
        await front.close()
        await opened.close()
        await folder.leave()
      },
    }
  } catch (error) {
    await catalog?.close()
    await folder.leave()
    throw error
  }
}

/** What is no client's fault must be seen by whoever runs the server. */
function reportDefect(error: unknown): void {
  process.stderr.write(`headrace dev s3: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
}
