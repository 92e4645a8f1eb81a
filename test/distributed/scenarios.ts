/** What ranks do in tests: each function is run by every rank in a process of its own, and says what came of it. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Communicator } from '../../src/distributed/types.ts'
import { isHeadraceError } from '../../src/errors.ts'

export type Scenario = (comm: Communicator, ...args: readonly string[]) => Promise<unknown>

/** How a call ended, for what tests compare. */
async function endOf(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call
  } catch (error) {
    if (!isHeadraceError(error)) throw error
    return { code: error.code, message: error.message, ranks: error.details.ranks ?? [] }
  }
}

function noise(rank: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + rank * 7) & 255
  return bytes
}

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

export const scenarios: Readonly<Record<string, Scenario>> = {
  who: async ({ rank, size, localRank, localSize, hosts }) => ({ rank, size, localRank, localSize, hosts }),

  /** Nobody is past a barrier before all have come: by the clock that all processes of a host share. */
  barriers: async (comm) => {
    const came: number[] = []
    const went: number[] = []
    for (let i = 0; i < 5; i++) {
      await sleep(((comm.rank * 37 + i * 13) % 4) * 5)
      came.push(Number(process.hrtime.bigint() / 1000n))
      await comm.barrier()
      went.push(Number(process.hrtime.bigint() / 1000n))
    }
    return { came, went }
  },

  many: async (comm) => {
    for (let i = 0; i < 2000; i++) await comm.barrier()
    return 'done'
  },

  /** Calls that are not awaited one by one are brought together in their order all the same. */
  ahead: async (comm) => {
    const calls = Array.from({ length: 50 }, (_, i) => comm.allReduce(Float64Array.of(i, comm.rank), 'sum'))
    const barrier = comm.barrier()
    const results = await Promise.all(calls)
    await barrier
    return results.map((result) => [...result])
  },

  reduce: async (comm) => {
    const { rank } = comm
    const values = Float64Array.of(rank + 0.1, -rank, 1e16 / 3 ** rank, rank === 1 ? Number.NaN : 0)
    const own = values.slice()
    const sum = await comm.allReduce(values, 'sum')
    const results = [sum, await comm.allReduce(values, 'min'), await comm.allReduce(values, 'max')]
    sum.fill(0)
    const empty = await comm.allReduce(new Float64Array(), 'sum')
    const part = await comm.allReduce(new Float64Array([9, rank, 9]).subarray(1, 2), 'sum')
    return {
      results: results.slice(1).map((numbers) => [...numbers].map(String)),
      bits: hash(new Uint8Array((await comm.allReduce(own, 'sum')).buffer)),
      untouched: own.every((value, i) => Object.is(value, values[i])),
      empty: empty.length,
      part: [...part],
    }
  },

  exchange: async (comm) => {
    const lengths = [0, 1, 11, 4096, 4097, 100_000, 3_000_000]
    const gathered: unknown[] = []
    for (const length of lengths) {
      const parts = await comm.gather(noise(comm.rank, length + comm.rank))
      gathered.push(parts?.map((part) => [part.length, hash(part)]) ?? null)
    }
    const sent: unknown[] = []
    for (const length of lengths) {
      const bytes = await comm.broadcast(comm.rank === 0 ? noise(9, length) : undefined)
      sent.push([bytes.length, hash(bytes)])
    }
    return { gathered, sent }
  },

  limits: async (comm) => {
    const tooMuch = await endOf(comm.gather(new Uint8Array(64 * 2 ** 20 + 1)))
    const noBytes = comm.rank === 0 ? await endOf(comm.broadcast(undefined)) : null
    const noOp = await endOf(comm.allReduce(new Float64Array(1), 'product' as never))
    const noTime = await endOf(comm.barrier({ timeout: 0 }))
    // Refused calls are none: the ranks are still together.
    await comm.barrier()
    return { tooMuch, noBytes, noOp, noTime }
  },

  /** The others wait for a rank that sleeps. */
  stuck: async (comm, ...stuck) => {
    await comm.barrier()
    if (stuck.includes(String(comm.rank))) {
      await sleep(1500)
      await comm.barrier()
      return 'slept'
    }
    const first = await endOf(comm.barrier({ timeout: 300 }))
    // What timed out is over; the next call is the next, for those who slept as well.
    return { first }
  },

  cancelled: async (comm) => {
    const stop = new AbortController()
    const cancelled =
      comm.rank === 1
        ? await endOf(comm.barrier({ signal: AbortSignal.timeout(100) }))
        : await sleep(800).then(() => endOf(comm.barrier({ signal: stop.signal })))
    stop.abort()
    const before = await endOf(comm.barrier({ signal: stop.signal }))
    const sum = await comm.allReduce(Float64Array.of(1), 'sum')
    return { cancelled, before, sum: [...sum] }
  },

  /** One rank ends the job with a reason while the others wait. */
  aborts: async (comm, rank) => {
    await comm.barrier()
    if (comm.rank === Number(rank)) {
      await sleep(50)
      comm.abort('the disk is full')
      comm.abort('and again')
    }
    return [await endOf(comm.barrier()), await endOf(comm.allReduce(new Float64Array(1), 'sum'))]
  },

  /** One rank ends the job while the others do something else. */
  hears: async (comm, rank) => {
    await comm.barrier()
    const before = comm.broken.aborted
    const heard = new Promise((resolve) => comm.broken.addEventListener('abort', resolve, { once: true }))
    if (comm.rank === Number(rank)) await sleep(200).then(() => comm.abort('the disk is full'))
    await Promise.race([heard, sleep(5000)])
    return { before, end: await endOf(Promise.reject(comm.broken.reason ?? new Error('it was not heard'))) }
  },

  dies: async (comm, rank) => {
    await comm.barrier()
    if (comm.rank === Number(rank)) process.kill(process.pid, 'SIGKILL')
    return [await endOf(comm.barrier()), await endOf(comm.gather(new Uint8Array(1)))]
  },

  /** One rank ends without a word. */
  exits: async (comm, rank) => {
    await comm.barrier()
    if (comm.rank === Number(rank)) process.exit(0)
    return endOf(comm.barrier())
  },

  leaves: async (comm, rank) => {
    await comm.barrier()
    if (comm.rank === Number(rank)) {
      await comm.close()
      return endOf(comm.barrier())
    }
    return endOf(comm.barrier())
  },

  differs: async (comm) => (comm.rank === 1 ? endOf(comm.gather(new Uint8Array(1))) : endOf(comm.barrier())),

  lengths: async (comm) => endOf(comm.allReduce(new Float64Array(comm.rank === 1 ? 3 : 2), 'sum')),

  ops: async (comm) => endOf(comm.allReduce(new Float64Array(1), comm.rank === 1 ? 'max' : 'sum')),

  /** Nothing keeps a process alive that makes no more calls. */
  forgets: async (comm) => {
    await comm.barrier()
    return 'forgot'
  },

  prints: async (comm) => {
    process.stdout.write(`to stdout ${comm.rank}\nü`)
    await sleep(10)
    process.stdout.write(`nended\n`)
    process.stderr.write(`to stderr ${comm.rank}\r\n`)
    return process.env.TEST_GIVEN
  },

  /** Waits for ever, and tells its process and one that it started. */
  waits: async (comm) => {
    const { spawn } = await import('node:child_process')
    const grandchild = spawn('sleep', ['600'], { stdio: 'ignore' })
    process.stdout.write(`pids ${process.pid} ${grandchild.pid}\n`)
    return comm.barrier().then(() => new Promise(() => setInterval(() => {}, 1000)))
  },

  fails: async (comm, rank) => {
    await comm.barrier()
    if (comm.rank === Number(rank)) {
      process.stderr.write('headrace: it went wrong\nhint: try again\n')
      process.exit(3)
    }
    return new Promise(() => setInterval(() => {}, 1000))
  },

  /** Ends on SIGINT, in order. */
  interruptible: async (comm) => {
    let count = 0
    process.on('SIGINT', () => count++)
    await comm.barrier()
    process.stdout.write('ready\n')
    while (count === 0) await sleep(10)
    await sleep(300)
    return `interrupted ${count} times`
  },

  stubborn: async (comm) => {
    process.on('SIGINT', () => {})
    process.on('SIGTERM', () => {})
    await comm.barrier()
    process.stdout.write('ready\n')
    return new Promise(() => setInterval(() => {}, 1000))
  },

  /** Microseconds that a barrier takes, by percentile. */
  latency: async (comm, count = '20000') => {
    const times = new Float64Array(Number(count))
    for (let i = 0; i < 1000; i++) await comm.barrier()
    for (let i = 0; i < times.length; i++) {
      const began = performance.now()
      await comm.barrier()
      times[i] = (performance.now() - began) * 1000
    }
    times.sort()
    const at = (share: number) => Math.round(times[Math.floor(share * (times.length - 1))] as number)
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99) }
  },
}
