import { describe, expect, it } from 'vitest'
import { concat, fromSamples, mix, openDataset, split, subset, synthetic } from '../../src/datasets/index.ts'
import type { Dataset, Sample, Schema } from '../../src/datasets/types.ts'
import { HeadraceError } from '../../src/errors.ts'

interface NumbersOptions {
  readonly chunks?: NonNullable<Dataset['chunks']>
  readonly randomAccess?: boolean
}

/** Numbers from `first` on, whose bytes are theirs; counts how often it is closed. */
class Numbers implements Dataset {
  readonly schema: Schema = { data: { kind: 'bytes' }, n: { kind: 'number', dtype: 'int32' } }
  readonly length: number
  readonly fingerprint: string
  readonly first: number
  readonly chunks?: NonNullable<Dataset['chunks']>
  readonly randomAccess?: boolean
  closed = 0

  constructor(length: number, first: number, { chunks, randomAccess }: NumbersOptions = {}) {
    this.length = length
    this.first = first
    this.fingerprint = `${first}+${length}`
    if (chunks !== undefined) this.chunks = chunks
    if (randomAccess !== undefined) this.randomAccess = randomAccess
  }

  describe(id: number): string {
    return `number ${this.first + id}`
  }

  maxSize(): number {
    return String(this.first + this.length - 1).length
  }

  async read(id: number): Promise<Sample> {
    return { data: Buffer.from(String(this.first + id)), n: this.first + id }
  }

  gather(ids: Float64Array, _: string, out: { [i: number]: number | bigint }): void {
    ids.forEach((id, i) => {
      out[i] = this.first + id
    })
  }

  sizes(ids: Float64Array, _: string, out: Float64Array): void {
    ids.forEach((id, i) => {
      out[i] = String(this.first + id).length
    })
  }

  async readInto(id: number, _: string, into: Uint8Array): Promise<void> {
    into.set(Buffer.from(String(this.first + id)))
  }

  async close(): Promise<void> {
    this.closed++
  }
}

const numbersOf = (dataset: Dataset): number[] => {
  const length = dataset.length ?? 0
  const out = new Int32Array(length)
  dataset.gather?.(
    Float64Array.from({ length }, (_, i) => i),
    'n',
    out,
  )
  return [...out]
}

const starts = ({ chunks }: Dataset): number[] | undefined =>
  chunks && Array.from({ length: chunks.count + 1 }, (_, i) => chunks.start(i))

/** Of seed 3. */
const GOLDEN_TEST = [717, 587, 473, 603, 423, 664, 202, 305]

const chunked = (...at: number[]) => ({ count: at.length - 1, start: (i: number) => at[i] as number })

describe('concat', () => {
  it('is one dataset behind the other, in all that both can do', async () => {
    const parts = [
      new Numbers(3, 0, { chunks: chunked(0, 2, 3) }),
      new Numbers(0, 50, { chunks: chunked(0) }),
      new Numbers(4, 100, { chunks: chunked(0, 4) }),
    ]
    const all = concat(parts)
    expect(all).toMatchObject({ length: 7, schema: parts[0]?.schema })
    expect(numbersOf(all)).toEqual([0, 1, 2, 100, 101, 102, 103])
    expect(starts(all)).toEqual([0, 2, 3, 7])
    expect(await all.read(3)).toEqual({ data: Buffer.from('100'), n: 100 })
    const sizes = new Float64Array(3)
    all.sizes?.(Float64Array.of(6, 0, 3), 'data', sizes)
    expect([...sizes]).toEqual([3, 1, 3])
    const into = Buffer.alloc(3)
    await all.readInto?.(6, 'data', into)
    expect(into.toString()).toBe('103')
    expect([all.maxSize?.('data'), all.describe(6), all.describe(7)]).toEqual([3, 'number 103', 'sample 7'])
    expect(() => all.read(7)).toThrow(HeadraceError)
    await all.close()
    expect(parts.map(({ closed }) => closed)).toEqual([1, 1, 1])
  })

  it('cannot do what one of them cannot', () => {
    const { schema, length, fingerprint } = new Numbers(2, 5)
    const plain: Dataset = {
      schema,
      length,
      fingerprint,
      describe: (id) => `plain ${id}`,
      read: async () => ({}),
      close: async () => {},
    }
    const all = concat([new Numbers(3, 0, { chunks: chunked(0, 3) }), plain])
    expect([all.sizes, all.readInto, all.gather, all.chunks, all.spec]).toEqual(Array(5).fill(undefined))
    expect(concat([new Numbers(1, 0, { randomAccess: false }), new Numbers(1, 0)]).randomAccess).toBe(false)
  })

  it('refuses other fields, none, and unknown lengths', async () => {
    const bytes = synthetic({ samples: 2, size: 3 })
    expect(() => concat([new Numbers(2, 0), bytes])).toThrow(
      'concat needs datasets with the same fields, but dataset 1 has data (bytes) and dataset 0 data (bytes), n (number int32)',
    )
    expect(() => concat([])).toThrow('concat needs at least one dataset, but got none')
    const stream = await fromSamples(new Set([{ a: 1 }]))
    expect(() => concat([stream])).toThrow('concat needs a dataset of known length')
  })

  it('has another fingerprint for other parts, and in another order', () => {
    const [a, b] = [new Numbers(3, 0), new Numbers(3, 9)]
    const prints = [concat([a, b]), concat([b, a]), concat([a]), concat([a, a])].map(({ fingerprint }) => fingerprint)
    expect(new Set(prints).size).toBe(4)
    expect(concat([a, b]).fingerprint).toBe(prints[0])
  })
})

