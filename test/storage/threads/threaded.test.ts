import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type FaultRule, type S3Server, startS3Server } from '../../../src/dev/s3/index.ts'
import { isHeadraceError } from '../../../src/errors.ts'
import { native } from '../../../src/native.ts'
import { openStore } from '../../../src/storage/open.ts'
import { openStoreSpec } from '../../../src/storage/spec.ts'
import { type ThreadReport, threaded } from '../../../src/storage/threads/threaded.ts'
import type { Store, Trace } from '../../../src/storage/types.ts'
import { withRetry } from '../../../src/storage/wrappers/with-retry.ts'
import { built } from '../../cli/built.ts'
import { bytesOf, failing, listed, textAt } from '../conformance.ts'

const MiB = 2 ** 20
const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }

// Threads run what is compiled.
beforeAll(built, 120_000)

/** Threads that were started here, as Node tells. */
const threads: Worker[] = []
const alive = new Set<Worker>()
process.on('worker', (worker) => {
  threads.push(worker)
  alive.add(worker)
  worker.on('exit', () => alive.delete(worker))
})

let server: S3Server
let running: S3Server | undefined
let opened: Store[]
let shared = 0
beforeEach(() => {
  threads.length = 0
  opened = []
  shared = native.sharedSlots()
})
afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()))
  await running?.close()
  running = undefined
  expect(alive.size).toBe(0)
  expect(native.sharedSlots()).toBe(shared)
})

async function open(options: Record<string, unknown> = {}, faults: FaultRule[] = []): Promise<Store> {
  server = running = await startS3Server({ faults, minPartSize: 1024 })
  const store = await openStore('s3://bucket', { endpoint: server.url, credentials, workers: 2, ...options })
  opened.push(store)
  await store.createContainer?.()
  return store
}

const workersOf = (store: Store) => (store.report?.() as ThreadReport | undefined)?.workers ?? []

function noise(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = length + 1
  for (let i = 0; i < words.length; i++) words[i] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return new Uint8Array(words.buffer, 0, length)
}

const same = (a: Uint8Array | undefined, b: Uint8Array) => Buffer.compare(a ?? new Uint8Array(), b) === 0

