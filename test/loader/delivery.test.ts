import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Delivery, rangesFault, stepsOf } from '../../src/loader/delivery.ts'

describe('which steps are delivered', () => {
  it('is all before the first that is not, and ranges behind it', () => {
    const delivery = new Delivery(2)
    for (const step of [2, 4, 5, 8]) delivery.add(step)
    expect(delivery.first).toBe(3)
    expect([2, 3, 4, 5, 6, 7, 8, 9].filter((step) => delivery.has(step))).toEqual([2, 4, 5, 8])
    expect(delivery.ranges(10, 85)).toEqual([
      [40, 60],
      [80, 85],
    ])
    delivery.add(3)
    expect(delivery.first).toBe(6)
  })

  it('comes back from its ranges, in whatever order within a window', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 31 })),
        fc.integer({ min: 1, max: 1000 }),
        (steps, batch) => {
          const first = 7
          const delivery = new Delivery(first)
          for (const step of steps) delivery.add(first + step)
          const end = 1000 * batch
          const ranges = delivery.ranges(batch, end)
          expect(rangesFault(ranges, first * batch)).toBe(undefined)
          const again = new Delivery(first, stepsOf(ranges, batch, end))
          for (let step = 0; step < 50; step++) expect(again.has(step)).toBe(delivery.has(step))
          expect(JSON.stringify(ranges).length).toBeLessThan(800)
        },
      ),
    )
  })
})