describe('subset', () => {
  it('is a range, every so many, or what is named', async () => {
    const numbers = new Numbers(10, 20, { chunks: chunked(0, 4, 8, 10) })
    expect(numbersOf(subset(numbers, {}))).toEqual(numbersOf(numbers))
    expect(numbersOf(subset(numbers, { start: 7 }))).toEqual([27, 28, 29])
    expect(numbersOf(subset(numbers, { start: 2, end: 9, step: 3 }))).toEqual([22, 25, 28])
    expect(numbersOf(subset(numbers, { ids: [9, 0, 9] }))).toEqual([29, 20, 29])
    expect(numbersOf(subset(numbers, { start: 12 }))).toEqual([])
    expect(numbersOf(subset(numbers, { end: 99, step: 4 }))).toEqual([20, 24, 28])
    expect(starts(subset(numbers, { start: 3, end: 9 }))).toEqual([0, 1, 5, 6])
    expect(subset(numbers, { step: 2 }).chunks).toBeUndefined()
    expect(await subset(numbers, { ids: [9, 0] }).read(0)).toEqual({ data: Buffer.from('29'), n: 29 })
  })

  it('refuses samples that there are not, and steps back in a stream', () => {
    const numbers = new Numbers(10, 20)
    expect(() => subset(numbers, { ids: [10] })).toThrow('ids must be integers from 0 to 9, but got 10')
    expect(() => subset(numbers, { ids: [Number.NaN] })).toThrow('ids must be integers from 0 to 9, but got NaN')
    expect(() => subset(numbers, { ids: 3 as never })).toThrow('ids must be an iterable')
    expect(() => subset(numbers, { ids: [1], step: 2 })).toThrow('subset takes either ids or start, end and step')
    expect(() => subset(numbers, { step: 0 })).toThrow('step must be a positive integer, but got 0')
    const stream = new Numbers(10, 0, { randomAccess: false })
    expect(() => subset(stream, { ids: [3, 2] })).toThrow(expect.objectContaining({ code: 'E_UNSUPPORTED' }))
    expect(subset(stream, { ids: [2, 3] }).randomAccess).toBe(false)
  })
})

