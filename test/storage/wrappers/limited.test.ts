import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FileStore } from '../../../src/storage/file/file.ts'
import { MemoryStore } from '../../../src/storage/memory.ts'
import { openStoreSpec } from '../../../src/storage/spec.ts'
import type { Store } from '../../../src/storage/types.ts'
import { ByteRate } from '../../../src/storage/wrappers/byte-rate.ts'
import { layer } from '../../../src/storage/wrappers/layer.ts'
import { limited } from '../../../src/storage/wrappers/limited.ts'
import { withRetry } from '../../../src/storage/wrappers/with-retry.ts'
import { bytesOf, failing, listed, storeConformance } from '../conformance.ts'

let folder: string
let made = 0
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'headrace-limited-'))
})
afterAll(() => fs.rmSync(folder, { recursive: true }))

storeConformance(
  'limited(mem)',
  async () => limited(new MemoryStore('limited'), { concurrency: 2, bytesPerSecond: 1e9 }),
  async () => {},
)
storeConformance(
  'limited(file)',
  async () => limited(new FileStore(join(folder, `${made++}`), { sync: 'never' }), { concurrency: 1 }),
  async () => {},
)

/** Counts how many calls are inside at once; each takes a while. */
function crowded(inner: Store, milliseconds = 5) {
  const seen = { inside: 0, most: 0 }
  const stay = async <T>(run: () => Promise<T>): Promise<T> => {
    seen.most = Math.max(seen.most, ++seen.inside)
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    try {
      return await run()
    } finally {
      seen.inside--
    }
  }
  const store = layer(inner, inner.spec, {
    head: (key, call) => stay(() => inner.head(key, call)),
    get: (key, call) => stay(() => inner.get(key, call)),
    put: (key, body, call) => stay(() => inner.put(key, body, call)),
    list: async function* (prefix, call) {
      const entries = inner.list(prefix, call)[Symbol.asyncIterator]()
      for (let next = await stay(() => entries.next()); !next.done; next = await stay(() => entries.next()))
        yield next.value
    },
  })
  return { store, seen }
}

