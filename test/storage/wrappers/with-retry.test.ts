import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../../src/storage/memory.ts'
import type { Trace } from '../../../src/storage/types.ts'
import { withRetry } from '../../../src/storage/wrappers/with-retry.ts'
import { bytesOf, failing, listed, storeConformance } from '../conformance.ts'
import { type FaultRule, withFaults } from './faults.ts'

storeConformance(
  'withRetry(mem)',
  async () => withRetry(new MemoryStore('retry')),
  async () => {},
)

/** Every call is hit now and then, and the contract holds all the same. */
storeConformance(
  'withRetry(a store that fails)',
  async () =>
    withRetry(
      withFaults(
        new MemoryStore('faults'),
        (['head', 'get', 'list', 'delete'] as const).map((op) => ({ op, chance: 0.2, code: 'E_NETWORK' })),
        7,
      ),
      { attempts: 100, baseDelay: 0, maxDelay: 0 },
    ),
  async () => {},
)

const quick = { baseDelay: 1, maxDelay: 4 }

async function filled(rules: readonly FaultRule[], keys: readonly string[] = ['k']) {
  const inner = new MemoryStore('m')
  for (const key of keys) await inner.put(key, bytesOf(`at ${key}`))
  const faulty = withFaults(inner, rules)
  return { inner, faulty, store: withRetry(faulty, quick) }
}

