import { alignedBytes, openStore, type Store } from 'headrace'
import type { FioRun, Transfer } from './fio.ts'

/** The same transfers as fio's, through a direct store. */

/** 32 MiB a call: what a reader of large objects asks for at once. */
const PIECE = 32 * 2 ** 20

export async function timed(bytes: number, work: () => Promise<void>): Promise<Transfer> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { seconds, cpuSeconds: (user + system) / 1e6, bytes }
}

async function readPart(store: Store, key: string, start: number, end: number, into: Uint8Array): Promise<void> {
  for (let offset = start; offset < end; offset += PIECE) {
    const length = Math.min(PIECE, end - offset)
    const body = await store.get(key, { range: { offset, length }, into })
    if (body?.data.length !== length) throw new Error(`${key}: ${body?.data.length} bytes came from ${offset}`)
  }
}

async function writePart(store: Store, key: string, bytes: number, from: Uint8Array): Promise<void> {
  const writer = store.writer(key, { size: bytes })
  for (let offset = 0; offset < bytes; offset += PIECE)
    await writer.write(from.subarray(0, Math.min(PIECE, bytes - offset)))
  await writer.close()
}

const memory = new Map<number, Uint8Array>()

/** Filled once: pages that are new to the process cost more than the transfer. */
function memoryOf(job: number): Uint8Array {
  const found = memory.get(job)
  if (found !== undefined) return found
  const made = alignedBytes(PIECE).fill(job + 1)
  memory.set(job, made)
  return made
}

/** `folder` holds the file `key`; jobs write files of their own, since an object has one writer. */
export async function headrace(folder: string, key: string, run: FioRun): Promise<Transfer> {
  const engine = run.engine === 'psync' ? 'threads' : 'io_uring'
  const store = await openStore(`direct://${folder}`, {
    sync: 'never',
    blockSize: run.blockSize,
    queueDepth: run.depth,
    engine,
  })
  const jobs = Array.from({ length: run.jobs }, (_, job) => ({ job, into: memoryOf(job) }))
  const result = await timed(run.bytes * run.jobs, async () => {
    await Promise.all(
      jobs.map(({ job, into }) =>
        run.write
          ? writePart(store, `${key}-${job}`, run.bytes, into)
          : readPart(store, key, job * run.bytes, (job + 1) * run.bytes, into),
      ),
    )
  })
  if (run.write) for await (const _ of store.delete(jobs.map(({ job }) => `${key}-${job}`)));
  await store.close()
  return result
}
