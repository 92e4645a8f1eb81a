import { createInterface } from 'node:readline'
import { openStore, type Store } from 'headrace'
import { type Cost, IN_FLIGHT, keyOf, type Task } from './task.ts'

/*
 * The library as a client that is measured: a process of its own, `own.js URL OPTIONS [--new-memory]`. Every line of
 * input is a task, every line of output what it cost.
 */
const [url = '', options = '{}', memory] = process.argv.slice(2)
const store = await openStore(url, JSON.parse(options) as Record<string, unknown>)
/** Where bodies land; the callers' own, used again. */
const lanes: Uint8Array[] = []

async function gets(from: Store, task: Task): Promise<void> {
  let next = 0
  const lane = async (into: Uint8Array | undefined) => {
    while (next < task.requests) {
      const body = await from.get(keyOf(task.folder, next++ % task.objects), into && { into })
      if (body?.data.length !== task.size) throw new Error(`${body?.data.length} bytes came`)
    }
  }
  await Promise.all(lanes.map((into) => lane(memory === '--new-memory' ? undefined : into)))
}

async function puts(to: Store, { operation, folder, objects, requests }: Task): Promise<void> {
  const [body] = lanes
  if (body === undefined) throw new Error('there is no body')
  let next = 0
  const lane = async () => {
    while (next < requests) await to.put(keyOf(folder, next++ % objects), body)
  }
  // Of a large object the parts are what is in flight.
  await Promise.all(Array.from({ length: operation === 'multipart' ? 1 : IN_FLIGHT }, lane))
}

async function carryOut(task: Task): Promise<void> {
  const { operation, folder, objects } = task
  let count = 0
  if (operation === 'get') return gets(store, task)
  if (operation === 'put' || operation === 'multipart') return puts(store, task)
  if (operation === 'list') for await (const _ of store.list(`${folder}/`)) count++
  if (operation === 'delete') {
    const keys = Array.from({ length: objects }, (_, i) => keyOf(folder, i))
    for await (const { error } of store.delete(keys)) {
      if (error !== undefined) throw error
      count++
    }
  }
  if (count !== objects) throw new Error(`${count} keys instead of ${objects}`)
}

function prepare({ operation, size }: Task): void {
  const count = operation === 'get' ? IN_FLIGHT : operation === 'list' || operation === 'delete' ? 0 : 1
  if (lanes.length === count && (count === 0 || lanes[0]?.length === size)) return
  lanes.length = 0
  for (let i = 0; i < count; i++) lanes.push(Buffer.alloc(size, i + 1))
}

async function measured(task: Task): Promise<Cost> {
  prepare(task)
  const start = performance.now()
  const before = process.cpuUsage()
  await carryOut(task)
  const { user, system } = process.cpuUsage(before)
  return { user: user / 1e6, system: system / 1e6, seconds: (performance.now() - start) / 1000 }
}

const say = (answer: object) => process.stdout.write(`${JSON.stringify(answer)}\n`)
say({ version: process.version })
for await (const line of createInterface({ input: process.stdin }))
  say(await measured(JSON.parse(line) as Task).catch((error: Error) => ({ error: error.message })))
await store.close()