describe('split', () => {
  it('cuts into parts that have every sample once between them, the same ones for the same seed', async () => {
    const numbers = new Numbers(1000, 0)
    const { train, val, test } = split(numbers, { train: 0.8, val: 0.15, test: 0.05 }, { seed: 3 })
    const all = [train, val, test].map(numbersOf)
    expect(all.map((part) => part.length)).toEqual([800, 150, 50])
    expect(all.flat().sort((a, b) => a - b)).toEqual(numbersOf(numbers))
    const again = split(new Numbers(1000, 0), { train: 0.8, val: 0.15, test: 0.05 }, { seed: 3 })
    expect(numbersOf(again.val)).toEqual(all[1])
    expect(numbersOf(split(numbers, { train: 0.8, val: 0.15 }, { seed: 4 }).val)).not.toEqual(all[1])
    // Golden: which samples are held out may never change between versions.
    expect(all[2]?.slice(0, 8)).toEqual(GOLDEN_TEST)
    await train.close()
    await train.close()
    await val.close()
    expect(numbers.closed).toBe(0)
    await test.close()
    expect(numbers.closed).toBe(1)
  })

  it('may go by order, which keeps chunks', () => {
    const numbers = new Numbers(10, 0, { chunks: chunked(0, 4, 8, 10) })
    const { a, b } = split(numbers, { a: 0.6, b: 0.4 }, { order: 'contiguous' })
    expect([numbersOf(a), numbersOf(b)]).toEqual([
      [0, 1, 2, 3, 4, 5],
      [6, 7, 8, 9],
    ])
    expect([starts(a), starts(b)]).toEqual([
      [0, 4, 6],
      [0, 2, 4],
    ])
  })

  it('leaves out what no share is of, and refuses shares that are none', () => {
    const numbers = new Numbers(10, 0)
    expect(split(numbers, { few: 0.25 }).few.length).toBe(3)
    expect(split(numbers, { a: 1 / 3, b: 1 / 3, c: 1 / 3 }).c.length).toBe(3)
    const wrong: Record<string, number>[] = [
      {},
      { a: 0 },
      { a: -1 },
      { a: Number.NaN },
      { a: 0.7, b: 0.4 },
      { a: '1' as never },
    ]
    for (const shares of wrong)
      expect(() => split(numbers, shares)).toThrow(expect.objectContaining({ code: 'E_USAGE' }))
    const stream = new Numbers(10, 0, { randomAccess: false })
    expect(() => split(stream, { a: 0.5 })).toThrow('a dataset that is read in order cannot be split at random')
    expect(split(stream, { a: 0.5 }, { order: 'contiguous' }).a.randomAccess).toBe(false)
  })

  it('of a billion samples takes no memory', async () => {
    const { train } = split(synthetic({ samples: 1e9, size: 8 }), { train: 0.9, val: 0.1 })
    expect(train.length).toBe(9e8)
    expect((await train.read(899_999_999)).data).toHaveLength(8)
  })
})

describe('mix', () => {
  const three = () => [new Numbers(6, 0), new Numbers(3, 100), new Numbers(10, 200)]

  it('has the proportions of the weights in every beginning of the sequence', () => {
    const mixed = mix([new Numbers(1000, 0), new Numbers(500, 10_000), new Numbers(500, 20_000)], {
      weights: [50, 30, 20],
      samples: 1000,
    })
    const parts = numbersOf(mixed).map((n) => Math.floor(n / 10_000))
    const counts = [0, 0, 0]
    parts.forEach((part, i) => {
      counts[part] = (counts[part] as number) + 1
      for (const [which, weight] of [0.5, 0.3, 0.2].entries())
        expect(Math.abs((counts[which] as number) - weight * (i + 1))).toBeLessThan(2)
    })
    expect(counts).toEqual([500, 300, 200])
  })

  it('brings every sample of every dataset, those of smaller ones again, until all are through', () => {
    const mixed = mix(three(), { weights: [1, 1, 1] })
    expect(mixed.length).toBe(30)
    const seen = numbersOf(mixed)
    const count = (n: number) => seen.filter((each) => each === n).length
    expect([0, 1, 5].map(count)).toEqual([2, 2, 1])
    expect([100, 101, 102].map(count)).toEqual([4, 3, 3])
    expect([200, 205, 209].map(count)).toEqual([1, 1, 1])
  })

  it('ends before one comes twice, and takes some of each stretch of the larger ones', () => {
    const mixed = mix(three(), { weights: [1, 1, 1], until: 'first' })
    expect(mixed.length).toBe(9)
    const seen = numbersOf(mixed)
    expect(new Set(seen).size).toBe(9)
    expect(seen.filter((n) => n >= 100 && n < 200)).toEqual([100, 101, 102])
    const some = seen.filter((n) => n >= 200).map((n) => n - 200)
    expect(some.map((n) => (n < 3 ? 0 : n < 6 ? 1 : 2))).toEqual([0, 1, 2])
    const others = [1, 2, 3, 4, 5, 6].map((seed) =>
      numbersOf(mix(three(), { weights: [1, 1, 1], until: 'first', seed })),
    )
    expect(new Set(others.map(String)).size).toBeGreaterThan(3)
    expect(numbersOf(mix(three(), { weights: [1, 1, 1], until: 'first' }))).toEqual(seen)
  })

  it('leaves out what weighs nothing', () => {
    const mixed = mix(three(), { weights: [2, 0, 1], samples: 9 })
    expect(numbersOf(mixed).filter((n) => n >= 100 && n < 200)).toEqual([])
    expect(mixed.length).toBe(9)
  })

  it('of a billion samples is arithmetic', () => {
    const mixed = mix([synthetic({ samples: 1e9, size: 4 }), synthetic({ samples: 7, size: 4 })], {
      weights: [0.3, 0.7],
    })
    expect(mixed.length).toBe(3_333_333_334)
    expect(mixed.describe(3_333_333_333)).toMatch(/^sample \d$|^sample 999999999$/)
  })

  it('refuses weights that make no sense', () => {
    const wrong = (weights: unknown, message: string) =>
      expect(() => mix(three(), { weights: weights as number[] })).toThrow(message)
    wrong([1, 2], 'weights must be 3 numbers, one a dataset, but got [1,2]')
    wrong([1, -1, 1], 'weights must be numbers of 0 or more, but got -1')
    wrong([1, Number.NaN, 1], 'weights must be numbers of 0 or more, but got NaN')
    wrong([1, Infinity, 1], 'weights must be numbers of 0 or more, but got Infinity')
    wrong([0, 0, 0], 'weights are all 0')
    wrong(undefined, 'weights must be 3 numbers, one a dataset, but got undefined')
    expect(() => mix(three(), { weights: [1, 1, 1], samples: 3, until: 'all' })).toThrow(
      'mix takes either samples or until',
    )
    expect(() => mix([new Numbers(0, 0), new Numbers(1, 1)], { weights: [1, 1], samples: 4 })).toThrow(
      'dataset 0 of a mixture has no samples',
    )
  })
})