describe('a store with workers', () => {
  test('is served by several threads, each with connections of its own', async () => {
    const store = await open({ concurrency: 1 })
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.put(`k${i}`, bytesOf(`${i}`))))
    expect(threads).toHaveLength(2)
    const entries = server.requests.entries.filter(({ operation }) => operation === 'PutObject')
    expect(entries).toHaveLength(20)
    // One connection a thread: more could only be of another thread.
    expect(new Set(entries.map(({ connection }) => connection)).size).toBe(2)
    const workers = workersOf(store)
    expect(workers.map(({ calls }) => calls).reduce((a, b) => a + b)).toBe(20)
    for (const { calls, failed, active, store: inside } of workers) {
      expect([calls > 0, failed, active]).toEqual([true, 0, 0])
      expect(inside).toMatchObject({ endpoints: [{ endpoint: server.url, requests: calls }], retries: 0 })
    }
  })

  test('starts threads when there is work for them, and no more than that', async () => {
    const store = await open({ workers: 3 })
    expect(threads).toHaveLength(0)
    for (let i = 0; i < 10; i++) await store.head('nothing')
    expect(threads).toHaveLength(1)
    await Promise.all([store.head('a'), store.head('b')])
    expect(threads).toHaveLength(2)
  })

  test('moves bytes of every size, from and into any memory', async () => {
    const store = await open()
    const sizes = [0, 1, 4096, 70_001, MiB + 3, 9 * MiB, 17 * MiB + 5, 33 * MiB + 1]
    for (const size of sizes) {
      const around = noise(size + 20)
      const body = around.subarray(7, 7 + size)
      expect((await store.put(`plain/${size}`, body)).size).toBe(size)
      expect(same((await store.get(`plain/${size}`))?.data, body)).toBe(true)

      const memory = new Uint8Array(size + 30).fill(0xee)
      const read = await store.get(`plain/${size}`, { into: memory.subarray(10, 20 + size) })
      expect([read?.data.buffer === memory.buffer, read?.data.byteOffset, read?.data.length]).toEqual([true, 10, size])
      expect(same(memory.subarray(10, 10 + size), body)).toBe(true)
      expect([...memory.subarray(0, 10), ...memory.subarray(10 + size)]).toEqual(Array(30).fill(0xee))
    }
  })

  test('reads and writes memory that is shared already in place', async () => {
    const store = await open()
    for (const size of [5, 200_000, 20 * MiB]) {
      const memory = new Uint8Array(new SharedArrayBuffer(size + 8), 4, size)
      memory.set(noise(size))
      await store.put('k', memory)
      const writer = store.writer('w')
      await writer.write(memory)
      await writer.close()
      for (const key of ['k', 'w']) {
        const into = new Uint8Array(new SharedArrayBuffer(size + 2), 1, size)
        const read = await store.get(key, { into })
        expect([read?.data.buffer === into.buffer, read?.data.byteOffset, read?.data.length]).toEqual([true, 1, size])
        expect(same(into, memory)).toBe(true)
      }
    }
  })

  test('gets a large object into the caller’s memory by all threads, and of one version', async () => {
    const store = await open({ partsInFlight: 1 })
    const body = noise(40 * MiB)
    await store.put('large', body)
    const into = new Uint8Array(41 * MiB)
    expect(same((await store.get('large', { into }))?.data, body)).toBe(true)
    const gets = server.requests.entries.filter(({ operation }) => operation === 'GetObject')
    expect(gets).toHaveLength(5)
    expect(new Set(gets.map(({ connection }) => connection)).size).toBeGreaterThan(1)
    await expect(store.get('large', { into, ifMatch: 'another' })).rejects.toEqual(failing('E_STATE', 'has changed'))
    await expect(store.get('large', { into: into.subarray(0, 39 * MiB) })).rejects.toEqual(
      failing('E_LIMIT', `${40 * MiB} bytes`, `has ${39 * MiB}`),
    )
    const tail = await store.get('large', { into, range: { offset: 3, length: 100 * MiB } })
    expect(same(tail?.data, body.subarray(3))).toBe(true)
  })

  test('bounds what is on its way: callers wait for memory and all are served', async () => {
    const store = await open()
    const body = noise(16 * MiB)
    await store.put('k', body)
    const into = Array.from({ length: 10 }, () => new Uint8Array(16 * MiB))
    const bodies = await Promise.all(into.map((memory) => store.get('k', { into: memory })))
    expect(bodies.every((read) => same(read?.data, body))).toBe(true)
  })

  test('writes piece by piece, and nothing stays of what was aborted', async () => {
    const store = await open()
    const body = noise(13 * MiB + 17)
    const writer = store.writer('k', { size: body.length })
    await writer.write(body.subarray(0, 9 * MiB + 1))
    await writer.write(body.subarray(9 * MiB + 1))
    expect((await writer.close()).size).toBe(body.length)
    expect(same((await store.get('k'))?.data, body)).toBe(true)

    const dropped = store.writer('dropped')
    await dropped.write(body)
    await dropped.abort()
    await expect(dropped.write(body)).rejects.toEqual(failing('E_STATE', 'write to "dropped"'))
    expect(await listed(store)).toEqual(['k'])
    expect(server.requests.count('AbortMultipartUpload')).toBe(1)
  })

  test('lists and deletes more than go at once, in order', async () => {
    const store = await open()
    const keys = Array.from({ length: 1100 }, (_, i) => `k${String(i).padStart(5, '0')}`)
    for (let from = 0; from < keys.length; from += 100)
      await Promise.all(keys.slice(from, from + 100).map((key) => store.put(key, new Uint8Array())))
    expect(await listed(store)).toEqual(keys)
    const answers: string[] = []
    for await (const { key, error } of store.delete(keys)) {
      expect(error).toBeUndefined()
      answers.push(key)
    }
    expect(answers).toEqual(keys)
    expect(await listed(store)).toEqual([])
  })

  test('fills in a trace by the clock of the thread that asked', async () => {
    const store = await open()
    await store.put('k', new Uint8Array(1000))
    const trace: Trace = {}
    const start = performance.now()
    await store.get('k', { trace })
    expect(trace).toEqual({ firstByte: expect.any(Number), endpoint: server.url, retries: 0 })
    expect(trace.firstByte).toBeGreaterThan(start)
    expect(trace.firstByte).toBeLessThan(performance.now())
  })

  test('can be opened again from its spec, and by URL', async () => {
    const store = await open()
    expect(store.spec.wrappers).toEqual([{ name: 'threaded', options: { workers: 2 } }])
    await store.put('k', bytesOf('text'))
    for (const again of [
      await openStoreSpec({ ...store.spec, options: { ...store.spec.options, credentials } }),
      await openStore(`s3://bucket?endpoint=${server.url}&workers=1`, { credentials }),
    ]) {
      opened.push(again)
      expect(await textAt(again, 'k')).toBe('text')
      expect(workersOf(again)).toHaveLength(1)
    }
    expect(threads).toHaveLength(3)
  })
})

