import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Catalog } from './disk/catalog.ts'
import { keptFolder, temporaryFolder } from './disk/folder.ts'
import { FaultDraws } from './faults/draw.ts'
import { checkOptions, type S3ServerOptions } from './options.ts'
import { RequestLog } from './requests.ts'
import { HttpFront } from './server.ts'
import { tlsSetup } from './tls.ts'

export { FAULT_KINDS, type FaultRule } from './faults/rules.ts'
export { DEFAULT_KEYS, type S3ServerOptions } from './options.ts'

export interface S3Server {
  /** Such as http://127.0.0.1:9900 */
  readonly url: string
  readonly port: number
  /** The folder that holds the objects. */
  readonly dir: string
  /** A certificate of the server's own making, which clients are to trust: PEM, and the file that has it. */
  readonly certificate?: { readonly pem: string; readonly path: string }
  /** What was asked so far. */
  readonly requests: RequestLog
  /** Ends every connection; a temporary folder goes. */
  close(): Promise<void>
}

/**
 * Starts an S3 server for development and tests: one account, one region, objects in a folder. It is not for anything
 * that must last: bodies are not forced to the disk. E_USAGE, E_STATE (the folder is in use), E_NETWORK, E_CORRUPT.
 */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const { port, host, dir, account, region, tls, rules, seed, minPartSize, clockOffset } = checkOptions(options)
  const secured = tls === undefined ? undefined : tlsSetup(tls)
  const folder = dir === undefined ? await temporaryFolder() : keptFolder(dir)
  let catalog: Catalog | undefined
  try {
    catalog = await Catalog.open(folder.path)
    const pem = secured?.authority
    const certificate = pem === undefined ? undefined : { pem, path: join(folder.path, 'certificate.pem') }
    if (certificate !== undefined) await writeFile(certificate.path, certificate.pem)
    const opened = catalog
    const requests = new RequestLog()
    const faults = rules.length === 0 ? undefined : new FaultDraws(rules, seed)
    const service = {
      catalog,
      region,
      minPartSize,
      now: () => Date.now() + clockOffset,
      account,
      faults,
      log: requests,
    }
    const front = new HttpFront(service, secured?.options, reportDefect)
    const listening = await front.listen(host, port)
    const name = host.includes(':') ? `[${host}]` : host
    return {
      url: `${tls === undefined ? 'http' : 'https'}://${name}:${listening}`,
      port: listening,
      dir: folder.path,
      ...(certificate === undefined ? {} : { certificate }),
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
