import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { load, randomResizedCrop } from '../../src/vision/index.ts'
import { type PhotoCache, photoCache } from './photo-cache.ts'

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(40, 64)
})
afterAll(() => photos.remove())

const open = (options = {}) =>
  load(photos.cache, { image: [randomResizedCrop(24)], batchSize: 8, rank: 0, worldSize: 1, ...options })

/** Slots that the process has mapped. */
function mappedSlots(): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes('headrace-slot')).length
}

/** Finalizers of detached buffers run a turn later. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 50))

describe('a batch', () => {
  it('is detached at the next step, so that what was kept reads as nothing', async () => {
    const kept: Uint8Array[] = []
    for await (const { image } of open()) {
      expect(image.data.length).toBe(8 * 24 * 24 * 3)
      kept.push(image.data)
    }
    expect(kept.map((data) => data.length)).toEqual([0, 0, 0, 0, 0])
  })

  it('has numbers, strings, ids and images in one lease', async () => {
    for await (const { image, label, path, meta } of open()) {
      expect(image).toMatchObject({ shape: [8, 24, 24, 3], dtype: 'uint8' })
      expect(label).toMatchObject({ shape: [8], dtype: 'int64' })
      expect(label.data).toBeInstanceOf(BigInt64Array)
      expect([...meta.index.data]).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n])
      expect(path[0]).toBe(photos.cache.describe(0))
      expect(label.data.buffer).toBe(image.data.buffer)
      break
    }
  })

  it('copies into memory of its own', async () => {
    let copy:
      | {
          readonly image: { readonly data: Uint8Array }
          readonly label: { readonly data: BigInt64Array }
          readonly path: string[]
        }
      | undefined
    let before = 0
    for await (const batch of open()) {
      copy = batch.copy()
      before = batch.image.data[100] as number
      break
    }
    expect(copy?.image.data.length).toBe(8 * 24 * 24 * 3)
    expect(copy?.image.data[100]).toBe(before)
    expect(copy?.label.data.length).toBe(8)
    expect(copy?.path.length).toBe(8)
  })

  it('can be released early, and twice', async () => {
    for await (const batch of open()) {
      batch.release()
      expect(batch.image.data.length).toBe(0)
      batch.release()
    }
  })
})

describe('memory', () => {
  it('is given back after break, after a throw, and after close', async () => {
    await settled()
    const before = mappedSlots()
    for await (const _ of open()) break
    await settled()
    expect(mappedSlots()).toBe(before)
    await expect(
      (async () => {
        for await (const _ of open()) throw new Error('mine')
      })(),
    ).rejects.toThrow('mine')
    await settled()
    expect(mappedSlots()).toBe(before)
    const loader = open()
    for await (const _ of loader);
    expect(mappedSlots()).toBeGreaterThan(before)
    loader.close()
    await settled()
    expect(mappedSlots()).toBe(before)
  })

  it('stays within prefetch + 1 slots and ringBytes', async () => {
    const loader = open({ prefetch: 3 })
    for await (const _ of loader) expect(loader.slotBytes).toBeLessThanOrEqual(4 * 2 ** 21)
    expect(loader.slotBytes).toBeGreaterThan(0)
    loader.close()
    // One slot of 2 MiB only: batches come one after the other, all of them.
    let batches = 0
    for await (const _ of open({ prefetch: 4, ringBytes: 2 ** 21 })) batches++
    expect(batches).toBe(5)
  })

  it('of one batch beyond ringBytes is E_LIMIT, with the way out', async () => {
    await expect(
      (async () => {
        for await (const _ of open({ ringBytes: 1000 }));
      })(),
    ).rejects.toMatchObject({ code: 'E_LIMIT', details: { hint: 'use a larger ringBytes or a smaller batchSize' } })
  })

  it('is the same again and again: 200 batches keep heap and slots flat', async () => {
    const loader = open({ epochs: 50, batchSize: 8 })
    let batches = 0
    let slots = 0
    for await (const _ of loader) {
      batches++
      if (batches === 50) slots = loader.slotBytes
    }
    expect(batches).toBe(250)
    expect(loader.slotBytes).toBe(slots)
    loader.close()
  })
})

describe('a loader', () => {
  it('stops at its signal with E_CANCELLED and gives everything back', async () => {
    const before = mappedSlots()
    const stop = new AbortController()
    let batches = 0
    await expect(
      (async () => {
        for await (const _ of open({ signal: stop.signal })) if (++batches === 2) stop.abort()
      })(),
    ).rejects.toMatchObject({ code: 'E_CANCELLED' })
    expect(batches).toBe(2)
    await settled()
    expect(mappedSlots()).toBeLessThanOrEqual(before)
  })

  it('refuses a second iteration at the same time, and any after close', async () => {
    const loader = open()
    for await (const _ of loader) {
      await expect(loader[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'E_STATE' })
      break
    }
    loader.close()
    await expect(loader[Symbol.asyncIterator]().next()).rejects.toThrow('the loader is closed')
  })

  it.each([
    [{ batchSize: -3 }, 'batchSize must be a positive integer, but got -3'],
    [{ bachSize: 3 }, 'load has no option "bachSize"'],
    [{ tail: 'long' }, 'tail must be one of "short", "pad", "drop", but got "long"'],
    [{ fields: ['imag'] }, 'the dataset has no field "imag"; it has image, label, path'],
    [{ rank: 2, worldSize: 2 }, 'rank must be less than worldSize (2), but got 2'],
    [{ dtype: 'int8' }, 'dtype must be one of "uint8", "float16", "float32", but got "int8"'],
    [{ image: undefined, dtype: 'float32' }, 'dtype needs image operations'],
    [{ seed: 1.5 }, 'seed must be an integer of 0 or more, but got 1.5'],
  ])('refuses %j', (options, message) => {
    expect(() => open(options)).toThrow(message)
  })
})
