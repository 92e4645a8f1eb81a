import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomSampler } from '../../src/sampling/samplers.ts'
import { type ShardOptions, type ShardSlice, shardPlan, type Tail } from '../../src/sampling/shards.ts'

const LENGTHS = [1, 2, 3, 7, 10, 97, 1000, 1009]
const WORLD_SIZES = [1, 2, 3, 5, 8]
const BATCH_SIZES = [1, 2, 7, 32]

function slices(options: ShardOptions): ShardSlice[] {
  const plan = shardPlan(options)
  return Array.from({ length: plan.steps }, (_, step) => plan.slice(step))
}

/** The ids of every rank and step: [step][rank]. */
function epochOf(length: number, batchSize: number, worldSize: number, tail: Tail): number[][][] {
  const sampler = randomSampler(length, 5)
  const order = new Float64Array(length)
  sampler.fill(0, 0, order)
  const steps: number[][][] = []
  for (let rank = 0; rank < worldSize; rank++) {
    slices({ length, batchSize, rank, worldSize, tail }).forEach(({ start, size }, step) => {
      const taken = Array.from({ length: size }, (_, i) => order[(start + i) % length] ?? -1)
      steps[step] = [...(steps[step] ?? []), taken]
    })
  }
  return steps
}

const numerically = (a: number, b: number) => a - b

function everyCase(run: (length: number, batchSize: number, worldSize: number) => void): void {
  for (const length of LENGTHS)
    for (const worldSize of WORLD_SIZES) for (const batchSize of BATCH_SIZES) run(length, batchSize, worldSize)
}

describe('short', () => {
  test('every sample comes exactly once, on any number of ranks', () => {
    everyCase((length, batchSize, worldSize) => {
      const taken = epochOf(length, batchSize, worldSize, 'short').flat(2)
      expect(taken.sort(numerically)).toEqual(Array.from({ length }, (_, i) => i))
    })
  })

  test('one rank: the last batch is shorter', () => {
    expect(slices({ length: 10, batchSize: 4, rank: 0, worldSize: 1, tail: 'short' })).toEqual([
      { start: 0, size: 4, padding: 0 },
      { start: 4, size: 4, padding: 0 },
      { start: 8, size: 2, padding: 0 },
    ])
  })

  test('several ranks: what remains is split evenly, and a rank with none has no such step', () => {
    const last = [0, 1, 2, 3].map((rank) =>
      slices({ length: 11, batchSize: 2, rank, worldSize: 4, tail: 'short' }).slice(1),
    )
    expect(last).toEqual([
      [],
      [{ start: 8, size: 1, padding: 0 }],
      [{ start: 9, size: 1, padding: 0 }],
      [{ start: 10, size: 1, padding: 0 }],
    ])
  })
})

describe('pad', () => {
  test('every rank has the same number of full steps, and no sample is left out', () => {
    everyCase((length, batchSize, worldSize) => {
      const steps = epochOf(length, batchSize, worldSize, 'pad')
      expect(steps.length).toBe(Math.ceil(length / (batchSize * worldSize)))
      expect(steps.every((ranks) => ranks.length === worldSize && ranks.every((ids) => ids.length === batchSize))).toBe(
        true,
      )
      expect(new Set(steps.flat(2)).size).toBe(length)
    })
  })

  test('repeats the sequence from its start, and says how many samples of this rank are repeats', () => {
    const of = (rank: number) => slices({ length: 10, batchSize: 4, rank, worldSize: 2, tail: 'pad' })
    expect(of(0)).toEqual([
      { start: 0, size: 4, padding: 0 },
      { start: 8, size: 4, padding: 2 },
    ])
    expect(of(1)).toEqual([
      { start: 4, size: 4, padding: 0 },
      { start: 12, size: 4, padding: 4 },
    ])
  })

  test('goes round more than once where the batch is larger than the epoch', () => {
    expect(slices({ length: 3, batchSize: 8, rank: 0, worldSize: 1, tail: 'pad' })).toEqual([
      { start: 0, size: 8, padding: 5 },
    ])
    expect(epochOf(3, 8, 1, 'pad')[0]?.[0]).toHaveLength(8)
  })
})

describe('drop', () => {
  test('only full global batches are left', () => {
    everyCase((length, batchSize, worldSize) => {
      const steps = epochOf(length, batchSize, worldSize, 'drop')
      const full = Math.floor(length / (batchSize * worldSize))
      expect(steps.length).toBe(full)
      expect(new Set(steps.flat(2)).size).toBe(full * batchSize * worldSize)
    })
  })
})

