import { describe, expect, it } from 'vitest'
import { fromSamples } from '../../src/datasets/index.ts'
import type { LooseSamples } from '../../src/datasets/iterable.ts'
import type { Sample } from '../../src/datasets/types.ts'
import { awkward } from '../cache/sources.ts'

const jpeg = new Uint8Array(awkward('tiny_1x1.jpg'))
const blob = Uint8Array.of(1, 2, 3)

async function all(samples: LooseSamples, fieldNames?: string[]): Promise<Sample[]> {
  const found: Sample[] = []
  for await (const sample of await fromSamples(samples, fieldNames ? { fieldNames } : {})) found.push(sample)
  return found
}

describe('samples of an iterable', () => {
  it('show their field types: image, bytes, string, int64 and float64', async () => {
    const samples = [
      { image: jpeg, raw: blob, text: 'a', count: 1, flag: true, big: 2n ** 62n, share: 1 },
      { image: blob, raw: blob, text: '', count: -5, flag: false, big: 7n, share: 0.5 },
      { image: blob, raw: blob, text: 'b', count: 0, flag: 1, big: 1, share: 2 },
    ]
    const stream = await fromSamples(samples)
    expect(stream.schema).toEqual({
      image: { kind: 'image' },
      raw: { kind: 'bytes' },
      text: { kind: 'string' },
      count: { kind: 'number', dtype: 'int64' },
      flag: { kind: 'number', dtype: 'int64' },
      big: { kind: 'number', dtype: 'int64' },
      share: { kind: 'number', dtype: 'float64' },
    })
    expect(stream.length).toBe(3)
    expect(await all(samples)).toEqual([
      { image: jpeg, raw: blob, text: 'a', count: 1n, flag: 1n, big: 2n ** 62n, share: 1 },
      { image: blob, raw: blob, text: '', count: -5n, flag: 0n, big: 7n, share: 0.5 },
      { image: blob, raw: blob, text: 'b', count: 0n, flag: 1n, big: 1n, share: 2 },
    ])
  })

  it('may be tuples with names, and come from generators of both kinds', async () => {
    function* plain() {
      for (let i = 0; i < 300; i++) yield [jpeg, i] as const
    }
    async function* later() {
      yield* plain()
    }
    const expected = Array.from({ length: 300 }, (_, i) => ({ image: jpeg, label: BigInt(i) }))
    expect(await all(plain(), ['image', 'label'])).toEqual(expected)
    expect(await all(later(), ['image', 'label'])).toEqual(expected)
    expect((await fromSamples(later(), { fieldNames: ['image', 'label'] })).length).toBeUndefined()
  })

  const many = (last: object): object[] => [
    ...Array.from({ length: 100 }, () => ({ image: jpeg, n: 1, text: 'x' })),
    last,
  ]
  it.each([
    [
      'sample 100: field n must be an integer, but got 1.5 (the first samples had integers only)',
      { image: jpeg, n: 1.5, text: 'x' },
    ],
    ['sample 100: field n must be an integer, but got "1"', { image: jpeg, n: '1', text: 'x' }],
    ['sample 100: field n must be an int64, but got 9223372036854775808n', { image: jpeg, n: 2n ** 63n, text: 'x' }],
    ['sample 100: field image must be a Uint8Array, but got "x"', { image: 'x', n: 1, text: 'x' }],
    ['sample 100: field text must be a string, but got Uint8Array(3 bytes)', { image: jpeg, n: 1, text: blob }],
    ['sample 100 has no field "text"', { image: jpeg, n: 1 }],
    ['sample 100 has a field "more" that sample 0 does not have', { image: jpeg, n: 1, text: 'x', more: 1 }],
    ['sample 100 must be an object or a tuple, but got 7', 7 as unknown as object],
  ])('are checked to the last: %s', async (message, last) => {
    await expect(all(many(last) as Sample[])).rejects.toMatchObject({ code: 'E_USAGE', message })
  })

  it.each([
    ['the iterable has no samples', [], undefined],
    ['sample 0 has no fields', [{}], undefined],
    ['sample 0 is a tuple of 2: fieldNames must name its fields', [[jpeg, 1]], undefined],
    ['sample 0 is a tuple of 2, but fieldNames has 1', [[jpeg, 1]], ['image']],
    ['fieldNames must differ, but got ["a","a"]', [[jpeg, 1]], ['a', 'a']],
    [
      'sample 1: field a must hold a Uint8Array, a string or a number, but got string after integer',
      [{ a: 1 }, { a: 'x' }],
      undefined,
    ],
    ['sample 0: field a must hold a Uint8Array, a string or a number, but got null', [{ a: null }], undefined],
    ['sample 1 has no field "label"', [{ image: jpeg, label: 1 }, { image: jpeg }], undefined],
  ])('must make sense from the start: %s', async (message, samples, fieldNames) => {
    await expect(all(samples as Sample[], fieldNames)).rejects.toMatchObject({ code: 'E_USAGE', message })
  })

  it('can be read by id in order only', async () => {
    const stream = await fromSamples([{ n: 1 }, { n: 2 }])
    expect(await stream.read(0)).toEqual({ n: 1n })
    await expect(stream.read(0)).rejects.toMatchObject({
      code: 'E_STATE',
      message: 'samples of an iterable come in order: the next is 1, but got 0',
    })
    expect(await stream.read(1)).toEqual({ n: 2n })
    await expect(stream.read(2)).rejects.toMatchObject({ code: 'E_USAGE' })
  })

  it('let go of their source when they are left early', async () => {
    let closed = false
    function* source() {
      try {
        for (let n = 0; ; n++) yield { n }
      } finally {
        closed = true
      }
    }
    for await (const sample of await fromSamples(source())) if (sample.n === 500n) break
    expect(closed).toBe(true)
  })
})
