import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { native } from '../../../src/native.ts'
import { LARGEST_ROOM, SharedMemory } from '../../../src/storage/threads/shared-memory.ts'
import { failing } from '../conformance.ts'

const MiB = 2 ** 20

describe('memory that threads share', () => {
  let memory: SharedMemory
  const shared = native.sharedSlots()
  beforeEach(() => {
    memory = new SharedMemory()
  })
  afterEach(() => {
    memory.close()
    expect(native.sharedSlots()).toBe(shared)
  })

  const take = (length: number, signal?: AbortSignal) => memory.take(length, signal, 'get')

  test('is the same in another lease', async () => {
    const room = await take(10_000)
    memory.bytes(room).fill(5)
    const other = new Uint8Array(native.leaseShared(memory.number))
    expect(other.subarray(room.at, room.at + 10_000).every((byte) => byte === 5)).toBe(true)
    native.detach(other.buffer)
  })

  test('gives rooms that do not overlap, all of them again', async () => {
    for (let round = 0; round < 3; round++) {
      const rooms = await Promise.all(Array.from({ length: 1000 }, (_, i) => take(1 + ((i * 7919) % 60_000))))
      const sorted = [...rooms].sort((a, b) => a.at - b.at)
      for (const [i, { at }] of sorted.slice(1).entries())
        expect(at).toBeGreaterThanOrEqual((sorted[i]?.at ?? 0) + (sorted[i]?.length ?? 0))
      for (const room of rooms) memory.give(room)
      const halves = [await take(LARGEST_ROOM), await take(LARGEST_ROOM)]
      expect(halves.map(({ at }) => at).sort()).toEqual([0, LARGEST_ROOM])
      for (const half of halves) memory.give(half)
    }
  })

  test('uses again what was used last', async () => {
    const first = await take(128 * 1024)
    memory.give(first)
    for (let i = 0; i < 100; i++) {
      const next = await take(128 * 1024)
      expect(next.at).toBe(first.at)
      memory.give(next)
    }
  })

  test('lets callers wait in their order, a large one before small ones', async () => {
    const [a, b] = [await take(LARGEST_ROOM), await take(LARGEST_ROOM)]
    const order: number[] = []
    const waiting = [LARGEST_ROOM, MiB, MiB].map(async (length, i) => {
      const room = await take(length)
      order.push(i)
      return room
    })
    memory.give(a)
    await waiting[0]
    expect(order).toEqual([0])
    memory.give(b)
    await Promise.all(waiting)
    expect(order).toEqual([0, 1, 2])
  })

  test('forgets who was cancelled, and lets the next one in', async () => {
    const [a, b] = [await take(LARGEST_ROOM), await take(LARGEST_ROOM)]
    const controller = new AbortController()
    const reason = new Error('enough')
    const large = take(LARGEST_ROOM, controller.signal)
    const small = take(MiB)
    memory.give(a)
    memory.give(await large)
    await small
    const again = take(LARGEST_ROOM, controller.signal) as Promise<never>
    controller.abort(reason)
    await expect(again).rejects.toEqual(failing('E_CANCELLED', 'get was cancelled'))
    await expect(again).rejects.toMatchObject({ cause: reason })
    expect(() => take(1, controller.signal)).toThrow(failing('E_CANCELLED') as Error)
    memory.give(b)
    expect((await take(LARGEST_ROOM)).length).toBe(LARGEST_ROOM)
  })

  test('has room for nothing, and none once it is closed', async () => {
    expect(await take(0)).toEqual({ at: 0, length: 0 })
    await take(LARGEST_ROOM)
    await take(LARGEST_ROOM)
    const waiting = take(1) as Promise<never>
    memory.close()
    memory.close()
    await expect(waiting).rejects.toEqual(failing('E_STATE', 'closed'))
    expect(() => take(1)).toThrow(failing('E_STATE', 'closed') as Error)
  })
})
