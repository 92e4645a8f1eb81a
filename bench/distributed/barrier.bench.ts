import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * Microseconds of a barrier over ranks of this host, beside a bare round trip between two processes of Node over the same
 * kind of socket; prints one JSON document. `--quick` for a short run.
 */

/** Not part of the public surface: taken from the compiled package. */
interface Communicator {
  readonly rank: number
  barrier(): Promise<void>
  close(): Promise<void>
}

interface Distributed {
  joinRanks(): Promise<Communicator>
  startRanks(options: {
    ranks: number
    argv: readonly [string, ...string[]]
    onOutput: (output: { line: string }) => void
  }): Promise<void>
}

interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

const self = fileURLToPath(import.meta.url)
const root = join(dirname(self), '..', '..', '..')
const { joinRanks, startRanks } = (await import(
  pathToFileURL(join(root, 'dist', 'distributed', 'index.js')).href
)) as Distributed

const quick = process.argv.includes('--quick')
const COUNT = quick ? 5_000 : 50_000
const WARM_UP = 1_000

/** Of one step after the other, in microseconds. */
async function timed(step: () => Promise<void>): Promise<Percentiles> {
  for (let i = 0; i < WARM_UP; i++) await step()
  const times = new Float64Array(COUNT)
  for (let i = 0; i < COUNT; i++) {
    const began = performance.now()
    await step()
    times[i] = (performance.now() - began) * 1000
  }
  times.sort()
  const at = (share: number) => Math.round(times[Math.floor(share * (COUNT - 1))] ?? 0)
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) }
}

async function asRank(): Promise<void> {
  const comm = await joinRanks()
  const percentiles = await timed(() => comm.barrier())
  if (comm.rank === 0) process.stdout.write(`${JSON.stringify(percentiles)}\n`)
  await comm.close()
}

async function barrierOf(ranks: number): Promise<Percentiles> {
  const lines: string[] = []
  await startRanks({
    ranks,
    argv: [process.execPath, self, '--rank', ...(quick ? ['--quick'] : [])],
    onOutput: ({ line }) => void lines.push(line),
  })
  return JSON.parse(lines[0] ?? '{}') as Percentiles
}

/** Gives back what it is sent. */
async function asEcho(path: string): Promise<void> {
  const socket = connect(path)
  socket.on('data', (bytes) => socket.write(bytes))
  await once(socket, 'close')
}

async function roundTrip(): Promise<Percentiles> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-bench-'))
  const path = join(folder, 'echo')
  const server = createServer().listen(path)
  await once(server, 'listening')
  const echo = spawn(process.execPath, [self, '--echo', path], { stdio: 'inherit' })
  const [socket] = (await once(server, 'connection')) as [Socket]
  const byte = Buffer.alloc(12)
  let answered: () => void = () => {}
  socket.on('data', () => answered())
  const percentiles = await timed(() => {
    const answer = new Promise<void>((resolve) => {
      answered = resolve
    })
    socket.write(byte)
    return answer
  })
  socket.destroy()
  server.close()
  await once(echo, 'exit')
  await rm(folder, { recursive: true })
  return percentiles
}

const echoAt = process.argv.indexOf('--echo')
if (process.argv.includes('--rank')) await asRank()
else if (echoAt > 0) await asEcho(process.argv[echoAt + 1] ?? '')
else {
  const machine = { processor: cpus()[0]?.model.trim(), cores: cpus().length, node: process.version }
  const bare = await roundTrip()
  const barriers: Record<string, Percentiles> = {}
  for (const ranks of [2, 4, 8]) barriers[ranks] = await barrierOf(ranks)
  const ratio = Number(((barriers[2]?.p50 ?? 0) / bare.p50).toFixed(2))
  const result = { machine, microseconds: { bareRoundTrip: bare, barriers }, barrierOf2ToRoundTrip: ratio }
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`)
}
