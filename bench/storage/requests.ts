import { openStore } from 'headrace'
import { median } from '../vision/statistics.ts'
import { Client, type ClientName, type Introduction, PEERS } from './client.ts'
import type { Extent, Operation } from './extent.ts'
import type { ObjectServer } from './object-server.ts'
import { type Cost, IN_FLIGHT, keyOf, type OperationName, type Task } from './task.ts'

/** Of one request; of one key, where the operation is about keys. Microseconds of the client's CPU. */
export interface Measured extends Operation {
  readonly client: ClientName
  readonly cpu: number
  readonly user: number
  readonly system: number
  /** Requests or keys, by the clock. */
  readonly perSecond: number
  /** CPU of every turn. */
  readonly rounds: readonly number[]
}

export interface Requests {
  readonly server: string
  readonly clients: readonly Introduction[]
  readonly measured: readonly Measured[]
  /** What went wrong, a sentence each: nothing is compared with it. */
  readonly failures: readonly string[]
}

/** Of all that it has in flight, not of each object. */
export const OWN_OPTIONS = { concurrency: IN_FLIGHT, partsInFlight: IN_FLIGHT }
/** Bytes: of what is larger one is put after the other, for memory's sake. */
const LARGE = 2 ** 20
const MOST_REQUESTS = 20_000

const aboutKeys = ({ operation }: Operation) => operation === 'list' || operation === 'delete'
const folderOf = ({ operation, size }: Operation) => `${operation}-${size}`

async function fill(server: ObjectServer, operations: readonly Operation[]): Promise<void> {
  const credentials = { accessKeyId: server.env.AWS_ACCESS_KEY_ID, secretAccessKey: server.env.AWS_SECRET_ACCESS_KEY }
  const store = await openStore(`s3://${server.bucket}`, { endpoint: server.endpoint, credentials })
  for (const each of operations.filter(({ operation }) => operation === 'get' || operation === 'list')) {
    const folder = folderOf(each)
    let next = 0
    const lane = async () => {
      const body = new Uint8Array(each.size)
      while (next < each.objects) {
        const key = keyOf(folder, next++)
        // No two objects are the same.
        Buffer.from(body.buffer).fill(key)
        await store.put(key, body)
      }
    }
    await Promise.all(Array.from({ length: each.size > LARGE ? 1 : IN_FLIGHT }, lane))
  }
  await store.close()
}

/** One client's turns at one operation. */
class Turns {
  readonly client: Client
  readonly #server: ObjectServer
  readonly #operation: Operation
  readonly #extent: Extent
  readonly #costs: Cost[] = []
  #requests = 1

  constructor(client: Client, server: ObjectServer, operation: Operation, extent: Extent) {
    this.client = client
    this.#server = server
    this.#operation = operation
    this.#extent = extent
  }

  #turn(): Promise<Cost> {
    const { operation, size, objects } = this.#operation
    const folder = folderOf(this.#operation)
    if (operation === 'delete') this.#server.makeObjects(folder, objects)
    const task: Task = { operation, size, folder, objects, requests: this.#requests }
    return this.client.carryOut(task)
  }

  /** Finds out how many requests fill a turn; `isNew`: it has not done anything of the kind yet. */
  async warmUp(isNew: boolean): Promise<void> {
    const { operation } = this.#operation
    const { turnSeconds, warmSeconds } = this.#extent
    const least = operation === 'multipart' || aboutKeys(this.#operation) ? 1 : IN_FLIGHT
    this.#requests = least
    let warm = 0
    do {
      const { seconds } = await this.#turn()
      warm += seconds
      if (aboutKeys(this.#operation)) continue
      const wanted = Math.round((turnSeconds * this.#requests) / seconds)
      this.#requests = Math.min(MOST_REQUESTS, Math.max(least, wanted))
    } while (warm < (isNew ? warmSeconds : turnSeconds / 2))
  }

  async next(): Promise<void> {
    this.#costs.push(await this.#turn())
  }

  result(): Measured {
    const each = aboutKeys(this.#operation) ? this.#operation.objects : this.#requests
    const microseconds = (of: (cost: Cost) => number) => this.#costs.map((cost) => (of(cost) * 1e6) / each)
    const cpu = microseconds(({ user, system }) => user + system)
    return {
      ...this.#operation,
      client: this.client.name,
      cpu: median(cpu),
      user: median(microseconds(({ user }) => user)),
      system: median(microseconds(({ system }) => system)),
      perSecond: each / median(this.#costs.map(({ seconds }) => seconds)),
      rounds: cpu,
    }
  }
}

async function startClients(server: ObjectServer): Promise<{ clients: Client[]; introductions: Introduction[] }> {
  const url = `s3://${server.bucket}`
  const options = { endpoint: server.endpoint, ...OWN_OPTIONS }
  const started = [
    await Client.own(url, options, server.env),
    await Client.own(url, options, server.env, 'headrace, new memory'),
  ]
  const introductions: Introduction[] = started.map(({ introduction }) => introduction)
  for (const name of PEERS) {
    const peer = await Client.peer(name, server)
    introductions.push(peer?.introduction ?? { name, version: '', missing: 'HEADRACE_PEERS has no storage-venv' })
    if (peer === undefined) continue
    if (peer.introduction.missing === undefined) started.push(peer)
    else await peer.end()
  }
  return { clients: started, introductions }
}

/** Every client with the same requests, in turn; the median turn counts. */
export async function measureRequests(
  server: ObjectServer,
  extent: Extent,
  say: (line: string) => void,
): Promise<Requests> {
  const { operations, rounds } = extent
  const { clients, introductions } = await startClients(server)
  const measured: Measured[] = []
  const failures: string[] = []
  const done = new Set<OperationName>()
  try {
    await fill(server, operations)
    for (const operation of operations) {
      say(`${operation.operation} ${operation.size} bytes`)
      const wanted = clients.filter(({ name }) => operation.operation === 'get' || name !== 'headrace, new memory')
      let all = wanted.map((client) => new Turns(client, server, operation, extent))
      for (let round = 0; round <= rounds; round++)
        for (const turns of all)
          try {
            await (round === 0 ? turns.warmUp(!done.has(operation.operation)) : turns.next())
          } catch (error) {
            if (turns.client.name === 'headrace') throw error
            failures.push(`${operation.operation} ${operation.size}: ${(error as Error).message}`)
            all = all.filter((each) => each !== turns)
          }
      done.add(operation.operation)
      measured.push(...all.map((turns) => turns.result()))
      if (operation.operation !== 'get') server.removeObjects(folderOf(operation))
    }
  } finally {
    for (const client of clients) await client.end()
  }
  return { server: `versitygw ${server.version}`, clients: introductions, measured, failures }
}
