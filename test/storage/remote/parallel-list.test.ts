import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../../src/storage/memory.ts'
import { listing } from '../../../src/storage/remote/parallel-list.ts'
import type { ListOptions } from '../../../src/storage/types.ts'
import { bytesOf, failing } from '../conformance.ts'

describe('prefixes listed side by side', () => {
  const keys = Array.from({ length: 40 }, (_, i) => [`a${i}/x`, `a${i}/y/z`, `a${i}.txt`, `b${i}`]).flat()

  async function filled(): Promise<MemoryStore> {
    const store = new MemoryStore('parallel')
    for (const key of keys) await store.put(key, bytesOf(key))
    return store
  }
  async function names(store: MemoryStore, prefix: string, options: ListOptions): Promise<string[]> {
    const found: string[] = []
    for await (const entry of listing((each, how) => store.list(each, how), prefix, options))
      found.push(entry.kind === 'object' ? entry.key : entry.prefix)
    return found
  }

  test.each([2, 3, 64])('%i at once give what one gives, in its order', async (parallel) => {
    const store = await filled()
    for (const [prefix, startAfter] of [
      ['', ''],
      ['a1', ''],
      ['a1/', ''],
      ['', 'a17/x'],
      ['', 'a17/zzz'],
      ['nothing', ''],
    ] as const)
      expect(await names(store, prefix, { parallel, startAfter })).toEqual(await names(store, prefix, { startAfter }))
    expect(await names(store, '', { parallel, delimiter: '/' })).toEqual(await names(store, '', { delimiter: '/' }))
  })

  test('no more are under way than were asked for, and leaving ends them all', async () => {
    const store = await filled()
    let open = 0
    let most = 0
    const list = async function* (prefix: string, options: ListOptions) {
      open++
      most = Math.max(most, open)
      try {
        for await (const entry of store.list(prefix, options)) {
          await new Promise(setImmediate)
          yield entry
        }
      } finally {
        open--
      }
    }
    let seen = 0
    for await (const _ of listing(list, '', { parallel: 4 })) if (++seen === 30) break
    expect(most).toBeGreaterThan(2)
    expect(most).toBeLessThanOrEqual(5)
    expect(open).toBe(0)
  })

  test('a failure of one ends the listing at its place', async () => {
    const store = await filled()
    const list = async function* (prefix: string, options: ListOptions) {
      if (prefix === 'a10/') throw new Error('no')
      yield* store.list(prefix, options)
    }
    const found: string[] = []
    const run = async () => {
      for await (const entry of listing(list, '', { parallel: 8 })) if (entry.kind === 'object') found.push(entry.key)
    }
    await expect(run()).rejects.toThrow('no')
    expect(found).toEqual((await names(store, '', {})).slice(0, found.length))
    expect(found).toContain('a1/x')
    expect(found).not.toContain('a11/x')
  })

  test('a number that makes no sense is refused', () => {
    expect(() => listing(() => [] as never, '', { parallel: -1 })).toThrow(failing('E_USAGE', 'parallel') as Error)
  })
})
