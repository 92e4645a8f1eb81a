import fs from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { benchStorage, STORAGE_OPS } from '../../src/benchmark/storage/index.ts'
import type { BenchStorageProgress } from '../../src/benchmark/storage/types.ts'
import { startS3Server } from '../../src/dev/s3/index.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { DirectStore } from '../../src/storage/direct/direct.ts'
import { FileStore } from '../../src/storage/file/file.ts'
import { MemoryStore } from '../../src/storage/memory.ts'
import { openStore } from '../../src/storage/open.ts'
import { OpLogReader } from '../../src/storage/oplog/reader.ts'
import type { OpRecord } from '../../src/storage/oplog/types.ts'
import { bytesOf, failing, listed } from '../storage/conformance.ts'

let folder: string
let store: FileStore
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'headrace-bench-storage-'))
  store = new FileStore(join(folder, 'store'), { sync: 'never' })
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

const quick = { size: 5000, objects: 40, concurrency: 4, duration: 0.1, warmup: 0.02 } as const

async function recordsOf(path: string): Promise<OpRecord[]> {
  const records: OpRecord[] = []
  for await (const batch of new OpLogReader(path).batches()) records.push(...batch)
  return records
}

describe('a benchmark of storage', () => {
  test.each(STORAGE_OPS)('measures %s, adds up, and leaves nothing behind', async (op) => {
    await store.put('mine', bytesOf('x'))
    const opLog = join(folder, 'log.tsv')
    const report = await benchStorage(store, { ...quick, op, opLog })
    expect(report).toMatchObject({ op, url: store.url, concurrency: 4, workers: 1, objects: 40, errors: {} })
    const records = await recordsOf(opLog)
    const ops = Math.round(report.opsPerSecond * report.seconds)
    expect(ops).toBe(records.length)
    expect(report.bytes).toBe(records.reduce((sum, { bytes }) => sum + bytes, 0))
    expect(report.bytesPerSecond).toBeCloseTo(report.bytes / report.seconds, 3)
    expect(report.latencyMs?.max).toBeCloseTo(Math.max(...records.map(({ start, end }) => end - start)), 2)
    expect(report.firstByteMs).toBeNull()
    expect(report.cpuSecondsPerOp).toBeGreaterThan(0)
    if (op === 'list' || op === 'delete') expect([report.bytes, report.cpuSecondsPerGiB]).toEqual([0, null])
    else
      expect((report.cpuSecondsPerGiB ?? 0) / (report.cpuSecondsPerOp ?? 0)).toBeCloseTo(
        (2 ** 30 * ops) / report.bytes,
        0,
      )
    expect(report.peakRssBytes).toBeGreaterThan(2 ** 20)
    expect(await listed(store)).toEqual(['mine'])
    expect(fs.readdirSync(join(folder, 'store'))).toEqual(['mine'])
  })

  test('leaves no folder behind where files are read around the page cache', async () => {
    const direct = new DirectStore(join(folder, 'direct'), { fallback: 'buffered' })
    await direct.put('mine', bytesOf('x'))
    await benchStorage(direct, { ...quick, op: 'get' })
    expect(fs.readdirSync(join(folder, 'direct'))).toEqual(['mine'])
  })

  test('reads every object as often as any other, in an order that the seed says', async () => {
    const run = async (seed: number) => {
      const opLog = join(folder, `${seed}.tsv`)
      await benchStorage(store, { ...quick, op: 'get', concurrency: 1, warmup: 0, seed, opLog, keep: true })
      return (await recordsOf(opLog)).map(({ url }) => url.slice(-8))
    }
    const first = await run(1)
    expect(new Set(first.slice(0, 40)).size).toBe(40)
    expect(new Set(first.slice(40, 80)).size).toBe(40)
    expect(first.slice(40, 80)).not.toEqual(first.slice(0, 40))
    const second = await run(1)
    const both = Math.min(first.length, second.length)
    expect(second.slice(0, both)).toEqual(first.slice(0, both))
    expect((await run(2)).slice(0, 40)).not.toEqual(first.slice(0, 40))
  })

  test('writes objects that differ, of the size that was asked for', async () => {
    await benchStorage(store, { ...quick, op: 'put', keep: true })
    const bodies = new Set<string>()
    for (const key of await listed(store))
      bodies.add(Buffer.from((await store.get(key))?.data ?? []).toString('latin1'))
    expect(bodies.size).toBe(40)
    expect([...bodies].every((body) => body.length === 5000)).toBe(true)
  })

  test('keeps objects for the next run, which makes only those that are not there and takes only those away', async () => {
    await benchStorage(store, { ...quick, op: 'get', objects: 10, keep: true })
    const kept = await listed(store)
    expect(kept).toEqual(Array.from({ length: 10 }, (_, i) => `headrace-bench/5000/0000000${i}`))
    const etag = (await store.head(kept[3] as string))?.etag
    fs.rmSync(store.localPath(kept[7] as string))
    await store.put(kept[8] as string, bytesOf('of another size'))
    await store.put('headrace-bench/5000/notes.txt', bytesOf('mine'))
    const { errors } = await benchStorage(store, { ...quick, op: 'mixed', objects: 20 })
    expect(errors).toEqual({})
    expect(await listed(store)).toEqual([...kept.filter((_, i) => i !== 7 && i !== 8), 'headrace-bench/5000/notes.txt'])
    expect((await store.head(kept[3] as string))?.etag).toBe(etag)
  })

  test('deletes all that there is, once, also in batches', async () => {
    const opLog = join(folder, 'log.ndjson')
    const report = await benchStorage(store, { ...quick, op: 'delete', objects: 45, batch: 10, duration: 60, opLog })
    const records = await recordsOf(opLog)
    expect(records.map(({ op, objects }) => [op, objects]).sort()).toEqual([
      ...Array(4).fill(['DELETE_BATCH', 10]),
      ['DELETE_BATCH', 5],
    ])
    expect(report.seconds).toBeLessThan(30)
  })

  test('lists all objects each time', async () => {
    const opLog = join(folder, 'log.tsv')
    await benchStorage(store, { ...quick, op: 'list', opLog })
    expect(
      (await recordsOf(opLog)).every(({ op, objects, bytes }) => op === 'LIST' && objects === 40 && bytes === 0),
    ).toBe(true)
  })

  test('mixes nine gets, three puts, two deletes and six heads', async () => {
    const opLog = join(folder, 'log.tsv')
    await benchStorage(new MemoryStore('x'), { ...quick, op: 'mixed', duration: 0.3, warmup: 0, opLog })
    const records = await recordsOf(opLog)
    const share = (op: string) => records.filter((each) => each.op === op).length / records.length
    expect(records.length).toBeGreaterThan(500)
    expect(share('GET')).toBeCloseTo(0.45, 1)
    expect(share('HEAD')).toBeCloseTo(0.3, 1)
    expect(share('PUT')).toBeCloseTo(0.15, 1)
    expect(share('DELETE')).toBeCloseTo(0.1, 1)
    const put = new Set<string>()
    for (const { op, url } of records) {
      if (op === 'PUT') put.add(url)
      // Only what this run has put, and each once.
      else if (op === 'DELETE') expect(put.delete(url)).toBe(true)
    }
  })

  test('counts failures by code, goes on, and logs them', async () => {
    const opLog = join(folder, 'log.tsv')
    await benchStorage(store, { ...quick, op: 'get', keep: true })
    const [first = '', second = ''] = await listed(store)
    const vanish = ({ doing }: BenchStorageProgress) => {
      if (doing !== 'preparing') return
      fs.rmSync(store.localPath(first), { force: true })
      fs.writeFileSync(store.localPath(second), 'short')
    }
    const report = await benchStorage(store, { ...quick, op: 'get', keep: true, opLog, onProgress: vanish })
    expect(Object.keys(report.errors).sort()).toEqual(['E_CORRUPT', 'E_NOT_FOUND'])
    const failed = (await recordsOf(opLog)).filter(({ error }) => error !== undefined)
    expect(failed).toHaveLength(Object.values(report.errors).reduce((a, b) => a + b))
    expect(failed[0]?.bytes).toBe(0)
  })

  test('of a store where nothing succeeds says so', async () => {
    const broken = new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (name === 'get') return async () => undefined
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const report = await benchStorage(broken, { ...quick, op: 'get' })
    expect(report).toMatchObject({
      latencyMs: null,
      cpuSecondsPerOp: null,
      cpuSecondsPerGiB: null,
      bytes: 0,
      opsPerSecond: 0,
    })
    expect(report.errors.E_NOT_FOUND).toBeGreaterThan(0)
    // Four at once, each waits 10 ms after a failure.
    expect(report.errors.E_NOT_FOUND).toBeLessThan(100)
  })

  test('measures first bytes where the store tells them', async () => {
    const telling = new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (name === 'get')
          return async (...[key, options]: Parameters<FileStore['get']>) => {
            if (options?.trace) {
              options.trace.firstByte = performance.now()
              options.trace.endpoint = '10.0.0.1:9000'
            }
            return target.get(key, options)
          }
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const opLog = join(folder, 'log.tsv')
    const { firstByteMs, latencyMs } = await benchStorage(telling, { ...quick, op: 'get', opLog })
    expect(firstByteMs?.p50).toBeLessThan(latencyMs?.p50 ?? 0)
    const records = await recordsOf(opLog)
    expect(
      records.every(({ endpoint, firstByte = 0, start }) => endpoint === '10.0.0.1:9000' && firstByte >= start),
    ).toBe(true)
  })

  test('tells how far it is, in order', async () => {
    const seen: string[] = []
    await benchStorage(store, {
      ...quick,
      op: 'get',
      duration: 0.5,
      warmup: 0.3,
      onProgress: ({ doing }) => {
        if (seen.at(-1) !== doing) seen.push(doing)
      },
    })
    expect(seen).toEqual(['preparing', 'warming up', 'measuring', 'cleaning up'])
  })

  test('ends at its signal, and cleans up all the same', async () => {
    for (const target of [store, new MemoryStore('x')]) {
      const controller = new AbortController()
      setTimeout(() => controller.abort(), 150)
      await expect(
        benchStorage(target, { ...quick, op: 'mixed', duration: 60, signal: controller.signal }),
      ).rejects.toEqual(failing('E_CANCELLED', 'benchmark'))
      expect(await listed(target)).toEqual([])
    }
  })

  test('leaves nothing at a server that does what was sent although nobody waits for it any more', async () => {
    const server = await startS3Server()
    const late = createServer((client) => {
      const upstream = connect(Number(new URL(server.url).port), '127.0.0.1')
      client.on('data', (data) => void setTimeout(() => upstream.write(data), 200))
      client.on('error', () => {})
      client.on('close', () => void setTimeout(() => upstream.end(), 400))
      upstream.on('data', (data) => void client.write(data)).on('error', () => {})
    })
    await new Promise<void>((resolve) => late.listen(0, '127.0.0.1', resolve))
    const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
    const open = (url: string) => openStore('s3://bucket', { endpoint: url, credentials })
    const direct = await open(server.url)
    await direct.createContainer?.()
    const { port } = late.address() as AddressInfo
    const slow = await open(`http://127.0.0.1:${port}`)
    for (const [op, doing] of [
      ['put', 'measuring'],
      ['get', 'preparing'],
    ] as const) {
      const controller = new AbortController()
      await expect(
        benchStorage(slow, {
          ...quick,
          op,
          warmup: 0,
          duration: 60,
          signal: controller.signal,
          onProgress: (progress) => {
            if (progress.doing === doing) setTimeout(() => controller.abort(), 50)
          },
        }),
      ).rejects.toEqual(failing('E_CANCELLED'))
      await sleep(500)
      expect(await listed(direct)).toEqual([])
    }
    await Promise.all([slow.close(), direct.close()])
    await new Promise((resolve) => late.close(resolve))
    await server.close()
  })

  test.each<[ErrorCode, object, ...string[]]>([
    ['E_USAGE', { op: 'read' }, '"read"'],
    ['E_USAGE', { op: 'get', size: -1 }, 'size'],
    ['E_USAGE', { op: 'get', objects: 0 }, 'objects'],
    ['E_USAGE', { op: 'get', duration: 0 }, 'duration'],
    ['E_USAGE', { op: 'get', workers: 4, concurrency: 2 }, 'concurrency must be at least workers, 4, but got 2'],
    ['E_USAGE', { op: 'get', batch: 1001 }, 'batch'],
    ['E_USAGE', { op: 'get', threads: 2 }, '"threads"'],
    ['E_USAGE', { op: 'get', opLog: 'log.txt' }, 'log.txt'],
    ['E_LIMIT', { op: 'put', size: 2 ** 30, concurrency: 64 }, 'memory'],
    ['E_UNSUPPORTED', { op: 'get', workers: 2 }, 'mem://x', '2 workers'],
  ])('%s of %j', async (code, options, ...words) => {
    await expect(benchStorage('mem://x', { ...quick, ...options } as never)).rejects.toEqual(failing(code, ...words))
  })
})
