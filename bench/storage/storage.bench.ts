import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runJson } from '../vision/command.ts'
import { describeHost } from '../vision/machine.ts'
import { root } from '../vision/places.ts'
import { median } from '../vision/statistics.ts'
import { startCServer } from './c-server.ts'
import { Client } from './client.ts'
import { CLIENT_CORE } from './cores.ts'
import { type Extent, FULL, QUICK } from './extent.ts'
import type { HttpClients } from './http-client.ts'
import type { Local } from './local.ts'
import { ObjectServer } from './object-server.ts'
import { markdown } from './report.ts'
import { measureRequests, OWN_OPTIONS, type Requests } from './requests.ts'
import { PARTS, type Part, type Rate, type Results } from './results.ts'
import { measureStreams, type Streamed } from './streams.ts'
import { withSummary } from './summary.ts'

/*
 * Storage against its peers, a server in C, undici and fio: docs/benchmarks.md.
 *
 *   HEADRACE_PEERS=/opt/peers make bench ONLY=storage     all of it
 *   HEADRACE_BENCH=quick make bench ONLY=storage          does it work?
 *   node build/bench/storage/storage.bench.js [--quick] [--json] [--only requests,rate,streams,http,local]
 *
 * A whole run writes bench/results/storage.{md,json} and the table of the README; any other writes
 * build/bench-data/results.
 */
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const quick = values.quick || process.env.HEADRACE_BENCH === 'quick'
const extent: Extent = quick ? QUICK : FULL
const RATE_SIZE = 128 * 1024
const RATE_REQUESTS = 8000

function say(line: string): void {
  process.stderr.write(`[${new Date().toISOString().slice(11, 19)}] ${line}\n`)
}

function wantedParts(): ReadonlySet<Part> {
  const names = values.only?.split(',') ?? PARTS
  return new Set(
    names.map((name) => {
      const part = PARTS.find((known) => known === name)
      if (part === undefined) throw new Error(`--only knows ${PARTS.join(', ')}, but got ${name}`)
      return part
    }),
  )
}

async function requests(): Promise<Requests | string> {
  const server = await ObjectServer.start()
  if (typeof server === 'string') {
    say(`requests are left out: ${server}`)
    return server
  }
  try {
    return await measureRequests(server, extent, say)
  } finally {
    await server.end()
  }
}

async function rate(): Promise<Rate> {
  const server = await startCServer()
  const options = { endpoint: `http://127.0.0.1:${server.port}`, checksums: 'off', ...OWN_OPTIONS }
  const env = { AWS_ACCESS_KEY_ID: 'benchkey', AWS_SECRET_ACCESS_KEY: 'benchsecret' }
  const client = await Client.own(`s3://${RATE_SIZE}`, options, env)
  try {
    const task = {
      operation: 'get',
      size: RATE_SIZE,
      folder: 'objects',
      objects: 1000,
      requests: RATE_REQUESTS,
    } as const
    await client.carryOut(task)
    const costs = []
    for (let round = 0; round < extent.rounds; round++) costs.push(await client.carryOut(task))
    const each = (values: readonly number[]) => median(values) / RATE_REQUESTS
    const cpu = each(costs.map(({ user, system }) => user + system))
    return {
      size: RATE_SIZE,
      perCpuSecond: 1 / cpu,
      perSecond: 1 / each(costs.map(({ seconds }) => seconds)),
      user: each(costs.map(({ user }) => user)) * 1e6,
      system: each(costs.map(({ system }) => system)) * 1e6,
    }
  } finally {
    await client.end()
    await server.end()
  }
}

async function streams(): Promise<readonly Streamed[]> {
  const server = await startCServer()
  try {
    return await measureStreams(extent.streamBytes, server)
  } finally {
    await server.end()
  }
}

/** Another program of this folder; it may also be run alone. */
function program<T>(name: string, cores?: string): Promise<T> {
  const path = join(dirname(fileURLToPath(import.meta.url)), name)
  const flags = ['--json', ...(quick ? ['--quick'] : [])]
  return runJson<T>([process.execPath, path, ...flags], cores === undefined ? {} : { cores })
}

function write(results: Results): void {
  const whole = !quick && values.only === undefined
  const folder = whole ? join(root, 'bench', 'results') : join(root, 'build', 'bench-data', 'results')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'storage.json'), `${JSON.stringify(results, undefined, 2)}\n`)
  writeFileSync(join(folder, 'storage.md'), markdown(results))
  say(`wrote ${relative(root, folder)}/storage.md and storage.json`)
  if (!whole) return
  const readme = join(root, 'README.md')
  writeFileSync(readme, withSummary(readFileSync(readme, 'utf8'), results))
}

const parts = wantedParts()
const results: Results = { quick, machine: describeHost() }
if (parts.has('requests')) results.requests = await requests()
if (parts.has('rate')) {
  say('GET from a server in C')
  results.rate = await rate()
}
if (parts.has('streams')) {
  say('streams')
  results.streams = await streams()
}
if (parts.has('http')) {
  say('the HTTP client against undici')
  results.http = await program<HttpClients>('http-client.js', CLIENT_CORE)
}
if (parts.has('local')) {
  say('local files against fio')
  results.local = await program<Local>('local.js')
}
write(results)
process.stdout.write(values.json ? `${JSON.stringify(results)}\n` : markdown(results))