describe('withRetry', () => {
  test.each(['E_NETWORK', 'E_TIMEOUT', 'E_THROTTLED', 'E_SERVER', 'E_CHECKSUM', 'E_CORRUPT'] as const)(
    'tries again after %s',
    async (code) => {
      const { store, faulty } = await filled([{ op: 'get', code, times: 3 }])
      const trace: Trace = {}
      expect((await store.get('k', { trace }))?.data).toEqual(bytesOf('at k'))
      expect(faulty.calls.get).toBe(4)
      expect(trace.retries).toBe(3)
    },
  )

  test.each(['E_ACCESS', 'E_NOT_FOUND', 'E_STATE', 'E_USAGE', 'E_CANCELLED', 'E_NO_SPACE'] as const)(
    'and not after %s',
    async (code) => {
      const { store, faulty } = await filled([{ op: 'head', code, times: 1 }])
      await expect(store.head('k')).rejects.toEqual(failing(code, 'head failed on purpose'))
      expect(faulty.calls.head).toBe(1)
    },
  )

  test('gives up after its attempts, with the last error', async () => {
    const { store, faulty } = await filled([{ op: 'head', code: 'E_NETWORK' }])
    await expect(store.head('k')).rejects.toEqual(failing('E_NETWORK', 'head failed on purpose, 5 times in a row'))
    expect(faulty.calls.head).toBe(5)
  })

  test('repeats a put and a copy, but not where they must not find what they made', async () => {
    const { store, faulty } = await filled([
      { op: 'put', when: 'after', code: 'E_TIMEOUT', times: 2 },
      { op: 'copy', when: 'after', code: 'E_TIMEOUT', times: 2 },
    ])
    await store.put('a', bytesOf('x'))
    expect(faulty.calls.put).toBe(3)
    await store.copy?.('a', 'b')
    expect(faulty.calls.copy).toBe(3)
    const { store: other, faulty: once } = await filled([
      { op: 'put', when: 'after', code: 'E_TIMEOUT', times: 1 },
      { op: 'copy', when: 'after', code: 'E_TIMEOUT', times: 1 },
    ])
    await expect(other.put('a', bytesOf('x'), { ifNoneMatch: '*' })).rejects.toEqual(failing('E_TIMEOUT'))
    await expect(other.copy?.('a', 'b', { ifNoneMatch: '*' })).rejects.toEqual(failing('E_TIMEOUT'))
    expect([once.calls.put, once.calls.copy]).toEqual([1, 1])
  })

  test('leaves writers as they are', async () => {
    const { store, faulty } = await filled([{ op: 'write', code: 'E_NETWORK', times: 1 }])
    const writer = store.writer('a')
    await expect(writer.write(bytesOf('x'))).rejects.toEqual(failing('E_NETWORK'))
    expect(faulty.calls.write).toBe(1)
  })

  test('goes on with a listing where it failed: every entry once', async () => {
    const keys = Array.from({ length: 50 }, (_, i) => `d${i % 5}/${String(i).padStart(2, '0')}`)
    for (const options of [{}, { delimiter: '/' as const }, { startAfter: 'd1/99' }]) {
      const { store, inner, faulty } = await filled([{ op: 'list', code: 'E_SERVER', chance: 0.3 }], keys)
      expect(await listed(store, '', options)).toEqual(await listed(inner, '', options))
      if (!('delimiter' in options)) expect(faulty.calls.list).toBeGreaterThan(3)
      expect(faulty.calls.list).toBe(faulty.faults + 1)
    }
  })

  test('gives up on a listing that fails again and again at one place', async () => {
    const { store, faulty } = await filled([{ op: 'list', code: 'E_SERVER' }], ['a', 'b'])
    await expect(listed(store)).rejects.toEqual(failing('E_SERVER', '5 times in a row'))
    expect(faulty.calls.list).toBe(5)
  })

  test('deletes every key, answering in order, whether a key or the whole call fails', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
    const { store, inner, faulty } = await filled(
      [
        { op: 'delete', code: 'E_NETWORK', chance: 0.1 },
        { op: 'delete', when: 'result', code: 'E_THROTTLED', chance: 0.2 },
      ],
      keys,
    )
    const answers: unknown[] = []
    for await (const answer of store.delete(keys.values())) answers.push(answer)
    expect(answers).toEqual(keys.map((key) => ({ key })))
    expect(await listed(inner)).toEqual([])
    expect(faulty.faults).toBeGreaterThan(5)
  })

  test('tells of keys that cannot be deleted', async () => {
    const { store } = await filled([{ op: 'delete', when: 'result', code: 'E_ACCESS', times: 1 }], ['a', 'b'])
    const answers: unknown[] = []
    for await (const answer of store.delete(['a', 'b'])) answers.push(answer)
    expect(answers).toEqual([{ key: 'a', error: failing('E_ACCESS') }, { key: 'b' }])
    const { store: never } = await filled([{ op: 'delete', when: 'result', code: 'E_SERVER' }])
    for await (const { error } of never.delete(['k'])) expect(error).toEqual(failing('E_SERVER', '5 times in a row'))
  })

  test('waits as long as it is asked to, and stops waiting at a signal', async () => {
    const { store } = await filled([{ op: 'head', code: 'E_THROTTLED', times: 1, retryAfter: 60 }])
    const before = performance.now()
    await store.head('k')
    expect(performance.now() - before).toBeGreaterThan(58)
    const { store: slow, faulty } = await filled([{ op: 'head', code: 'E_THROTTLED', retryAfter: 60_000 }])
    const controller = new AbortController()
    const waiting = slow.head('k', { signal: controller.signal })
    setTimeout(() => controller.abort(), 10)
    await expect(waiting).rejects.toEqual(failing('E_CANCELLED'))
    expect(faulty.calls.head).toBe(1)
  })

  test('has what the store inside has, and no more', () => {
    const store = withRetry(new MemoryStore('m'), { attempts: 2 })
    expect(store.copy).toBeDefined()
    for (const name of ['createContainer', 'presign', 'localPath', 'report'] as const)
      expect(store).not.toHaveProperty(name)
    const reporting = withRetry(Object.assign(new MemoryStore('m'), { report: () => ({ seen: 1 }) }))
    expect(reporting.report?.()).toEqual({ seen: 1 })
    expect(store.spec).toEqual({
      url: 'mem://m',
      wrappers: [{ name: 'withRetry', options: { attempts: 2, baseDelay: 100, maxDelay: 20_000 } }],
    })
    expect(() => withRetry(store, { attempts: 0 })).toThrow(failing('E_USAGE', 'attempts') as Error)
    expect(() => withRetry(store, { retries: 3 } as never)).toThrow(failing('E_USAGE', '"retries"') as Error)
  })
})
