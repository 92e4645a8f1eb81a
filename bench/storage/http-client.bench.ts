import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Pool } from 'undici'

/**
 * CPU of the client for one request (user + system, microseconds), ours against undici's, 16 requests in flight over
 * plain HTTP on the loopback, from a server in C that is not the limit. Rounds alternate; the median counts.
 * `--quick` for a short run, `--json` for one JSON document.
 */

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
  close(): Promise<void>
}

const IN_FLIGHT = 16
const KIB = 1024
const quick = process.argv.includes('--quick')
const ROUNDS = quick ? 3 : 7
/** Bytes a round, and the bounds of how many requests they are cut into. */
const ROUND_BYTES = (quick ? 256 : 1024) * 2 ** 20
const MOST_REQUESTS = quick ? 4_000 : 16_000

/** As long as those of a signed request. */
const HEADERS = {
  'x-amz-date': '20260101T000000Z',
  'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
  authorization: `AWS4-HMAC-SHA256 Credential=${'A'.repeat(20)}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${'0'.repeat(64)}`,
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

/** One request, whose body lands in `memory` or is `memory`. */
type Send = (memory: Uint8Array) => Promise<unknown>

interface Contender {
  get(size: number): Send
  put(size: number): Send
}

async function ours(port: number): Promise<{ contender: Contender; close(): Promise<void> }> {
  const path = join(root, 'dist', 'storage', 'http', 'client.js')
  const { openHttpClient } = (await import(pathToFileURL(path).href)) as { openHttpClient(): HttpClient }
  const client = openHttpClient()
  const to = { origin: { protocol: 'http:', host: '127.0.0.1', port }, headers: HEADERS, idempotent: true } as const
  return {
    contender: {
      get: (size) => (memory) => client.request({ ...to, method: 'GET', target: `/${size}`, place: () => memory }),
      put: () => (memory) => client.request({ ...to, method: 'PUT', target: '/', body: [memory] }),
    },
    close: () => client.close(),
  }
}

function undici(port: number): { contender: Contender; close(): Promise<void> } {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: IN_FLIGHT, pipelining: 1 })
  return {
    contender: {
      get: (size) => async () => {
        const { body } = await pool.request({ method: 'GET', path: `/${size}`, headers: HEADERS })
        return body.arrayBuffer()
      },
      put: () => async (memory) => {
        const { body } = await pool.request({ method: 'PUT', path: '/', headers: HEADERS, body: memory })
        return body.arrayBuffer()
      },
    },
    close: () => pool.close(),
  }
}

interface Cost {
  /** Microseconds of CPU for one request. */
  readonly cpu: number
  readonly user: number
  readonly perSecond: number
}

async function cost(send: Send, memories: readonly Uint8Array[], requests: number): Promise<Cost> {
  let left = requests
  const lane = async (memory: Uint8Array) => {
    while (left-- > 0) await send(memory)
  }
  const start = performance.now()
  const before = process.cpuUsage()
  await Promise.all(memories.map(lane))
  const { user, system } = process.cpuUsage(before)
  return {
    cpu: (user + system) / requests,
    user: user / requests,
    perSecond: (requests * 1000) / (performance.now() - start),
  }
}

function median(costs: readonly Cost[]): Cost {
  const sorted = [...costs].sort((a, b) => a.cpu - b.cpu)
  return sorted[sorted.length >> 1] ?? { cpu: 0, user: 0, perSecond: 0 }
}

async function startServer(): Promise<{ port: number; stop(): void }> {
  const folder = join(root, 'build', 'bench', 'storage')
  const program = join(folder, 'server')
  mkdirSync(folder, { recursive: true })
  execFileSync(process.env.CC ?? 'cc', ['-O2', '-o', program, join(root, 'bench', 'storage', 'server.c')])
  // Away from the core that this process is bound to, where it is bound to the last.
  const command = cpus().length > 1 && process.platform === 'linux' ? ['taskset', '-c', '0', program] : [program]
  const [name = program, ...rest] = command
  const child = spawn(name, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { port: Number(line), stop: () => child.stdin.end() }
}

const server = await startServer()
const mine = await ours(server.port)
const theirs = undici(server.port)
const rows: unknown[] = []
if (!process.argv.includes('--json'))
  console.log(`CPU of the client, us per request (user + system), ${IN_FLIGHT} in flight, ${cpus()[0]?.model.trim()}`)
for (const [operation, sizes] of [
  ['get', [4, 64, 128, 1024, 8192]],
  ['put', [64, 1024, 16_384]],
] as const) {
  for (const size of sizes.map((kib) => kib * KIB)) {
    const memories = Array.from({ length: IN_FLIGHT }, () => Buffer.alloc(size, 1))
    const requests = Math.min(MOST_REQUESTS, Math.max(64, Math.round(ROUND_BYTES / size)))
    const costs: { ours: Cost[]; undici: Cost[] } = { ours: [], undici: [] }
    const sends = { ours: mine.contender[operation](size), undici: theirs.contender[operation](size) }
    for (let round = 0; round <= ROUNDS; round++) {
      for (const name of ['ours', 'undici'] as const) {
        const measured = await cost(sends[name], memories, requests)
        if (round > 0) costs[name].push(measured)
      }
    }
    const [a, b] = [median(costs.ours), median(costs.undici)]
    rows.push({ operation, bytes: size, ours: a, undici: b, ratio: b.cpu / a.cpu })
    if (!process.argv.includes('--json'))
      console.log(
        `${operation} ${`${size / KIB} KiB`.padStart(10)}: ${a.cpu.toFixed(1).padStart(8)} (user ${a.user.toFixed(1)}, ${Math.round(a.perSecond)}/s)` +
          ` · undici ${b.cpu.toFixed(1).padStart(8)} (user ${b.user.toFixed(1)}) · ${(b.cpu / a.cpu).toFixed(1)} x`,
      )
  }
}
if (process.argv.includes('--json')) console.log(JSON.stringify({ inFlight: IN_FLIGHT, rows }))
await mine.close()
await theirs.close()
server.stop()