describe('a failure in a worker', () => {
  test('is the error that it would be without: code, message, details, cause', async () => {
    const store = await open()
    const plain = await openStore('s3://absent', { endpoint: server.url, credentials })
    const spread = await openStore('s3://absent', { endpoint: server.url, credentials, workers: 1 })
    opened.push(store, plain, spread)
    const failureOf = (of: Store) => of.put('k', bytesOf('x')).catch((error: unknown) => error)
    const [here, there] = [await failureOf(plain), await failureOf(spread)]
    if (!isHeadraceError(here) || !isHeadraceError(there)) throw new Error('both must be ours')
    const { requestId: _, ...expected } = here.details
    expect([there.code, there.message]).toEqual([here.code, here.message])
    expect(there.details).toMatchObject(expected)
    expect(there.code).toBe('E_NOT_FOUND')

    const refused = await openStore('s3://b', { endpoint: 'http://127.0.0.1:9', credentials, workers: 1, attempts: 1 })
    opened.push(refused)
    const error = await refused.head('k').catch((thrown: unknown) => thrown)
    expect(error).toEqual(failing('E_NETWORK', '127.0.0.1:9'))
    expect(inspect((error as Error).cause)).toContain('ECONNREFUSED')
  })

  test('to open the store fails every call with its reason', async () => {
    const folder = fs.mkdtempSync(join(tmpdir(), 'headrace-threads-'))
    const store = await openStore(join(folder, 'd'), { workers: 1 })
    opened.push(store)
    fs.writeFileSync(join(folder, 'd'), 'a file now')
    await expect(store.put('k', bytesOf('x'))).rejects.toSatisfy((error) => isHeadraceError(error))
    const writer = store.writer('k')
    await expect(writer.write(bytesOf('x'))).rejects.toSatisfy((error) => isHeadraceError(error))
    await writer.abort()
    fs.rmSync(folder, { recursive: true })
  })

  test('of single keys stands at each of them', async () => {
    const store = await open()
    const answers = []
    for await (const answer of store.delete(['a', '', 'b'])) answers.push(answer)
    expect(answers).toEqual([{ key: 'a' }, { key: '', error: failing('E_USAGE', '""') }, { key: 'b' }])
  })

  test('that cannot be told apart from plain data is the caller’s', async () => {
    const store = await open()
    const metadata = { name: (() => 'x') as unknown as string }
    await expect(store.put('k', bytesOf('x'), { metadata })).rejects.toEqual(failing('E_USAGE', 'no plain data'))
    expect((await store.put('k', bytesOf('x'))).size).toBe(1)
  })
})

