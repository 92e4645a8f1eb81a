import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startCServer } from '../storage/c-server.ts'
import { CLIENT_CORE } from '../storage/cores.ts'
import { Conversation } from '../vision/command.ts'
import { median } from '../vision/statistics.ts'
import type { FeedCost, FeedTask } from './feed.ts'

/**
 * What a sample costs from an S3 server to a batch, in CPU of the whole client on one core, the server on another: by the
 * loader in place, through memory of its own, and by worker threads, and by the store's gets alone, which is what none
 * can be below. And how long the gap between two epochs is with and without persistent workers. Prints one JSON document.
 * `--quick` for a look.
 */

const quick = process.argv.includes('--quick')
const TURNS = quick ? 1 : 5
const INFLIGHT = 32
const BATCH = 32
const KIB = 1024
const SIZES = [4 * KIB, 128 * KIB, 1024 * KIB]
/** So many bytes a turn, but no more than so many samples. */
const BYTES = (quick ? 64 : 512) * KIB * KIB
const SAMPLES = quick ? 2_000 : 20_000

interface Way {
  readonly name: string
  readonly way: FeedTask['way']
  readonly workers: number
}

const WAYS: readonly Way[] = [
  { name: 'gets of the store', way: 'gets', workers: 0 },
  { name: 'loader', way: 'in place', workers: 0 },
  { name: 'loader, copied', way: 'copied', workers: 0 },
  { name: 'loader, 1 worker', way: 'in place', workers: 1 },
  { name: 'loader, 2 workers', way: 'in place', workers: 2 },
]

const server = await startCServer()
const feed = new Conversation([process.execPath, join(dirname(fileURLToPath(import.meta.url)), 'feed.js')], {
  cores: CLIENT_CORE,
})

function task(size: number, { way, workers }: Way, more: Partial<FeedTask> = {}): FeedTask {
  const samples = Math.min(SAMPLES, Math.floor(BYTES / size))
  const store = {
    endpoint: `http://127.0.0.1:${server.port}`,
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
    concurrency: INFLIGHT,
  }
  const objects = { url: `s3://${size}`, store, count: samples, size, copies: way === 'copied' }
  return { way, workers, objects, batchSize: BATCH, inflight: INFLIGHT, persistentWorkers: true, epochs: 1, ...more }
}

const three = (value: number) => Number(value.toPrecision(3))
const microseconds = ({ user, system }: FeedCost) => user + system

const perSample: object[] = []
for (const size of SIZES) {
  const costs = WAYS.map((): FeedCost[] => [])
  // By turns, so that whatever else the machine does hits all of them.
  for (let turn = 0; turn < TURNS; turn++)
    for (const [i, way] of WAYS.entries()) costs[i]?.push(await feed.ask<FeedCost>(task(size, way)))
  const alone = median((costs[0] ?? []).map(microseconds))
  for (const [i, { name }] of WAYS.entries()) {
    const cpu = median((costs[i] ?? []).map(microseconds))
    perSample.push({
      size,
      way: name,
      cpuMicroseconds: three(cpu),
      user: three(median((costs[i] ?? []).map(({ user }) => user))),
      overGets: three(cpu / alone),
      samplesPerSecond: Math.round(median((costs[i] ?? []).map((cost) => cost.samplesPerSecond))),
      rssMiB: Math.round(Math.max(...(costs[i] ?? []).map((cost) => cost.rssMiB))),
    })
  }
}

const gaps: Record<string, number> = {}
for (const persistentWorkers of [true, false]) {
  const way = { name: '', way: 'in place', workers: 2 } as const
  const size = 4 * KIB
  const few = task(size, way, { persistentWorkers, epochs: quick ? 3 : 11 })
  const cost = await feed.ask<FeedCost>({ ...few, objects: { ...few.objects, count: 256 } })
  gaps[persistentWorkers ? 'persistent' : 'each epoch its own'] = three(cost.epochGap ?? Number.NaN)
}

await feed.end()
await server.end()
const machine = {
  processor: cpus()[0]?.model.trim(),
  node: process.version,
  clientCores: 1,
  inflight: INFLIGHT,
  batch: BATCH,
}
process.stdout.write(`${JSON.stringify({ machine, perSample, epochGapMilliseconds: gaps }, undefined, 2)}\n`)
