import { describe, expect, it } from 'vitest'
import type { Batch, BatchControl } from '../../src/loader/index.ts'
import { load } from '../../src/vision/index.ts'
import { BYTES, own } from './own-dataset.ts'

/** Batches that stay until they are released. */

const ONE = { rank: 0, worldSize: 1 } as const
const dataset = own(BYTES, 60, async (id) => ({ b: new Uint8Array(8).fill(id) }))

describe('leases', () => {
  it('keep each batch as it was, until its release, also behind the end', async () => {
    const loader = load(dataset, { ...ONE, batchSize: 10 })
    const kept: Batch<{ b: { data: Uint8Array } }>[] = []
    for await (const batch of loader.leases(6)) kept.push(batch)
    expect(kept.map(({ b }) => b.data[64])).toEqual([1, 11, 21, 31, 41, 51])
    loader.close()
    for (const [i, batch] of kept.entries()) {
      expect(batch.b.data.length).toBe(640)
      batch.release()
      expect(batch.b.data.length).toBe(0)
      expect(kept[i + 1]?.b.data.length ?? 640).toBe(640)
    }
    expect(loader.slotBytes).toBe(0)
  })

  it('are an error, and no dead-lock, where all slots are held', async () => {
    const loader = load(dataset, { ...ONE, batchSize: 10, prefetch: 1 })
    const iterator = loader.leases(2)
    const kept = [await iterator.next(), await iterator.next(), await iterator.next()]
    await expect(iterator.next()).rejects.toMatchObject({
      code: 'E_LIMIT',
      message: 'every slot is held by a batch that was not released',
    })
    for (const { value } of kept) value?.release()
    expect(loader.slotBytes).toBe(0)
  })

  it('go on where one is released while the next is awaited', async () => {
    const loader = load(dataset, { ...ONE, batchSize: 10, prefetch: 1 })
    const kept: BatchControl[] = []
    let batches = 0
    for await (const batch of loader.leases(2)) {
      batches++
      kept.push(batch)
      if (kept.length === 3) setTimeout(() => kept.shift()?.release(), 100)
    }
    expect(batches).toBe(6)
  })

  it('are refused for no number of batches', () => {
    expect(() => load(dataset, ONE).leases(0)).toThrow('held must be an integer from 1 to 1024, but got 0')
  })
})
