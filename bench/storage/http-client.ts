import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startCServer } from './c-server.ts'
import type { ContenderName, Cost, Task } from './contender.ts'

/**
 * CPU of the client for one request (user + system, microseconds), ours against undici's, 16 requests in flight over
 * plain HTTP on the loopback, from a server in C that is not the limit. Rounds alternate; the median counts.
 * `--quick` for a short run, `--json` for one JSON document.
 */

/** What `--json` prints. */
export interface HttpClients {
  readonly rows: readonly (Task & { readonly ours: Cost; readonly undici: Cost; readonly ratio: number })[]
}

const IN_FLIGHT = 16
const KIB = 1024
const quick = process.argv.includes('--quick')
const json = process.argv.includes('--json')
const ROUNDS = quick ? 1 : 5
/** Bytes a round, and the most requests that they are cut into. */
const ROUND_BYTES = (quick ? 32 : 512) * 2 ** 20
const MOST_REQUESTS = quick ? 1_000 : 8_000
const SIZES = { get: [4, 64, 128, 1024, 8192], put: [64, 1024, 16_384] }

const here = dirname(fileURLToPath(import.meta.url))

async function startContender(name: ContenderName, port: string): Promise<ChildProcess> {
  const child = fork(join(here, 'contender.js'), [name, port, `${IN_FLIGHT}`])
  await once(child, 'message')
  return child
}

async function measure(contender: ChildProcess, task: Task): Promise<Cost> {
  contender.send(task)
  const [cost] = (await once(contender, 'message')) as [Cost]
  return cost
}

const cpuOf = ({ user, system }: Cost) => user + system

function median(costs: readonly Cost[]): Cost {
  const middle = [...costs].sort((a, b) => cpuOf(a) - cpuOf(b))[costs.length >> 1]
  if (middle === undefined) throw new Error('nothing was measured')
  return middle
}

function line({ operation, size }: Task, ours: Cost, undici: Cost): string {
  const each = (cost: Cost) =>
    `${cpuOf(cost).toFixed(1).padStart(8)} (user ${cost.user.toFixed(1)}, ${Math.round(cost.perSecond)}/s)`
  const ratio = (cpuOf(undici) / cpuOf(ours)).toFixed(1)
  return `${operation} ${`${size / KIB} KiB`.padStart(10)}: ${each(ours)}   undici ${each(undici)}   ${ratio} x`
}

const server = await startCServer()
const ours = await startContender('ours', server.port)
const undici = await startContender('undici', server.port)
const rows: HttpClients['rows'][number][] = []
if (!json) console.log(`client CPU, us per request, ${IN_FLIGHT} in flight, ${cpus()[0]?.model.trim()}`)
for (const operation of ['get', 'put'] as const) {
  for (const kib of SIZES[operation]) {
    const size = kib * KIB
    const requests = Math.min(MOST_REQUESTS, Math.max(64, Math.round(ROUND_BYTES / size)))
    const task = { operation, size, requests }
    const costs: Record<ContenderName, Cost[]> = { ours: [], undici: [] }
    for (let round = 0; round <= ROUNDS; round++) {
      const a = await measure(ours, task)
      const b = await measure(undici, task)
      // The first is for warming up.
      if (round > 0) {
        costs.ours.push(a)
        costs.undici.push(b)
      }
    }
    const [a, b] = [median(costs.ours), median(costs.undici)]
    rows.push({ ...task, ours: a, undici: b, ratio: cpuOf(b) / cpuOf(a) })
    if (!json) console.log(line(task, a, b))
  }
}
if (json) console.log(JSON.stringify({ rows } satisfies HttpClients))
ours.disconnect()
undici.disconnect()
await server.end()
