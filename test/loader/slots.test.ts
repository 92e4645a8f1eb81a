import { describe, expect, it } from 'vitest'
import { SlotClaim, SlotRing } from '../../src/loader/slots.ts'

const SLOT = 2 ** 21

describe('claims', () => {
  it('take their slots in the order of their steps, whoever asks first', async () => {
    const ring = new SlotRing(1, SLOT)
    const first = new SlotClaim(ring, Promise.resolve())
    const second = new SlotClaim(ring, first.settled)
    const order: string[] = []
    const later = second.take(100).then(() => order.push('second'))
    // Time enough for the second one to take the only slot, if it could.
    await new Promise((resolve) => setTimeout(resolve, 20))
    await first.take(100)
    order.push('first')
    first.drop()
    await later
    expect(order).toEqual(['first', 'second'])
    second.drop()
    ring.close()
  })

  it('keep their slot for another try, and let the next step go where they want none', async () => {
    const ring = new SlotRing(2, 4 * SLOT)
    const first = new SlotClaim(ring, Promise.resolve())
    const second = new SlotClaim(ring, first.settled)
    const slot = await first.take(100)
    expect(await first.take(SLOT + 1)).toBe(slot)
    expect(slot.bytes).toBe(2 * SLOT)
    first.drop()
    second.drop()
    await second.settled
    ring.close()
  })
})

describe('a ring that is closed', () => {
  it('gives no slots any more, and frees what is out when it comes back', async () => {
    const ring = new SlotRing(1, SLOT)
    const slot = await ring.take(10)
    const waits = ring.take(10)
    ring.close()
    await expect(waits).rejects.toMatchObject({ code: 'E_CANCELLED', message: 'the loader was closed' })
    await expect(ring.take(10)).rejects.toMatchObject({ code: 'E_CANCELLED' })
    expect(ring.bytes).toBe(SLOT)
    ring.give(slot)
    expect(ring.bytes).toBe(0)
  })
})