describe('what is made of datasets', () => {
  it('opens again from its spec', async () => {
    const part = (samples: number, seed: number) => synthetic({ samples, size: 5, classes: 1000, seed })
    const made: Dataset[] = [
      concat([part(3, 1), part(4, 2)]),
      subset(part(10, 1), { start: 2, step: 3 }),
      subset(part(10, 1), { ids: [4, 4, 1] }),
      split(part(10, 1), { a: 0.5, b: 0.5 }, { seed: 7 }).b,
      split(part(10, 1), { a: 0.5, b: 0.5 }, { order: 'contiguous' }).b,
      mix([part(5, 1), part(9, 2)], { weights: [2, 1], until: 'first', seed: 3 }),
      mix([concat([part(5, 1), part(2, 4)]), subset(part(9, 2), { end: 4 })], { weights: [2, 1] }),
    ]
    for (const dataset of made) {
      const again = await openDataset(JSON.parse(JSON.stringify(dataset.spec)))
      expect(again.fingerprint).toBe(dataset.fingerprint)
      const length = dataset.length as number
      for (let id = 0; id < length; id++) expect(await again.read(id)).toEqual(await dataset.read(id))
      expect(again.spec).toEqual(dataset.spec)
    }
  })

  it('is refused where the spec is wrong', async () => {
    const fails = (spec: unknown, message: string) =>
      expect(openDataset(spec as never)).rejects.toMatchObject({ code: 'E_USAGE', message })
    const inner = { kind: 'synthetic', samples: 2, size: 1 }
    await fails(null, "a dataset's spec must be an object with a kind, but got null")
    await fails([inner], `a dataset's spec must be an object with a kind, but got ${JSON.stringify([inner])}`)
    await fails(
      { kind: 'concat', datasets: inner },
      `datasets must be an array of specs, but got ${JSON.stringify(inner)}`,
    )
    await fails({ kind: 'concat', datasets: [inner], weights: [1] }, 'concat has no option "weights"')
    await fails({ kind: 'split', dataset: inner, parts: { a: 1 }, part: 'b' }, 'part must be one of a, but got "b"')
    await fails(
      { kind: 'split', dataset: inner, parts: { a: 1 }, part: 'toString' },
      'part must be one of a, but got "toString"',
    )
    await expect(openDataset({ kind: 'toString' })).rejects.toMatchObject({ code: 'E_USAGE' })
    let deep: { kind: string } = inner
    for (let i = 0; i < 40; i++) deep = { kind: 'subset', dataset: deep } as { kind: string }
    await expect(openDataset(deep)).rejects.toMatchObject({ code: 'E_LIMIT' })
  })

  it('may be of kinds that others bring', async () => {
    const numbers = async ({ first }: Readonly<Record<string, unknown>>) => new Numbers(3, first as number)
    const dataset = await openDataset(
      {
        kind: 'concat',
        datasets: [
          { kind: 'numbers', first: 7 },
          { kind: 'numbers', first: 1 },
        ],
      },
      { numbers },
    )
    expect(numbersOf(dataset)).toEqual([7, 8, 9, 1, 2, 3])
  })
})
