import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileStore } from '../../../src/storage/file/file.ts'
import { planReplay, type ReplayStep, replaySteps } from '../../../src/storage/oplog/plan.ts'
import { OpLogReader } from '../../../src/storage/oplog/reader.ts'
import { replayOpLog } from '../../../src/storage/oplog/replay.ts'
import { inStartOrder } from '../../../src/storage/oplog/start-order.ts'
import type { OpRecord } from '../../../src/storage/oplog/types.ts'
import { OpLogWriter } from '../../../src/storage/oplog/writer.ts'
import { bytesOf, failing, listed } from '../conformance.ts'

const FIXTURES = fileURLToPath(new URL('../../fixtures/oplog/', import.meta.url))
const S3DLIO = join(FIXTURES, 's3dlio.tsv.zst')
const WARP = join(FIXTURES, 'warp.csv.zst')

let folder: string
let store: FileStore
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'headrace-replay-'))
  store = new FileStore(join(folder, 'target'), { sync: 'never' })
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

async function logOf(records: readonly Partial<OpRecord>[], name = 'log.tsv'): Promise<string> {
  const path = join(folder, name)
  const writer = await OpLogWriter.open(path)
  for (const over of records) {
    const start = over.start ?? 1e12
    await writer.record({
      worker: 0,
      op: 'GET',
      objects: 1,
      bytes: 0,
      endpoint: '',
      url: 's3://b/p/k',
      start,
      end: start + 1,
      ...over,
    })
  }
  await writer.close()
  return path
}

async function stepsOf(path: string, options = {}): Promise<ReplayStep[]> {
  const reader = new OpLogReader(path)
  const steps: ReplayStep[] = []
  for await (const some of replaySteps(reader, await planReplay(reader, options), options)) steps.push(...some)
  return steps
}

const keysOf = async (urls: readonly string[], options = {}) =>
  (await stepsOf(await logOf(urls.map((url) => ({ url }))), options)).map(({ key }) => key)

