import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Pool } from 'undici'

/** A process of its own for each client: what one does to the heap and to compiled code is not the other's cost. */

export type ContenderName = 'ours' | 'undici'

export interface Task {
  readonly operation: 'get' | 'put'
  /** Bytes of a body. */
  readonly size: number
  readonly requests: number
}

/** Of one request, in microseconds of CPU. */
export interface Cost {
  readonly user: number
  readonly system: number
  readonly perSecond: number
}

/** Not part of the public surface: taken from the compiled package. */
interface HttpClient {
  request(request: {
    readonly method: 'GET' | 'PUT'
    readonly origin: { readonly protocol: 'http:'; readonly host: string; readonly port: number }
    readonly target: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: readonly Uint8Array[]
    readonly place?: () => Uint8Array | undefined
    readonly idempotent: boolean
  }): Promise<{ readonly status: number; readonly body: Uint8Array }>
}

/** Sends one request, whose body lands in `memory` or is `memory`. */
type Send = (memory: Uint8Array) => Promise<unknown>
type Client = Readonly<Record<Task['operation'], (size: number) => Send>>

/** As long as those of a signed request. */
const HEADERS = {
  'x-amz-date': '20260101T000000Z',
  'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
  authorization: `AWS4-HMAC-SHA256 Credential=${'A'.repeat(20)}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${'0'.repeat(64)}`,
}

async function ours(port: number): Promise<Client> {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
  const path = join(root, 'dist', 'storage', 'http', 'client.js')
  const { openHttpClient } = (await import(pathToFileURL(path).href)) as { openHttpClient(): HttpClient }
  const client = openHttpClient()
  const to = { origin: { protocol: 'http:', host: '127.0.0.1', port }, headers: HEADERS, idempotent: true } as const
  return {
    get: (size) => (memory) => client.request({ ...to, method: 'GET', target: `/${size}`, place: () => memory }),
    put: () => (memory) => client.request({ ...to, method: 'PUT', target: '/', body: [memory] }),
  }
}

function undici(port: number, connections: number): Client {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections, pipelining: 1 })
  const to = { path: '/', headers: HEADERS } as const
  return {
    get: (size) => async () => (await pool.request({ ...to, method: 'GET', path: `/${size}` })).body.arrayBuffer(),
    put: () => async (body) => (await pool.request({ ...to, method: 'PUT', body })).body.arrayBuffer(),
  }
}

async function carryOut(client: Client, { operation, size, requests }: Task, inFlight: number): Promise<Cost> {
  const send = client[operation](size)
  let left = requests
  const lane = async () => {
    const memory = Buffer.alloc(size, 1)
    while (left-- > 0) await send(memory)
  }
  const start = performance.now()
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: inFlight }, lane))
  const { user, system } = process.cpuUsage(before)
  return {
    user: user / requests,
    system: system / requests,
    perSecond: (requests * 1000) / (performance.now() - start),
  }
}

const [name, port, inFlight] = process.argv.slice(2)
const client = name === 'ours' ? await ours(Number(port)) : undici(Number(port), Number(inFlight))
process.on('message', async (task: Task) => process.send?.(await carryOut(client, task, Number(inFlight))))
process.on('disconnect', () => process.exit())
process.send?.('ready')