test.each<Tail>(['short', 'pad', 'drop'])(
  '%s: the same global batch holds the same samples on every world size',
  (tail) => {
    for (const length of LENGTHS) {
      const whole = epochOf(length, 24, 1, tail).map((ranks) => ranks.flat())
      for (const worldSize of [2, 3, 4, 6, 8, 12, 24])
        expect(epochOf(length, 24 / worldSize, worldSize, tail).map((ranks) => ranks.flat())).toEqual(whole)
    }
  },
)

describe('resume', () => {
  test('a position between steps finds its step again, on every rank and tail', () => {
    fc.assert(
      fc.property(
        fc.nat(5000),
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 16 }),
        fc.nat(15),
        fc.constantFrom<Tail>('short', 'pad', 'drop'),
        (length, batchSize, worldSize, anyRank, tail) => {
          const plan = shardPlan({ length, batchSize, rank: anyRank % worldSize, worldSize, tail })
          for (let step = 0; step < plan.steps; step++) expect(plan.stepAt(step * plan.globalBatch)).toBe(step)
          expect(plan.stepAt(plan.end)).toBe(plan.steps)
        },
      ),
    )
  })

  test('any other position has no step', () => {
    const plan = shardPlan({ length: 100, batchSize: 8, rank: 0, worldSize: 4, tail: 'short' })
    expect(plan.stepAt(96)).toBe(3)
    expect(plan.stepAt(100)).toBe(4)
    for (const position of [8, 128, -32, 16.5, Number.NaN]) expect(plan.stepAt(position)).toBeUndefined()
  })

  test('the end of a dropped or padded epoch is the end of its last batch', () => {
    const options = { length: 100, batchSize: 8, rank: 3, worldSize: 4 }
    expect(shardPlan({ ...options, tail: 'drop' }).end).toBe(96)
    expect(shardPlan({ ...options, tail: 'pad' }).end).toBe(128)
  })
})

test('an empty epoch has no steps', () => {
  for (const tail of ['short', 'pad', 'drop'] as const)
    expect(shardPlan({ length: 0, batchSize: 4, rank: 1, worldSize: 2, tail }).steps).toBe(0)
})

test('billions of samples are planned as exactly as ten', () => {
  const length = 9_000_000_000_001
  const plans = [0, 1, 2].map((rank) =>
    shardPlan({ length, batchSize: 1_000_000_007, rank, worldSize: 3, tail: 'short' }),
  )
  const last = plans.map((plan) => plan.slice(plan.steps - 1))
  expect(plans.map((plan) => plan.steps)).toEqual([3000, 3000, 3000])
  expect(last.map(({ size }) => size)).toEqual(LAST_SIZES)
  expect((last[2]?.start ?? 0) + (last[2]?.size ?? 0)).toBe(length)
})

// 9e12 + 1 - 2999 * 3000000021 = 2999937022 positions remain for 3 ranks.
const LAST_SIZES = [999979007, 999979007, 999979008]

describe('options that cannot be are refused, quoted', () => {
  const good: ShardOptions = { length: 10, batchSize: 2, rank: 0, worldSize: 2, tail: 'short' }
  test.each<[Partial<Record<keyof ShardOptions, unknown>>, string]>([
    [{ length: -1 }, 'length must be an integer of 0 or more, but got -1'],
    [{ batchSize: 0 }, 'batchSize must be a positive integer, but got 0'],
    [{ batchSize: 1.5 }, 'batchSize must be a positive integer, but got 1.5'],
    [{ rank: 2 }, 'rank must be less than worldSize (2), but got 2'],
    [{ worldSize: 0 }, 'worldSize must be an integer from 1 to 67108864, but got 0'],
    [{ tail: 'keep' }, 'tail must be one of "short", "pad", "drop", but got "keep"'],
    [{ batchSize: 2 ** 52, worldSize: 4 }, 'batchSize x worldSize is too large: 4503599627370496 x 4'],
  ])('%j', (change, message) => {
    expect(() => shardPlan({ ...good, ...change } as ShardOptions)).toThrow(message)
  })

  test('so are steps that are not there', () => {
    expect(() => shardPlan(good).slice(3)).toThrow('step must be within 0 .. 2, but got 3')
  })
})