describe('a warning in a worker', () => {
  test('is one of the process', async () => {
    const warnings: Error[] = []
    const listener = (warning: Error) => warnings.push(warning)
    process.on('warning', listener)
    const late = await startS3Server({ clockOffset: 3_600_000 })
    const store = await openStore('s3://bucket', { endpoint: late.url, credentials, workers: 1 })
    opened.push(store)
    await expect(store.get('k')).rejects.toEqual(failing('E_NOT_FOUND', 'bucket'))
    await expect.poll(() => warnings.length).toBe(1)
    expect(warnings[0]).toMatchObject({ name: 'HeadraceWarning', code: 'HEADRACE_CLOCK' })
    expect(warnings[0]?.message).toContain('60 minutes behind')
    process.off('warning', listener)
    await store.close()
    await late.close()
  })
})

describe('a signal', () => {
  test('ends what a worker does at once, with the caller’s own reason', async () => {
    const store = await open({ attempts: 1 }, [{ match: { op: 'GetObject' }, fault: { kind: 'stall', after: 10 } }])
    await store.put('k', noise(200_000))
    const reason = new Error('enough')
    for (const into of [undefined, new Uint8Array(200_000), new Uint8Array(new SharedArrayBuffer(200_000))]) {
      const controller = new AbortController()
      const got = store.get('k', { signal: controller.signal, ...(into && { into }) })
      const before = server.requests.total
      await expect.poll(() => server.requests.total).toBeGreaterThan(before - 1)
      const start = performance.now()
      setTimeout(() => controller.abort(reason), 50)
      const error = await got.catch((thrown: unknown) => thrown)
      expect(error).toEqual(failing('E_CANCELLED'))
      expect((error as Error).cause).toBe(reason)
      expect(performance.now() - start).toBeLessThan(5000)
    }
    expect(await store.head('k')).toMatchObject({ size: 200_000 })
  })

  test('drops a writer and what it has uploaded', async () => {
    const store = await open()
    const controller = new AbortController()
    const writer = store.writer('k', { signal: controller.signal })
    await writer.write(noise(17 * MiB))
    controller.abort()
    await expect(writer.close()).rejects.toEqual(failing('E_CANCELLED', 'k'))
    await expect.poll(() => server.requests.count('AbortMultipartUpload')).toBe(1)
    expect(await store.head('k')).toBeUndefined()
  })
})

describe('a thread that dies', () => {
  test('fails what it was asked, and the next call has another', async () => {
    const store = await open({ workers: 1 }, [
      { match: { op: 'GetObject' }, times: 2, fault: { kind: 'stall', after: 0 } },
    ])
    await store.put('k', bytesOf('text'))
    const writer = store.writer('w')
    await writer.write(bytesOf('x'))
    const lost = [store.get('k'), store.get('k', { into: new Uint8Array(100) })]
    await expect.poll(() => workersOf(store).map(({ active }) => active)).toEqual([2])
    await expect.poll(() => server.requests.count('GetObject')).toBe(2)
    await threads[0]?.terminate()
    for (const get of lost) await expect(get).rejects.toEqual(failing('E_SERVER', 'worker thread', 's3://bucket'))
    await expect(writer.write(bytesOf('y'))).rejects.toEqual(failing('E_SERVER', 'worker thread'))
    await writer.abort()
    expect(await textAt(store, 'k')).toBe('text')
    expect(threads).toHaveLength(2)
  })

  test('costs no call where calls are repeated', async () => {
    const store = withRetry(
      await open({ workers: 1 }, [{ match: { op: 'GetObject' }, times: 1, fault: { kind: 'stall', after: 0 } }]),
    )
    await store.put('k', bytesOf('text'))
    const text = textAt(store, 'k')
    await expect.poll(() => server.requests.count('GetObject')).toBe(1)
    await threads[0]?.terminate()
    expect(await text).toBe('text')
  })
})

