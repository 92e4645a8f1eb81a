import { describe, expect, it } from 'vitest'
import { load } from '../../src/vision/index.ts'
import { BYTES, own } from './own-dataset.ts'

/** Batches as they become ready. */

const ONE = { rank: 0, worldSize: 1 } as const
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Steps of ten samples; those of `slow` take longer than others. */
const dataset = (slow: ReadonlySet<number>, length = 100, ms = 150) =>
  own(BYTES, length, async () => ({}), {
    sizes: (ids, _, out) => void out.fill(8, 0, ids.length),
    async readInto(id, _, into) {
      into.fill(id)
      await sleep(slow.has(Math.floor(id / 10)) ? ms : 1)
    },
  })

async function stepsOf(slow: readonly number[], options: object): Promise<number[]> {
  const steps: number[] = []
  for await (const { meta, b } of load(dataset(new Set(slow)), { ...ONE, batchSize: 10, ...options })) {
    // What a batch holds is the same as in order.
    expect([...meta.index.data].map(Number)).toEqual(Array.from({ length: 10 }, (_, i) => meta.step * 10 + i))
    expect(b.data[64 * 3]).toBe(meta.step * 10 + 3)
    steps.push(meta.step)
  }
  return steps
}

describe("mode 'as-completed'", () => {
  it('does not let a slow step hold up those behind it, within as many as prefetch says', async () => {
    const steps = await stepsOf([2], { mode: 'as-completed', prefetch: 4 })
    // Step 2 was open, hence nothing beyond step 5 began.
    expect(steps).toEqual([0, 1, 3, 4, 5, 2, 6, 7, 8, 9])
  })

  it('is in order where nothing is slow, and ordered is always', async () => {
    expect(await stepsOf([2, 5], { mode: 'ordered', prefetch: 4 })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect((await stepsOf([], { mode: 'as-completed', prefetch: 1 })).join()).toBe('0,1,2,3,4,5,6,7,8,9')
  })

  it('has a state from which the rest is delivered, each batch once', async () => {
    for (let taken = 0; taken <= 10; taken++) {
      const options = { ...ONE, batchSize: 10, mode: 'as-completed', prefetch: 4 } as const
      const first = load(dataset(new Set([2])), options)
      const steps: number[] = []
      let epoch = 0
      if (taken > 0)
        for await (const { meta } of first) {
          steps.push(meta.step)
          if (steps.length === taken) break
        }
      const state = JSON.parse(JSON.stringify(first.state()))
      epoch = state.epoch
      const rest = load(dataset(new Set([2])), { ...options, resume: state })
      if (epoch === 0) for await (const { meta } of rest) steps.push(meta.step)
      expect(steps.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      expect(JSON.stringify(state).length).toBeLessThan(1024)
    }
  })

  it('says in its state what came out of turn, and ordered loaders can go on with it', async () => {
    const loader = load(dataset(new Set([2])), { ...ONE, batchSize: 10, mode: 'as-completed', prefetch: 4 })
    let batches = 0
    for await (const _ of loader) if (++batches === 4) break
    expect(loader.state()).toMatchObject({ epoch: 0, position: 20, delivered: [[30, 50]] })
    const steps: number[] = []
    for await (const { meta } of load(dataset(new Set()), { ...ONE, resume: loader.state() })) steps.push(meta.step)
    expect(steps).toEqual([2, 5, 6, 7, 8, 9])
  })

  it('has states of a rank that another rank refuses', async () => {
    const options = { batchSize: 5, mode: 'as-completed', prefetch: 4, worldSize: 2 } as const
    const loader = load(dataset(new Set([1])), { ...options, rank: 0 })
    const steps: number[] = []
    for await (const { meta } of loader) if (steps.push(meta.step) === 3) break
    const state = loader.state()
    expect(steps).toEqual([0, 2, 3])
    expect(state).toMatchObject({ position: 10, delivered: [[20, 40]], deliveredBy: { rank: 0, worldSize: 2 } })
    expect(() => load(dataset(new Set()), { ...options, rank: 1, resume: state })).toThrow(
      'resume: the state is of rank 0 of 2 and has batches out of their order, which rank 1 of 2 cannot go on with',
    )
    expect(() => load(dataset(new Set()), { ...options, rank: 0, resume: state })).not.toThrow()
  })

  it.each([
    [[[20, 30]], 'resume: delivered must be ascending ranges behind position 20, but got [[20,30]]'],
    [[[30, 30]], 'resume: delivered must be ascending ranges behind position 20, but got [[30,30]]'],
    [[[35, 45]], 'resume: delivered [35, 45] is no range of global batches'],
    [[[30, 1e15]], 'resume: delivered [30, 1000000000000000] is no range of global batches'],
    ['all', 'resume: delivered must be at most 32 ranges, but got "all"'],
  ])('refuses a state with delivered %j', (delivered, message) => {
    const state = { ...load(dataset(new Set()), { ...ONE, batchSize: 10 }).state(), position: 20, delivered }
    expect(() => load(dataset(new Set()), { ...ONE, resume: state as never })).toThrow(message)
  })

  it('ends with the first failure', async () => {
    const broken = own(BYTES, 100, async () => ({}), {
      sizes: (ids, _, out) => void out.fill(8, 0, ids.length),
      async readInto(id) {
        await sleep(id < 10 ? 1000 : 1)
        if (id === 25) throw new TypeError('broken')
      },
    })
    const start = performance.now()
    await expect(
      (async () => {
        for await (const _ of load(broken, { ...ONE, batchSize: 10, mode: 'as-completed', prefetch: 4 }));
      })(),
    ).rejects.toThrow('sample 25 (row 25): broken')
    expect(performance.now() - start).toBeLessThan(3000)
  })
})
