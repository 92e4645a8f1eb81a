import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { openStore } from 'headrace'

/** Warm 4 KiB reads at random places of one large file, by threads that each have a file store of their own. */

interface Task {
  readonly randomReads: {
    readonly folder: string
    readonly key: string
    readonly blocks: number
    readonly seconds: number
  }
}

export interface RandomReads {
  readonly readsPerSecond: number
  /** Of the whole process, microseconds. */
  readonly cpuMicrosecondsEach: number
}

const BLOCK = 4096
/** Under way at once on each thread. */
const TOGETHER = 8

export async function randomReads(task: Task['randomReads'], threads: number): Promise<RandomReads> {
  const workers = Array.from(
    { length: threads },
    () => new Worker(fileURLToPath(import.meta.url), { workerData: { randomReads: task } satisfies Task }),
  )
  const message = (worker: Worker) =>
    new Promise<number>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  await Promise.all(workers.map(message))
  const cpu = process.cpuUsage()
  const results = workers.map(message)
  for (const worker of workers) worker.postMessage('go')
  const rates = await Promise.all(results)
  const { user, system } = process.cpuUsage(cpu)
  await Promise.all(workers.map((worker) => worker.terminate()))
  const readsPerSecond = rates.reduce((sum, rate) => sum + rate, 0)
  return { readsPerSecond, cpuMicrosecondsEach: (user + system) / (readsPerSecond * task.seconds) }
}

async function work({ folder, key, blocks, seconds }: Task['randomReads']): Promise<number> {
  const store = await openStore(folder)
  let state = 1
  let reads = 0
  let end = 0
  const lane = async () => {
    const into = new Uint8Array(BLOCK)
    for (; performance.now() < end; reads++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      const body = await store.get(key, { range: { offset: (state % blocks) * BLOCK, length: BLOCK }, into })
      if (body?.data.length !== BLOCK) throw new Error('a short read')
    }
  }
  const run = async (duration: number) => {
    reads = 0
    const start = performance.now()
    end = start + duration * 1000
    await Promise.all(Array.from({ length: TOGETHER }, lane))
    return reads / ((performance.now() - start) / 1000)
  }
  await run(0.3)
  const go = new Promise((resolve) => parentPort?.once('message', resolve))
  parentPort?.postMessage(0)
  await go
  return run(seconds)
}

const task = workerData as Partial<Task> | null
if (!isMainThread && task?.randomReads !== undefined) parentPort?.postMessage(await work(task.randomReads))
