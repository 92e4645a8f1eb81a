import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Tail } from '../../src/loader/index.ts'
import { type LoadOptions, load } from '../../src/vision/index.ts'
import { type Step, squares, worldSteps } from './numbers.ts'

const WORLDS = [1, 2, 4, 8] as const
const GLOBAL = 16

const idsOf = (steps: readonly Step[]): number[] => steps.flatMap(({ ids }) => ids)
const weights = Float64Array.from({ length: 203 }, (_, i) => (i % 7) / 3)
/** Shards of 10 samples, the last one of 3. */
const chunks = { count: 21, start: (chunk: number) => Math.min(203, chunk * 10) }

const ORDERS: readonly (readonly [name: string, options: LoadOptions])[] = [
  ['sequential', {}],
  ['shuffled', { shuffle: true }],
  ['with replacement', { sampler: 'random', replacement: true, samples: 150 }],
  ['by weight', { sampler: 'weighted', weights }],
  ['by weight, none twice', { sampler: 'weighted', weights, replacement: false }],
  ['within windows', { shuffle: true, window: 20 }],
  ['by chunks', { shuffle: true, locality: 'chunks', window: 25 }],
]

const dataset = squares(203, { chunks })
const options = (more: LoadOptions): LoadOptions => ({ seed: 7, epoch: 3, prefetch: 3, tail: 'short', ...more })

describe.each(ORDERS)('an epoch %s', (_, order) => {
  it('is the same sequence on 1, 2, 4 and 8 ranks', async () => {
    for (const tail of ['short', 'pad', 'drop'] as Tail[]) {
      const made = await Promise.all(
        WORLDS.map((world) => worldSteps(dataset, options({ ...order, tail, batchSize: GLOBAL / world }), world)),
      )
      const [one = []] = made
      for (const steps of made) expect(steps).toEqual(one)
    }
  })

  it('does not depend on prefetch or threads', async () => {
    const [one, other] = await Promise.all(
      [
        { prefetch: 1, threads: 1 },
        { prefetch: 9, threads: 4 },
      ].map((more) => worldSteps(dataset, options({ ...order, batchSize: 4, ...more }), 4)),
    )
    expect(one).toEqual(other)
  })

  it.each(['short', 'pad', 'drop'] as Tail[])(
    'resumes at every step on any other number of ranks, tail %s',
    async (tail) => {
      for (const before of WORLDS) {
        const whole = await worldSteps(dataset, options({ ...order, tail, batchSize: GLOBAL / before }), before)
        const last = whole.length - 1
        for (let step = 0; step < last; step++) {
          const { state } = whole[step] as Step
          expect(state).toMatchObject({ epoch: 3, position: (step + 1) * GLOBAL, globalBatch: GLOBAL, tail })
          const after = WORLDS[(step + before) % WORLDS.length] as number
          const rest = await worldSteps(dataset, { ...order, resume: JSON.parse(JSON.stringify(state)) }, after)
          expect(rest).toEqual(whole.slice(step + 1))
        }
        // The epoch's last step: what comes next is the next epoch, from its beginning.
        const { state } = whole[last] as Step
        expect(state).toMatchObject({ epoch: 4, position: 0 })
        const next = options({ ...order, tail, batchSize: GLOBAL / before, epoch: 4 })
        for (const after of WORLDS)
          expect(await worldSteps(dataset, { ...order, resume: state }, after)).toEqual(
            await worldSteps(dataset, next, before),
          )
      }
    },
  )

  it('resumes twice in a row, on a third number of ranks', async () => {
    const whole = await worldSteps(dataset, options({ ...order, batchSize: 4 }), 4)
    for (const [first, second] of [
      [2, 1],
      [1, 4],
      [5, 3],
    ] as const) {
      const one = await worldSteps(dataset, options({ ...order, batchSize: 4 }), 4, first)
      const two = await worldSteps(dataset, { ...order, resume: (one.at(-1) as Step).state }, 2, second)
      const three = await worldSteps(dataset, { ...order, resume: (two.at(-1) as Step).state }, 8)
      expect([...one, ...two, ...three]).toEqual(whole)
      // Without a step in between, the state is the one that came in.
      const { state } = two.at(-1) as Step
      expect(load(dataset, { ...order, resume: state, rank: 5, worldSize: 8 }).state()).toEqual(state)
    }
  })

  it('goes on into later epochs as it would have', async () => {
    const whole = await worldSteps(dataset, options({ ...order, batchSize: 8, epochs: 3 }), 2)
    const cut = whole.findIndex(({ state }) => state.epoch === 4 && state.position > 3 * GLOBAL)
    const { state } = whole[cut] as Step
    const rest = await worldSteps(dataset, { ...order, resume: state, epochs: 2 }, 4)
    expect(idsOf(rest)).toEqual(idsOf(whole.slice(cut + 1)))
  })
})

describe('uneven tails', () => {
  // Fewer samples than ranks, one less and one more than a global batch, a last batch of one.
  it.each([1, 3, 15, 16, 17, 31, 33])(
    '%d samples on 8 ranks: every sample once, resumed at every step',
    async (length) => {
      const own = squares(length)
      const whole = await worldSteps(own, options({ shuffle: true, batchSize: 2 }), 8)
      expect(idsOf(whole).sort((a, b) => a - b)).toEqual([...Array(length).keys()])
      for (const [step, { state }] of whole.slice(0, -1).entries())
        for (const world of WORLDS)
          expect(await worldSteps(own, { resume: state, shuffle: true }, world)).toEqual(whole.slice(step + 1))
    },
  )
})