describe('the plan of a replay', () => {
  test('is what the log says, as data', async () => {
    expect(await planReplay(new OpLogReader(S3DLIO))).toEqual({
      path: S3DLIO,
      strip: 'bench/set/',
      operations: { PUT: 1, LIST: 1, GET: 1, GET_RANGE: 1, HEAD: 1, DELETE: 1 },
      skipped: { 'GET: failed in the log': 1, 'DELETE_PREFIX: not among what can be replayed': 1 },
      start: Date.parse('2026-03-01T10:00:00Z'),
      seconds: 1,
      bytesRead: 1_114_112,
      bytesWritten: 1_048_576,
      cutOff: false,
    })
    expect(await stepsOf(S3DLIO)).toEqual([
      { action: 'put', op: 'PUT', at: 0, key: 'a/0001.bin', bytes: 1_048_576, objects: 1 },
      { action: 'list', op: 'LIST', at: 20, key: '', bytes: 0, objects: 2 },
      { action: 'get', op: 'GET', at: 30, key: 'a/0001.bin', bytes: 1_048_576, objects: 1 },
      {
        action: 'get',
        op: 'GET_RANGE',
        at: 31,
        key: 'a/0001.bin',
        bytes: 65_536,
        objects: 1,
        range: { offset: 0, length: 65_536 },
      },
      { action: 'head', op: 'HEAD', at: 50, key: 'a/0001.bin', bytes: 1_048_576, objects: 1 },
      { action: 'delete', op: 'DELETE', at: 1000, key: 'a/0001.bin', bytes: 0, objects: 1 },
    ])
  })

  test('of warp leaves out what has no key', async () => {
    const plan = await planReplay(new OpLogReader(WARP))
    expect(plan.operations).toEqual({ PUT: 1, GET: 1, STAT: 1 })
    expect(plan.skipped).toEqual({ 'GET: failed in the log': 1, 'DELETE: without a key in the log': 1 })
    expect((await stepsOf(WARP)).map(({ key, action }) => [key, action])).toEqual([
      ['1.AbC(x.rnd', 'put'],
      ['1.AbC(x.rnd', 'get'],
      ['1.AbC(x.rnd', 'head'],
    ])
  })

  test('takes off the folder that all URLs have in common, and never doubles a bucket', async () => {
    expect(await keysOf(['s3://b/p/a/1', 's3://b/p/a/2', 's3://b/p/ab/3'])).toEqual(['a/1', 'a/2', 'ab/3'])
    expect(await keysOf(['s3://b/p/only'])).toEqual(['only'])
    expect(await keysOf(['s3://b/x', 's3://c/x'])).toEqual(['b/x', 'c/x'])
    expect(await keysOf(['/data/a', '/other/b'])).toEqual(['data/a', 'other/b'])
    expect(await keysOf(['x', 'd/y'])).toEqual(['x', 'd/y'])
  })

  test('makes folders of schemes where URLs have nothing in common, as in a log of copies', async () => {
    expect(await keysOf(['s3://b/x', 'file:///data/x'])).toEqual(['s3/b/x', 'file/data/x'])
    const path = await logOf([
      { op: 'PUT', url: 's3://b/x', bytes: 3 },
      { op: 'PUT', url: 'file:///data/x', bytes: 3 },
    ])
    expect((await replayOpLog(path, store, { speed: 'max' })).summary.failed).toBe(0)
    expect(await listed(store)).toEqual(['file/data/x', 's3/b/x'])
  })

  test('takes off what it is told to, and leaves out what lies elsewhere', async () => {
    const path = await logOf([{ url: 's3://b/p/a/1' }, { url: 's3://b/q/2' }])
    expect((await stepsOf(path, { strip: 's3://b/p/' })).map(({ key }) => key)).toEqual(['a/1'])
    expect((await planReplay(new OpLogReader(path), { strip: 's3://b/p/' })).skipped).toEqual({
      'GET: not below s3://b/p/': 1,
    })
    expect((await stepsOf(path, { strip: '' })).map(({ key }) => key)).toEqual(['s3/b/p/a/1', 's3/b/q/2'])
  })

  test('maps the same whatever operations are asked for, and lists a whole bucket', async () => {
    const path = await logOf([{ url: 's3://b/p/a' }, { op: 'LIST', url: 's3://b' }, { op: 'LIST', url: 's3://b/p/' }])
    expect((await stepsOf(path)).map(({ key }) => key)).toEqual(['p/a', '', 'p/'])
    expect((await stepsOf(path, { ops: ['get'] })).map(({ key }) => key)).toEqual(['p/a'])
    await expect(planReplay(new OpLogReader(path), { ops: ['GET', 'COPY'] })).rejects.toEqual(
      failing('E_USAGE', '"COPY"', 'GET_RANGE'),
    )
  })

  test('knows what is read before it is written', async () => {
    const path = await logOf([
      { op: 'PUT', url: 's3://b/made', bytes: 10 },
      { url: 's3://b/made', bytes: 10 },
      { url: 's3://b/read', bytes: 5 },
      { op: 'GET_RANGE', url: 's3://b/read', offset: 90, bytes: 10 },
      { op: 'PUT', url: 's3://b/read', bytes: 7 },
      { op: 'HEAD', url: 's3://b/seen', bytes: 33 },
    ])
    const { prepared } = await planReplay(new OpLogReader(path), { prepare: true })
    expect([...(prepared ?? [])]).toEqual([
      ['read', 100],
      ['seen', 33],
    ])
    expect(await planReplay(new OpLogReader(path))).not.toHaveProperty('prepared')
  })

  test('is in the order of starts, however the log is', async () => {
    const record = (start: number, index: number): OpRecord => ({
      index,
      worker: 0,
      op: 'GET',
      objects: 1,
      bytes: 0,
      endpoint: '',
      url: 'k',
      start,
      end: start,
    })
    async function* some(records: readonly OpRecord[], size: number) {
      for (let at = 0; at < records.length; at += size) yield records.slice(at, at + size)
    }
    const drained = async (records: readonly OpRecord[], held?: number) => {
      const out: OpRecord[] = []
      for await (const batch of inStartOrder(some(records, 7), held)) out.push(...batch)
      return out
    }
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(50), { maxLength: 200 }), async (starts) => {
        const records = starts.map(record)
        expect(await drained(records)).toEqual([...records].sort((a, b) => a.start - b.start))
        // Nothing is lost where the window is too small.
        expect((await drained(records, 3)).sort((a, b) => (a.index as number) - (b.index as number))).toEqual(records)
      }),
      { numRuns: 50 },
    )
    const nearly = Array.from({ length: 100 }, (_, i) => record(i ^ 3, i))
    expect((await drained(nearly, 4)).map(({ start }) => start)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })
})

/** The milliseconds that a timer of this process was late at most, until it is asked. */
function longestStalls(): { end(): Promise<number> } {
  let ended = false
  let longest = 0
  const watching = (async () => {
    while (!ended) {
      const before = performance.now()
      await sleep(2)
      longest = Math.max(longest, performance.now() - before - 2)
    }
  })()
  return {
    end: async () => {
      ended = true
      await watching
      return longest
    },
  }
}