describe('secrets', () => {
  test('reach the threads and are told to nobody', async () => {
    const secret = 'testsecret'
    const store = await open()
    const around = threaded(withRetry(await openStore('s3://bucket', { endpoint: server.url, credentials })), {
      workers: 1,
    })
    opened.push(around)
    await around.put('k', bytesOf('text'))
    expect(await textAt(store, 'k')).toBe('text')
    for (const each of [store, around]) {
      expect(inspect(each, { depth: 9, showHidden: true })).not.toContain(secret)
      expect(JSON.stringify([each.spec, each.report?.()])).not.toContain(secret)
    }
    const wrong = { accessKeyId: 'testkey', secretAccessKey: 'a-wrong-secret' }
    const refused = await openStore('s3://bucket', { endpoint: server.url, credentials: wrong, workers: 1 })
    opened.push(refused)
    const error = await refused.get('k').catch((thrown: unknown) => thrown)
    expect(error).toSatisfy((thrown) => isHeadraceError(thrown, 'E_CREDENTIALS') || isHeadraceError(thrown, 'E_ACCESS'))
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('a-wrong-secret')
  })

  test('that a function gives stay in its thread: E_UNSUPPORTED says so, and not what it is', async () => {
    const provider = async () => ({ accessKeyId: 'testkey', secretAccessKey: 'hidden-in-code' })
    const opening = openStore('s3://bucket', { credentials: provider, workers: 2 })
    await expect(opening).rejects.toEqual(failing('E_UNSUPPORTED', 'the option credentials', 'worker threads'))
    const error = await opening.catch((thrown: unknown) => thrown)
    expect(inspect(error, { depth: 9 })).not.toContain('hidden-in-code')
    expect(isHeadraceError(error) && error.details.hint).toContain('credentials as plain data')
  })
})

describe('opening', () => {
  test('refuses what makes no sense', async () => {
    await expect(openStore('mem://x', { workers: 1 })).rejects.toEqual(failing('E_UNSUPPORTED', 'mem://x'))
    for (const workers of [-1, 1.5, 'many', '', 65])
      await expect(openStore('s3://bucket', { workers, anonymous: true })).rejects.toEqual(
        failing('E_USAGE', 'workers'),
      )
    const store = await openStore('s3://bucket', { workers: 0, anonymous: true })
    opened.push(store)
    expect(store.spec.wrappers).toBeUndefined()
    expect(() => threaded(store, { workers: 1, threads: 2 } as never)).toThrow(failing('E_USAGE', 'threads') as Error)
  })

  test('leaves nothing behind, also in the middle of work', async () => {
    const store = await open({}, [{ match: { op: 'GetObject' }, fault: { kind: 'stall', after: 0 } }])
    await store.put('k', bytesOf('text'))
    const lost = [store.get('k'), store.get('k', { into: new Uint8Array(9) })]
    for (const get of lost) get.catch(() => {})
    await expect.poll(() => server.requests.count('GetObject')).toBe(2)
    await store.close()
    for (const get of lost) await expect(get).rejects.toSatisfy((error) => isHeadraceError(error))
    expect(alive.size).toBe(0)
    expect(native.sharedSlots()).toBe(shared)
    await expect(store.get('k')).rejects.toEqual(failing('E_STATE', 'closed'))
    await expect(store.head('k')).rejects.toEqual(failing('E_STATE', 'closed'))
    await store.close()
  })

  test('again and again takes no threads, descriptors or memory', async () => {
    await open()
    const cycle = async () => {
      const store = await openStore('s3://bucket', { endpoint: server.url, credentials, workers: 2 })
      await Promise.all([store.put('a', noise(100_000)), store.put('b', noise(100_000))])
      await store.close()
    }
    const held = () => ({
      threads: fs.readdirSync('/proc/self/task').length,
      slots: fs
        .readFileSync('/proc/self/maps', 'latin1')
        .split('\n')
        .filter((line) => line.includes('headrace-slot')).length,
    })
    await cycle()
    const before = held()
    for (let i = 0; i < 5; i++) await cycle()
    expect(held()).toEqual(before)
  })
})
