import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { native } from '../../src/native.ts'
import { load, openImageCache, resizeCenterCrop } from '../../src/vision/index.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'

/** What must not crash the process: wrong arguments, files that shrink, buffers and slots used after their end. */

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-native-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('arguments of the wrong kind', () => {
  const slot = native.createSlot(4096)
  const job = {
    source: new Uint8Array(64),
    sourceOffsets: Float64Array.of(0),
    sourceSizes: Float64Array.of(64),
    slot,
    offset: 0,
    stride: 64,
    threads: 1,
    group: 0,
  }

  it.each([
    ['createSlot', () => native.createSlot(-1), 'bytes must be a whole number from 0 to'],
    ['createSlot', () => native.createSlot('8' as never), 'bytes must be a number'],
    ['leaseSlot', () => native.leaseSlot(slot, 4097), "bytes must be at most the slot's 4096"],
    ['leaseSlot', () => native.leaseSlot({} as never, 1), 'slot must be a slot that is not destroyed'],
    ['detach', () => native.detach(new Uint8Array(1) as never), 'buffer must be an ArrayBuffer'],
    [
      'readMapped',
      () => native.readMapped({ handle: {}, bytes: 1 }, 0, new Uint8Array(1)),
      'map must be a mapped file that is not unmapped yet',
    ],
    ['crc32c', () => native.crc32c([1, 2] as never), 'must be a Uint8Array'],
    [
      'copyRows',
      () => native.copyRows({ ...job, stride: 8192 }),
      'stride must be small enough for all rows to lie inside the slot',
    ],
    ['copyRows', () => native.copyRows({ ...job, sourceOffsets: [0] as never }), 'must be a Float64Array'],
    ['copyRows', () => native.copyRows({ ...job, threads: 1e9 }), 'threads must be a whole number from 0 to'],
    ['decodeImages', () => native.decodeImages({ ...job, heights: [1] } as never), 'heights must be a Uint32Array'],
  ])('make %s throw a TypeError that names them', (_, call, message) => {
    expect(call).toThrow(TypeError)
    expect(call).toThrow(message)
  })

  it('that point outside the source are faults of their rows', async () => {
    const faults = await native.copyRows({
      ...job,
      sourceOffsets: Float64Array.of(0, 60, 1e15),
      sourceSizes: Float64Array.of(64, 5, 1),
    })
    expect(faults.map(({ row, code }) => [row, code])).toEqual([
      [1, 'E_CORRUPT'],
      [2, 'E_CORRUPT'],
    ])
  })
})

describe('a shared slot', () => {
  it('is the same memory in every lease, which outlives the slot and its number', () => {
    const before = native.sharedSlots()
    const slot = native.createSlot(8192)
    const number = native.shareSlot(slot)
    expect(native.sharedSlots()).toBe(before + 1)
    const own = new Uint8Array(native.leaseSlot(slot, 8192))
    const other = new Uint8Array(native.leaseShared(number))
    own[8191] = 7
    expect([other.length, other[8191]]).toEqual([8192, 7])
    native.unshareSlot(number)
    native.destroySlot(slot)
    native.detach(own.buffer)
    expect([own.length, other[8191]]).toEqual([0, 7])
    native.detach(other.buffer)
    expect(native.sharedSlots()).toBe(before)
  })

  it('keeps its memory where the slot grows, and is gone for good with its number', () => {
    const slot = native.createSlot(4096)
    const number = native.shareSlot(slot)
    native.growSlot(slot, 8192)
    expect(native.leaseShared(number).byteLength).toBe(4096)
    native.unshareSlot(number)
    expect(native.shareSlot(slot)).toBeGreaterThan(number)
    for (const gone of [number, 0, 2 ** 40]) {
      expect(() => native.leaseShared(gone)).toThrow('number must be that of a shared slot')
      expect(() => native.unshareSlot(gone)).toThrow('number must be that of a shared slot')
    }
    expect(() => native.leaseShared(-1)).toThrow('number must be')
    native.unshareSlot(number + 1)
    expect(() => native.shareSlot({} as never)).toThrow('slot must be a slot that is not destroyed')
  })
})

describe('a slot', () => {
  it('that is destroyed while it is leased stays readable until it is detached', () => {
    const slot = native.createSlot(2 ** 21)
    const lease = new Uint8Array(native.leaseSlot(slot, 2 ** 21)).fill(7)
    native.destroySlot(slot)
    expect(lease.every((byte) => byte === 7)).toBe(true)
    expect(() => native.leaseSlot(slot, 1)).toThrow('a slot that is not destroyed')
    native.detach(lease.buffer as ArrayBuffer)
    native.detach(lease.buffer as ArrayBuffer)
    expect(lease.length).toBe(0)
  })
})

describe('a mapped file', () => {
  it('that is cut off is an error where it is read, and the rest reads on', async () => {
    const path = join(folder, 'shrinks')
    await writeFile(path, new Uint8Array(3 * 65536).fill(9))
    const map = native.mapFile(path)
    await truncate(path, 65536)
    const bytes = new Uint8Array(65536)
    native.readMapped(map, 0, bytes)
    expect(bytes.every((byte) => byte === 9)).toBe(true)
    expect(() => native.readMapped(map, 131072, new Uint8Array(10))).toThrow(
      'the mapped file cannot be read here: it was cut off, or its device fails',
    )
    expect(() => native.readMapped(map, 3 * 65536 - 9, new Uint8Array(10))).toThrow('lie outside the file')
    await expect(native.crc32cMapped(map, Float64Array.of(0, 131072), Float64Array.of(10, 10), 2)).rejects.toThrow()
    native.unmapFile(map)
    expect(() => native.readMapped(map, 0, bytes)).toThrow('a mapped file that is not unmapped yet')
  })

  it('of a cache that is cut off while it is loaded fails its samples and no others', async () => {
    const photos: PhotoCache = await photoCache(30, 96)
    const cache = await openImageCache(photos.path)
    const bin = join(photos.path, 'image.bin')
    const sizes = await Promise.all(
      Array.from({ length: 30 }, async (_, id) => ((await cache.read(id)).image as Uint8Array).length),
    )
    // A whole page and more: what is left of the last page still reads, as zeros.
    const kept = 10
    await truncate(
      bin,
      sizes.slice(0, kept).reduce((sum, size) => sum + size, 0),
    )
    const loader = load(cache, {
      image: [resizeCenterCrop(16, 16)],
      batchSize: 30,
      onError: 'skip',
      rank: 0,
      worldSize: 1,
    })
    for await (const { meta } of loader) expect([...meta.index.data].map(Number)).toEqual([...Array(kept).keys()])
    expect(loader.report().faults.length).toBe(20)
    expect(loader.report().faults.at(-1)).toMatchObject({
      sample: 29,
      code: 'E_CORRUPT',
      reason: 'the mapped file cannot be read here: it was cut off, or its device fails',
    })
    loader.close()
    await cache.close()
    await photos.remove()
  })
})
