import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { SlotRing } from '../../src/loader/slots.ts'
import { native, type SlotHandle } from '../../src/native.ts'

const MIB = 2 ** 20

function offsetOf(slab: ReturnType<typeof native.createSlab>, slot: SlotHandle, bytes = 1): number {
  const memory = native.leaseSlot(slot, bytes)
  const offset = native.slabOffset(slab, new Uint8Array(memory))
  native.detach(memory)
  return offset
}

function carve(slab: ReturnType<typeof native.createSlab>, bytes: number): SlotHandle {
  const slot = native.carveSlot(slab, bytes)
  if (slot === undefined) throw new Error(`no room for ${bytes}`)
  return slot
}

/** What was detached is given up in the next turn of the event loop. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('a slab', () => {
  it('gives slots where there is room, and joins what comes back', async () => {
    const slab = native.createSlab(8 * MIB)
    const slots = [2, 2, 2, 2].map((size) => carve(slab, size * MIB))
    expect(slots.map((slot) => offsetOf(slab, slot))).toEqual([0, 2 * MIB, 4 * MIB, 6 * MIB])
    expect(native.carveSlot(slab, 1)).toBeUndefined()
    const [first, second, third] = slots as [SlotHandle, SlotHandle, SlotHandle]
    native.destroySlot(first)
    native.destroySlot(third)
    expect(native.carveSlot(slab, 4 * MIB)).toBeUndefined()
    native.destroySlot(second)
    await nextTurn()
    expect(offsetOf(slab, carve(slab, 6 * MIB))).toBe(0)
    native.destroySlab(slab)
  })

  it('makes what came back zeros for the next one', async () => {
    const slab = native.createSlab(2 * MIB)
    const slot = carve(slab, MIB)
    const memory = native.leaseSlot(slot, MIB)
    new Uint8Array(memory).fill(255)
    native.detach(memory)
    native.destroySlot(slot)
    await nextTurn()
    const next = carve(slab, MIB)
    const again = new Uint8Array(native.leaseSlot(next, MIB))
    expect(native.slabOffset(slab, again)).toBe(0)
    expect(again.every((byte) => byte === 0)).toBe(true)
    native.detach(again.buffer as ArrayBuffer)
    native.destroySlab(slab)
  })

  it('takes a slot back only when its last lease is gone', () => {
    const slab = native.createSlab(MIB)
    const slot = carve(slab, MIB)
    const memory = native.leaseSlot(slot, MIB)
    native.destroySlot(slot)
    expect(native.carveSlot(slab, MIB)).toBeUndefined()
    new Uint8Array(memory).fill(1)
    native.destroySlab(slab)
    expect(new Uint8Array(memory)[MIB - 1]).toBe(1)
  })

  it('lets a slot grow where it finds a place, or says that there is none', () => {
    const slab = native.createSlab(8 * MIB)
    const [slot, other] = [carve(slab, 2 * MIB), carve(slab, 2 * MIB)]
    native.growSlot(slot, 4 * MIB)
    expect(native.slotBytes(slot)).toBe(4 * MIB)
    expect(offsetOf(slab, slot, 4 * MIB)).toBe(4 * MIB)
    expect(() => native.growSlot(other, 6 * MIB)).toThrow('no memory for a slot of 6291456 bytes: its slab has no room')
    native.destroySlab(slab)
  })

  it('knows where the memory of a view lies', () => {
    const slab = native.createSlab(4 * MIB)
    carve(slab, MIB)
    const memory = native.leaseSlot(carve(slab, MIB), MIB)
    expect(native.slabOffset(slab, new Float64Array(memory, 64, 2))).toBe(MIB + 64)
    expect(native.slabOffset(slab, new Float64Array(memory, 64, 0))).toBe(0)
    expect(() => native.slabOffset(slab, new Uint8Array(8))).toThrow("view must be one of the slab's memory")
    expect(() => native.slabOffset(slab, {} as never)).toThrow('view must be a typed array')
    native.detach(memory)
    native.destroySlab(slab)
    expect(() => native.carveSlot(slab, 1)).toThrow('slab must be a slab that is not destroyed')
    expect(() => native.destroySlab({} as never)).toThrow('slab must be a slab')
    expect(() => native.createSlab(2 ** 53 - 1)).toThrow(/no shared memory of 9007199254740991 bytes/)
  })

  it('goes along with bytes over a Unix socket, whose user is known', async () => {
    const slab = native.createSlab(MIB)
    const name = `\0headrace-test-${process.pid}`
    const server = createServer()
    server.listen(name)
    await once(server, 'listening')
    const connected = once(server, 'connection') as Promise<[Socket]>
    const client = createConnection(name)
    const [socket] = await connected
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    expect(native.peerUser(fd)).toBe(process.getuid?.())
    expect(native.sendSlab(fd, slab, Buffer.from('hello'))).toBe(5)
    const [bytes] = (await once(client, 'data')) as [Buffer]
    expect(bytes.toString()).toBe('hello')
    expect(() => native.sendSlab(1e6, slab, Buffer.from('x'))).toThrow('cannot hand over shared memory: ')
    client.destroy()
    socket.destroy()
    server.close()
    native.destroySlab(slab)
  })
})

describe('a ring over a slab', () => {
  it('never waits for a place that is free, and says when all of it is out', async () => {
    const slab = native.createSlab(8 * MIB)
    const full: number[] = []
    const ring = new SlotRing(8, 8 * MIB, {
      create: (bytes) => native.carveSlot(slab, bytes),
      full: (slots) => full.push(slots),
    })
    const two = await Promise.all([ring.take(1), ring.take(4 * MIB)])
    const waits = ring.take(4 * MIB)
    expect(full).toEqual([2])
    ring.give(two[0])
    expect(full).toEqual([2, 1])
    ring.give(two[1])
    ring.give(await waits)
    expect(ring.bytes).toBe(4 * MIB)
    ring.close()
    native.destroySlab(slab)
  })

  it('waits for memory that is on its way back, and gives up where it does not come', async () => {
    const slab = native.createSlab(2 * MIB)
    const other = carve(slab, 2 * MIB)
    const ring = new SlotRing(1, 2 * MIB, { create: (bytes) => native.carveSlot(slab, bytes) })
    const waits = ring.take(1)
    setTimeout(() => native.destroySlot(other), 20)
    ring.give(await waits)
    ring.close()
    const blocked = carve(slab, 2 * MIB)
    const next = new SlotRing(1, 2 * MIB, { create: (bytes) => native.carveSlot(slab, bytes) })
    await expect(next.take(1)).rejects.toMatchObject({ code: 'E_LIMIT' })
    const closed = next.take(1)
    next.close()
    await expect(closed).rejects.toMatchObject({ code: 'E_CANCELLED' })
    native.destroySlot(blocked)
    native.destroySlab(slab)
  })
})