describe('a state', () => {
  const stateOf = (more: LoadOptions) => load(dataset, { ...options(more), rank: 0, worldSize: 1 }).state()

  it('is less than 1 KiB, whatever the order and the number of samples', () => {
    for (const [, order] of ORDERS) expect(JSON.stringify(stateOf(order)).length).toBeLessThan(300)
    const large = load(squares(2 ** 50), {
      seed: Number.MAX_SAFE_INTEGER,
      epoch: 2 ** 32 - 1,
      generatorSeed: 2 ** 52,
      shuffle: true,
      rank: 0,
      worldSize: 1,
    })
    expect(JSON.stringify(large.state()).length).toBeLessThan(300)
  })

  it('of another order is refused: law, weights, draws, window, chunks', async () => {
    const states = ORDERS.map(([, order]) => stateOf(order))
    expect(new Set(states.map(({ fingerprint }) => fingerprint)).size).toBe(ORDERS.length)
    const others: LoadOptions[] = [
      { sampler: 'random', replacement: true, samples: 151 },
      { sampler: 'random', samples: 150 },
      { sampler: 'weighted', weights: weights.map((w) => w + 1) },
      { shuffle: true, window: 21 },
      { shuffle: true, locality: 'chunks', window: 26 },
    ]
    for (const resume of states)
      for (const other of others)
        expect(() => load(dataset, { ...other, resume, rank: 0, worldSize: 1 })).toThrow(
          'resume: the state was made over another dataset or order',
        )
    const moved = squares(203, { chunks: { count: 2, start: (chunk) => [0, 100, 203][chunk] as number } })
    const resume = stateOf({ shuffle: true, locality: 'chunks', window: 25 })
    expect(() => load(moved, { shuffle: true, locality: 'chunks', window: 25, resume })).toThrow(
      'another dataset or order',
    )
  })

  it('of another dataset, version or seed is refused, and says so', () => {
    const resume = stateOf({ shuffle: true })
    const refused = (more: LoadOptions, from = dataset) => {
      try {
        load(from, { shuffle: true, resume, rank: 0, worldSize: 1, ...more })
      } catch (error) {
        return error
      }
      return undefined
    }
    expect(refused({}, squares(203, { fingerprint: 'another' }))).toMatchObject({ code: 'E_STATE' })
    expect(refused({}, squares(204))).toMatchObject({ code: 'E_STATE' })
    expect(refused({ resume: { ...resume, version: 2 as never } })).toMatchObject({
      code: 'E_STATE',
      message: 'resume: version must be 1, but got 2',
    })
    expect(refused({ seed: 8 })).toMatchObject({
      code: 'E_STATE',
      message: 'the state was made with seed 7, but seed 8 is asked for',
    })
    expect(refused({ generatorSeed: 8 })).toMatchObject({
      code: 'E_STATE',
      message: 'the state was made with generatorSeed 7, but generatorSeed 8 is asked for',
    })
    expect(refused({ resume: { ...resume, generatorSeed: -1 } })).toMatchObject({
      code: 'E_STATE',
      message: 'resume: generatorSeed must be an integer of 0 or more, but got -1',
    })
    expect(refused({ rank: 0, worldSize: 5 })).toMatchObject({ code: 'E_CONFIG' })
    expect(refused({})).toBeUndefined()
  })

  it("of 'distributed' and 'random' is the same: the order is", async () => {
    const resume = stateOf({ shuffle: true, tail: 'pad' })
    const rest = await worldSteps(dataset, { sampler: 'distributed', resume }, 4)
    expect(rest).toEqual(await worldSteps(dataset, { shuffle: true, resume }, 2))
  })
})

describe('golden orders', () => {
  const hashOf = (ids: readonly number[]) =>
    createHash('sha256')
      .update(new Uint8Array(Float64Array.from(ids).buffer))
      .digest('hex')
      .slice(0, 32)

  /** Those of the reference in test/python/test_order.py; a later version must not change them. */
  const GOLDEN: Readonly<Record<string, readonly [string, string]>> = {
    sequential: ['b37fbda89d0cc410b10ec883e92a27c0', 'b37fbda89d0cc410b10ec883e92a27c0'],
    shuffled: ['ff21cf85f829732fcbceaa72b11a0006', 'd28e594a84c831c9f89b8f7b43815597'],
    'with replacement': ['348d7a02e6fd8960f0bb54744eb01f43', 'a6a1196f8e5e9f024c8b66f916e2fb21'],
    'by weight': ['159e10146926d2865d76a93277f638cb', 'a1008a1688dd071951f7143320ea812a'],
    'by weight, none twice': ['80a29a780647661a498007c497388896', '82af705323ae4d48bd0f7108a80a5892'],
    'within windows': ['af8145889cf4804f8dee50011aadc9fd', '1cd7aaa0191a8d10133a34037cc8675a'],
    'by chunks': ['ca0704beefe9182fbfbb68ab84209eb5', '99481637db1f5715e095954da54315e0'],
  }

  it.each(ORDERS)('%s: ids of epochs 3 and 4 are what they always were', async (name, order) => {
    const steps = await worldSteps(dataset, options({ ...order, batchSize: 4, epochs: 2 }), 4)
    const second = steps.findIndex(({ state }) => state.epoch === 4) + 1
    expect([hashOf(idsOf(steps.slice(0, second))), hashOf(idsOf(steps.slice(second)))]).toEqual(GOLDEN[name])
  })
})