describe('a replay', () => {
  test('does what the log says, and its own log has the same operations', async () => {
    const path = join(folder, 'again.tsv.zst')
    const sink = await OpLogWriter.open(path)
    const report = await replayOpLog(S3DLIO, store, { speed: 'max', concurrency: 1, sink })
    await sink.close()
    expect(report.summary).toMatchObject({ count: 6, failed: 0, bytes: 2_162_688 })
    expect(report).toMatchObject({ prepared: 0, latenessMs: null, plannedSeconds: null, concurrency: 1 })
    const records: OpRecord[] = []
    for await (const batch of new OpLogReader(path).batches()) records.push(...batch)
    expect(records.map(({ op, objects, bytes, url, offset }) => [op, objects, bytes, url, offset])).toEqual([
      ['PUT', 1, 1_048_576, `${store.url}/a/0001.bin`, undefined],
      ['LIST', 1, 0, `${store.url}/`, undefined],
      ['GET', 1, 1_048_576, `${store.url}/a/0001.bin`, undefined],
      ['GET_RANGE', 1, 65_536, `${store.url}/a/0001.bin`, 0],
      ['HEAD', 1, 0, `${store.url}/a/0001.bin`, undefined],
      ['DELETE', 1, 0, `${store.url}/a/0001.bin`, undefined],
    ])
    expect(await listed(store)).toEqual([])
  })

  test('keeps to the times of the log, divided by the speed, fractions too', async () => {
    const times = [0, 100, 200, 400]
    const path = await logOf(times.map((at) => ({ op: 'LIST', url: 's3://b/', start: 1e12 + at })))
    const clock = () => performance.timeOrigin + performance.now()
    for (const [speed, planned] of [
      [2, 0.2],
      [0.8, 0.5],
    ] as const) {
      const starts: number[] = []
      const record = ({ index = -1, start }: OpRecord) => {
        starts[index] = start
      }
      const sink = { record, close: async () => {} }
      const stalls = longestStalls()
      const called = clock()
      const report = await replayOpLog(path, store, { speed, sink })
      const stalled = await stalls.end()
      expect(report.plannedSeconds).toBe(planned)
      expect(report.seconds).toBeGreaterThanOrEqual(planned - 0.001)
      expect(report.latenessMs).toMatchObject({ p50: expect.any(Number) })
      expect(starts.length).toBe(4)
      expect(starts).toEqual([...starts].sort((one, other) => one - other))
      // None before its time: timers of Node may be up to a millisecond early.
      for (const [i, start] of starts.entries())
        expect(start - called).toBeGreaterThanOrEqual((times[i] ?? 0) / speed - 1)
      // Later only as far as every timer of this process was late in that time.
      const span = (starts.at(-1) ?? 0) - (starts[0] ?? 0)
      expect(span).toBeLessThanOrEqual(planned * 1000 + 2 * stalled + 20)
    }
  })

  test('writes bodies of the size in the log, the same every time and no two alike', async () => {
    const path = await logOf([1, 2, 3].map((i) => ({ op: 'PUT', url: `s3://b/${i}`, bytes: 10_000, start: 1e12 + i })))
    const bodies = async (root: string, seed: number) => {
      const target = new FileStore(join(folder, root), { sync: 'never' })
      await replayOpLog(path, target, { speed: 'max', seed })
      return Promise.all(
        ['1', '2', '3'].map(async (key) => Buffer.from((await target.get(key))?.data ?? []).toString('hex')),
      )
    }
    const first = await bodies('one', 5)
    expect(first.map((body) => body.length)).toEqual([20_000, 20_000, 20_000])
    expect(new Set(first).size).toBe(3)
    expect(await bodies('two', 5)).toEqual(first)
    expect(await bodies('three', 6)).not.toEqual(first)
  })

  test('writes what is too large for memory piece by piece', async () => {
    const size = 70 * 2 ** 20 + 5
    const path = await logOf([{ op: 'PUT', url: 's3://b/large', bytes: size }])
    const { summary } = await replayOpLog(path, store, { speed: 'max' })
    expect(summary).toMatchObject({ failed: 0, bytes: size })
    expect((await store.head('large'))?.size).toBe(size)
  })

  test('counts what fails, and goes on', async () => {
    await store.put('there', bytesOf('0123456789'))
    const path = await logOf([
      { url: 's3://b/there' },
      { url: 's3://b/absent' },
      { op: 'HEAD', url: 's3://b/absent' },
      { op: 'GET_RANGE', url: 's3://b/there', offset: 50, bytes: 5 },
      { op: 'PUT', url: 's3://b/x/../y', bytes: 5 },
    ])
    const { summary } = await replayOpLog(path, store, { speed: 'max' })
    expect(summary).toMatchObject({ count: 5, failed: 4, bytes: 10 })
    expect(Object.fromEntries(summary.ops.map(({ op, errors }) => [op, errors]))).toEqual({
      GET: { E_NOT_FOUND: 1 },
      HEAD: { E_NOT_FOUND: 1 },
      GET_RANGE: { E_USAGE: 1 },
      PUT: { E_USAGE: 1 },
    })
    expect(Object.fromEntries(summary.ops.map(({ op, messages }) => [op, messages]))).toEqual({
      GET: { E_NOT_FOUND: 'absent is not there' },
      HEAD: { E_NOT_FOUND: 'absent is not there' },
      GET_RANGE: { E_USAGE: expect.stringContaining('50') },
      PUT: { E_USAGE: expect.stringContaining('"x/../y"') },
    })
  })

  test('makes what is read first where it is not there, and leaves what is', async () => {
    await store.put('old', bytesOf('0123456789'))
    const path = await logOf([
      { url: 's3://b/old', bytes: 10 },
      { url: 's3://b/new', bytes: 5000 },
      { op: 'GET_RANGE', url: 's3://b/part', offset: 100, bytes: 50 },
    ])
    const report = await replayOpLog(path, store, { speed: 'max', prepare: true })
    expect(report).toMatchObject({ prepared: 2, summary: { failed: 0, bytes: 5060 } })
    expect(Buffer.from((await store.get('old'))?.data ?? []).toString()).toBe('0123456789')
    expect((await store.head('part'))?.size).toBe(150)
    expect((await replayOpLog(path, store, { speed: 'max', prepare: true })).prepared).toBe(0)
  })

  test('deletes batches, of which a log names the first key', async () => {
    for (const key of ['k', 'k~1', 'other']) await store.put(key, bytesOf('x'))
    const path = await logOf([{ op: 'DELETE_BATCH', url: 's3://b/k', objects: 1000 }])
    const { summary } = await replayOpLog(path, store, { strip: 's3://b/' })
    expect(summary.ops[0]).toMatchObject({ op: 'DELETE_BATCH', objects: 1000, failed: 0 })
    expect(await listed(store)).toEqual(['other'])
  })

  test('lists no more than the log says it did', async () => {
    for (let i = 0; i < 5; i++) await store.put(`d/${i}`, bytesOf('x'))
    const path = await logOf([
      { op: 'LIST', url: 's3://b/d/', objects: 3 },
      { op: 'LIST', url: 's3://b/', objects: 0 },
    ])
    const { summary } = await replayOpLog(path, store)
    expect(summary.ops[0]).toMatchObject({ count: 2, objects: 8 })
  })

  test('has no more under way than it may, and says how late that made it', async () => {
    const path = await logOf(Array.from({ length: 200 }, (_, i) => ({ op: 'PUT', url: `s3://b/${i}`, bytes: 100 })))
    let now = 0
    let most = 0
    const counted = new Proxy(store, {
      get(target, name) {
        if (name !== 'put') return Reflect.get(target, name)
        return async (...args: Parameters<FileStore['put']>) => {
          most = Math.max(most, ++now)
          return target.put(...args).finally(() => now--)
        }
      },
    })
    const report = await replayOpLog(path, counted, { concurrency: 3 })
    expect(most).toBe(3)
    expect(report.latenessMs?.max).toBeGreaterThan(0)
  })

  test('ends at its signal, and leaves nothing running', async () => {
    const path = await logOf([0, 60_000].map((at) => ({ op: 'LIST', url: 's3://b/', start: 1e12 + at })))
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 30)
    const begun = performance.now()
    await expect(replayOpLog(path, store, { signal: controller.signal })).rejects.toEqual(
      failing('E_CANCELLED', 'replay'),
    )
    expect(performance.now() - begun).toBeLessThan(10_000)
  })

  test('passes on what its own log cannot take', async () => {
    fs.symlinkSync('/dev/full', join(folder, 'full.tsv'))
    const sink = await OpLogWriter.open(join(folder, 'full.tsv'))
    const path = await logOf(
      Array.from({ length: 3000 }, (_, i) => ({ op: 'LIST', url: 's3://b/', start: 1e12 + i / 1000 })),
    )
    await expect(replayOpLog(path, store, { sink, speed: 'max' })).rejects.toEqual(failing('E_NO_SPACE', 'full.tsv'))
    await expect(sink.close()).rejects.toEqual(failing('E_NO_SPACE'))
  })

  test.each([
    [{ speed: 0 }, 'speed must be a number from 0.001'],
    [{ speed: Number.NaN }, 'speed'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ seed: -1 }, 'seed'],
    [{ sped: 2 }, '"sped"'],
  ])('refuses %j', async (options, word) => {
    await expect(replayOpLog(S3DLIO, store, options as object)).rejects.toEqual(failing('E_USAGE', word))
  })
})