/** Milliseconds that `run` takes. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const before = performance.now()
  await run()
  return performance.now() - before
}

describe('a bound on concurrency', () => {
  test('holds for all calls together', async () => {
    const { store: inner, seen } = crowded(new MemoryStore('m'))
    const store = limited(inner, { concurrency: 3 })
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        i % 3 === 0 ? store.put(`${i}`, bytesOf('x')) : i % 3 === 1 ? store.get(`${i}`) : store.head(`${i}`),
      ),
    )
    expect(seen).toEqual({ inside: 0, most: 3 })
  })

  test('lets calls in by their order, and those that are cancelled leave', async () => {
    const { store: inner } = crowded(new MemoryStore('m'))
    const store = limited(inner, { concurrency: 1 })
    const order: number[] = []
    const controller = new AbortController()
    const calls = Array.from({ length: 10 }, (_, i) =>
      store.head(`${i}`, i === 4 ? { signal: controller.signal } : {}).then(
        () => order.push(i),
        (error) => expect(error).toEqual(failing('E_CANCELLED')),
      ),
    )
    controller.abort()
    await Promise.all(calls)
    expect(order).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9])
  })

  test('a listing and open writers do not hold it while their caller does other things', async () => {
    const { store: inner, seen } = crowded(new MemoryStore('m'), 0)
    const store = limited(inner, { concurrency: 1 })
    await Promise.all(['a', 'b', 'c'].map((key) => store.put(key, bytesOf(key))))
    for await (const entry of store.list('')) if (entry.kind === 'object') await store.get(entry.key)
    const writers = ['d', 'e', 'f'].map((key) => store.writer(key))
    for (const writer of writers) await writer.write(bytesOf('x'))
    for (const writer of writers) await writer.close()
    expect(await listed(store)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    expect(seen.most).toBe(1)
  })

  test('the close of the store ends those who wait', async () => {
    const { store: inner } = crowded(new MemoryStore('m'), 20)
    const store = limited(inner, { concurrency: 1 })
    const first = store.head('a')
    const second = store.head('b').catch((error) => error)
    await store.close()
    expect(await second).toEqual(failing('E_CANCELLED', 'closed'))
    await first
  })
})

describe('a bound on bytes a second', () => {
  // 1,000 bytes a millisecond; a tenth of a second may pass at once.
  const rate = { bytesPerSecond: 1_000_000 }

  test('holds for puts, and for gets whose size nobody knew', async () => {
    const store = limited(new MemoryStore('m'), rate)
    const body = new Uint8Array(50_000)
    const puts = await timed(async () => {
      for (let i = 0; i < 7; i++) await store.put(`${i}`, body)
    })
    // The seventh may begin once six have had their time, but for the burst.
    expect(puts).toBeGreaterThan(195)
    const gets = await timed(() => Promise.all(Array.from({ length: 10 }, (_, i) => store.get(`${i % 7}`))))
    const more = await timed(() => store.get('0'))
    expect(gets + more).toBeGreaterThan(290)
  })

  test('holds for ranges and writers', async () => {
    const inner = new MemoryStore('m')
    await inner.put('k', new Uint8Array(1_000_000))
    const store = limited(inner, rate)
    const took = await timed(async () => {
      const writer = store.writer('w')
      for (let i = 0; i < 3; i++) await writer.write(new Uint8Array(50_000))
      await writer.close()
      for (let i = 0; i < 4; i++) await store.get('k', { range: { offset: i, length: 50_000 } })
    })
    expect(took).toBeGreaterThan(195)
  })

  test('what did not come is not paid for', async () => {
    const store = limited(new MemoryStore('m'), rate)
    await store.get('none', { range: { offset: 0, length: 10_000_000 } })
    expect(await timed(() => store.put('k', new Uint8Array(10)))).toBeLessThan(1000)
  })

  test('is paid in order; who is cancelled pays nothing', async () => {
    const bytes = new ByteRate(1_000_000)
    await bytes.take(200_000, undefined)
    const controller = new AbortController()
    const cancelled = bytes.take(1_000_000_000, controller.signal).catch((error) => error)
    controller.abort()
    expect(await cancelled).toEqual(failing('E_CANCELLED'))
    const order: number[] = []
    const took = await timed(() =>
      Promise.all([1, 2, 3].map((i) => bytes.take(20_000, undefined).then(() => order.push(i)))),
    )
    expect(order).toEqual([1, 2, 3])
    // 200 of which 100 were free, then two of 20 before the third.
    expect(took).toBeGreaterThan(130)
    expect(took).toBeLessThan(2000)
  })
})

describe('limited', () => {
  test('offers no way round a bound on bytes', () => {
    const file = new FileStore(folder)
    expect(limited(file, { concurrency: 3 }).localPath?.('k')).toBe(join(folder, 'k'))
    expect(limited(file, { bytesPerSecond: 3 })).not.toHaveProperty('localPath')
  })

  test('needs a bound that is one', () => {
    const store = new MemoryStore('m')
    expect(() => limited(store, {})).toThrow(failing('E_USAGE', 'concurrency or bytesPerSecond') as Error)
    expect(() => limited(store, { concurrency: 0 })).toThrow(failing('E_USAGE', 'concurrency') as Error)
    expect(() => limited(store, { bytesPerSecond: 0 })).toThrow(failing('E_USAGE', 'bytesPerSecond') as Error)
    expect(() => limited(store, { rate: 1 } as never)).toThrow(failing('E_USAGE', '"rate"') as Error)
  })

  test('a spec opens the store with all that is around it', async () => {
    const store = limited(withRetry(new FileStore(folder, { sync: 'never' }), { attempts: 3 }), { concurrency: 2 })
    await store.put('spec', bytesOf('text'))
    const again = await openStoreSpec(structuredClone(store.spec))
    expect(again.spec).toEqual(store.spec)
    expect(again.spec.wrappers).toEqual([
      { name: 'withRetry', options: { attempts: 3, baseDelay: 100, maxDelay: 20_000 } },
      { name: 'limited', options: { concurrency: 2 } },
    ])
    expect((await again.get('spec'))?.data).toEqual(bytesOf('text'))
    await store.close()
    await again.close()
  })
})
