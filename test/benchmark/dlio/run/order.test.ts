import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EpochOrder, type OrderSpec, rankShare } from '../../../../src/benchmark/dlio/run/order.ts'

const PLAIN: OrderSpec = {
  files: 6,
  samplesPerFile: 4,
  fileShuffle: 'off',
  sampleShuffle: 'off',
  shuffleSize: 8,
  seed: 123,
  seedChangeEpoch: true,
  runSeed: 7,
}

/** The samples of an epoch as numbers. */
function orderOf(spec: OrderSpec, epoch = 1, start = 0, count = spec.files * spec.samplesPerFile): number[] {
  const files = new Float64Array(count)
  const samples = new Float64Array(count)
  new EpochOrder(spec, epoch).fill(start, files, samples)
  return Array.from(files, (file, i) => file * spec.samplesPerFile + (samples[i] as number))
}

const counting = (count: number) => Array.from({ length: count }, (_, i) => i)
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b)

describe('the order of an epoch', () => {
  test('is that of the files where nothing is shuffled', () => {
    expect(orderOf(PLAIN)).toEqual(counting(24))
  })

  test('shuffled by file keeps the samples of each file together', () => {
    const order = orderOf({ ...PLAIN, fileShuffle: 'seed' })
    expect(sorted(order)).toEqual(counting(24))
    for (let file = 0; file < 6; file++) {
      const first = order[4 * file] as number
      expect(order.slice(4 * file, 4 * file + 4)).toEqual(counting(4).map((i) => first + i))
    }
    const files = counting(6).map((file) => (order[4 * file] as number) / 4)
    expect(files).not.toEqual(counting(6))
  })

  test('shuffled by sample stays within its windows', () => {
    const order = orderOf({ ...PLAIN, sampleShuffle: 'seed', shuffleSize: 10 })
    expect(sorted(order)).toEqual(counting(24))
    expect(order).not.toEqual(counting(24))
    for (const [first, last] of [
      [0, 10],
      [10, 20],
      [20, 24],
    ] as const)
      expect(sorted(order.slice(first, last))).toEqual(counting(24).slice(first, last))
  })

  test('of a seed is the same in every run, another one in each epoch unless the seed is to stay', () => {
    const shuffled = { ...PLAIN, fileShuffle: 'seed', sampleShuffle: 'seed', files: 50 } as const
    expect(orderOf(shuffled, 1)).toEqual(orderOf({ ...shuffled, runSeed: 8 }, 1))
    expect(orderOf(shuffled, 1)).not.toEqual(orderOf(shuffled, 2))
    const kept = { ...shuffled, seedChangeEpoch: false }
    expect(orderOf(kept, 1)).toEqual(orderOf(kept, 2))
    expect(orderOf(kept, 1)).not.toEqual(orderOf({ ...kept, seed: 124 }, 1))
  })

  test('that is random is another one in each run and each epoch', () => {
    const random = { ...PLAIN, fileShuffle: 'random', files: 50, seedChangeEpoch: false } as const
    expect(orderOf(random, 1)).not.toEqual(orderOf({ ...random, runSeed: 8 }, 1))
    expect(orderOf(random, 1)).not.toEqual(orderOf(random, 2))
    expect(orderOf(random, 1)).toEqual(orderOf({ ...random, seed: 99 }, 1))
  })

  test('is the same however it is asked for', () => {
    const shuffled = { ...PLAIN, fileShuffle: 'seed', sampleShuffle: 'random', shuffleSize: 7 } as const
    const whole = orderOf(shuffled)
    expect([...orderOf(shuffled, 1, 0, 5), ...orderOf(shuffled, 1, 5, 12), ...orderOf(shuffled, 1, 17, 7)]).toEqual(
      whole,
    )
    expect(counting(24).map((at) => orderOf(shuffled, 1, at, 1)[0])).toEqual(whole)
  })

  test('of a billion samples costs nothing', () => {
    const many = { ...PLAIN, files: 1e6, samplesPerFile: 1000, fileShuffle: 'seed', sampleShuffle: 'seed' } as const
    expect(orderOf(many, 3, 999_999_990, 10)).toHaveLength(10)
  })
})

test('ranks read every sample once where steps are full, and none twice whatever is left over', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 500 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      (length, batchSize, ranks, dropLast) => {
        const global = batchSize * ranks
        const steps = dropLast ? Math.floor(length / global) : Math.ceil(length / global)
        const shares = counting(ranks).map((rank) => rankShare(length, steps, batchSize, rank, ranks))
        const read = shares.flatMap(({ start, end }) => counting(end - start).map((i) => start + i))
        expect(new Set(read).size).toBe(read.length)
        expect(read.every((position) => position < length)).toBe(true)
        expect(read.length).toBe(dropLast ? steps * global : length)
        for (const { start, end } of shares) expect(end - start).toBeLessThanOrEqual(steps * batchSize)
      },
    ),
    { numRuns: 2000 },
  )
})
