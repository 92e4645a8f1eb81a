import { describe, expect, test } from 'vitest'
import { NullStore } from '../../src/storage/null/null.ts'
import { openStore } from '../../src/storage/open.ts'
import { openStoreSpec } from '../../src/storage/spec.ts'
import { failing, listed } from './conformance.ts'

describe('null storage', () => {
  test('has zeros of the size that it is told under every key', async () => {
    const store = await openStore('null://x?size=1MiB')
    expect(await store.head('any/key')).toMatchObject({ key: 'any/key', size: 2 ** 20 })
    const into = new Uint8Array(100).fill(7)
    const body = await store.get('k', { range: { offset: 10, length: 50 }, into })
    expect(body?.data).toEqual(new Uint8Array(50))
    expect([into[49], into[50]]).toEqual([0, 7])
    expect((await store.get('k'))?.data.length).toBe(2 ** 20)
    expect((await store.get('k', { range: { offset: 2 ** 20 - 3 } }))?.data.length).toBe(3)
    await expect(store.get('k', { range: { offset: 2 ** 20 + 1 } })).rejects.toEqual(failing('E_USAGE', 'range.offset'))
    await expect(store.get('k', { into: new Uint8Array(5) })).rejects.toEqual(failing('E_LIMIT', 'into'))
    await expect(store.head('a//b')).rejects.toEqual(failing('E_USAGE', 'key'))
  })

  test('leaves memory as it is where that is asked for', async () => {
    const store = new NullStore('x', { size: 100, fill: 'skip' })
    const into = new Uint8Array(100).fill(7)
    expect((await store.get('k', { into }))?.data).toEqual(new Uint8Array(100).fill(7))
    expect((await store.get('k'))?.data).toEqual(new Uint8Array(100))
  })

  test('has nothing where it knows no size', async () => {
    const store = await openStore('null://x')
    expect(await store.head('k')).toBeUndefined()
    expect(await store.get('k')).toBeUndefined()
    expect(await listed(store)).toEqual([])
  })

  test('counts what is written and drops it', async () => {
    const store = new NullStore('x')
    await store.put('a', new Uint8Array(10))
    const writer = store.writer('b', { size: 7 })
    await writer.write(new Uint8Array(3))
    await writer.write(new Uint8Array(4))
    expect(await writer.close()).toMatchObject({ key: 'b', size: 7 })
    expect(await store.head('b')).toBeUndefined()
    expect(store.report()).toEqual({ gets: 0, bytesRead: 0, puts: 2, bytesWritten: 17 })
    await expect(writer.write(new Uint8Array(1))).rejects.toEqual(failing('E_STATE', '"b"', 'closed'))
    const dropped = store.writer('c')
    await dropped.write(new Uint8Array(5))
    await dropped.abort()
    await expect(dropped.close()).rejects.toEqual(failing('E_STATE', '"c"', 'aborted'))
    const short = store.writer('d', { size: 2 })
    await expect(short.close()).rejects.toEqual(failing('E_STATE', '"d"', '2 bytes', '0 came'))
    expect(store.report().puts).toBe(2)
    for await (const { error } of store.delete(['a', 'b'])) expect(error).toBeUndefined()
  })

  test('has objects that are zeros but for islands, wherever a range cuts them', async () => {
    const islands = [
      { offset: 2, bytes: Uint8Array.of(1, 2, 3) },
      { offset: 8, bytes: Uint8Array.of(4) },
      { offset: 9, bytes: Uint8Array.of(5, 6) },
    ]
    const whole = Uint8Array.of(0, 0, 1, 2, 3, 0, 0, 0, 4, 5, 6, 0)
    const store = new NullStore('x', {
      objects: (key) => (key === 'f' ? { size: 12, islands } : undefined),
      keys: () => ['d/f', 'f'],
    })
    for (let offset = 0; offset <= 12; offset++)
      for (let length = 0; offset + length <= 12; length++) {
        const into = new Uint8Array(12).fill(9)
        const body = await store.get('f', { range: { offset, length }, into })
        expect(body?.data).toEqual(whole.subarray(offset, offset + length))
      }
    expect(await store.get('d/f')).toBeUndefined()
    expect(store.report()).toMatchObject({ gets: 91 })
  })

  test('lists the keys that it is told, those that are there', async () => {
    const store = new NullStore('x', { size: 5, keys: () => ['a', 'd/a', 'd/b', 'e/f/g', 'z'] })
    expect(await listed(store)).toEqual(['a', 'd/a', 'd/b', 'e/f/g', 'z'])
    expect(await listed(store, '', { delimiter: '/' })).toEqual(['a', 'd/', 'e/', 'z'])
    expect(await listed(store, 'd/', { startAfter: 'd/a' })).toEqual(['d/b'])
  })

  test('opens again from its spec, and refuses what it does not know', async () => {
    const store = await openStore('null://x', { size: '2KiB', fill: 'skip' })
    const again = await openStoreSpec(store.spec)
    expect(store.spec).toEqual({ url: 'null://x', options: { size: 2048, fill: 'skip' } })
    expect(await again.head('k')).toMatchObject({ size: 2048 })
    await expect(openStore('null://x', { sizes: 1 })).rejects.toEqual(failing('E_USAGE', '"sizes"'))
    await expect(openStore('null://x?size=5K')).rejects.toEqual(failing('E_USAGE', 'size'))
    await expect(openStore('null://x', { fill: 'one' })).rejects.toEqual(failing('E_USAGE', 'fill'))
  })

  test('stops at a signal', async () => {
    const store = new NullStore('x', { size: 5 })
    const signal = AbortSignal.abort()
    await expect(store.get('k', { signal })).rejects.toEqual(failing('E_CANCELLED'))
    await expect(store.head('k', { signal })).rejects.toEqual(failing('E_CANCELLED'))
    await expect(store.writer('k', { signal }).write(new Uint8Array(1))).rejects.toEqual(failing('E_CANCELLED'))
  })
})
