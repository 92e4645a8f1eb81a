import { describe, expect, it } from 'vitest'
import { Permits } from '../src/permits.ts'

/** Runs tasks of these costs that each take a few turns; the most that ran, and cost, at once, and the order they began in. */
async function crowd(
  permits: Permits,
  costs: readonly number[],
): Promise<{ most: number; cost: number; order: number[] }> {
  const running = new Set<number>()
  const order: number[] = []
  let most = 0
  let cost = 0
  await Promise.all(
    costs.map((own, i) =>
      permits.run(own, async () => {
        running.add(i)
        order.push(i)
        most = Math.max(most, running.size)
        cost = Math.max(
          cost,
          [...running].reduce((sum, id) => sum + (costs[id] ?? 0), 0),
        )
        for (let turn = 0; turn <= i % 3; turn++) await new Promise((resolve) => setImmediate(resolve))
        running.delete(i)
      }),
    ),
  )
  return { most, cost, order }
}

describe('permits', () => {
  it('let as many run at once as there are, first come first served', async () => {
    const { most, order } = await crowd(new Permits(3, 1000), Array(20).fill(1))
    expect(most).toBe(3)
    expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })

  it('bound what runs at once by its cost; what costs more runs alone', async () => {
    const { most, cost, order } = await crowd(new Permits(10, 100), [60, 30, 60, 500, 10, 10, 90, 5])
    expect(most).toBeGreaterThan(1)
    expect(cost).toBe(500)
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect((await crowd(new Permits(10, 100), [60, 30, 60, 10, 10, 90, 5])).cost).toBeLessThanOrEqual(100)
  })

  it('are given back by a task that fails', async () => {
    const permits = new Permits(1, 10)
    await expect(permits.run(10, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await permits.run(10, () => Promise.resolve(7))).toBe(7)
  })
})
