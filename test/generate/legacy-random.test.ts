import { describe, expect, test } from 'vitest'
import { LegacyRandom } from '../../src/generate/legacy-random.ts'
import { RecordSides, sidesRule } from '../../src/generate/record-sides.ts'
import { golden } from './golden.ts'

function normals(seed: number, pairs: number): number[] {
  const random = new LegacyRandom(seed)
  const pair = new Float64Array(2)
  return Array.from({ length: pairs }, () => {
    random.normalPair(pair)
    return [...pair]
  }).flat()
}

describe('the random numbers of NumPy', () => {
  // numpy.random.RandomState(seed).normal(size=6)
  test('are the same bits for the same seed', () => {
    expect(normals(10, 3)).toEqual([
      1.331586504129518, 0.7152789743984055, -1.5454002921112682, -0.008383849928522256, 0.6213359738904805,
      -0.7200855607188968,
    ])
    expect(normals(0, 3)).toEqual([
      1.764052345967664, 0.4001572083672233, 0.9787379841057392, 2.240893199201458, 1.8675579901499675,
      -0.977277879876411,
    ])
    expect(normals(4294967295, 1)).toEqual([0.6484086742306527, 0.6693235306338161])
  })

  test('go on from where they were saved', () => {
    const random = new LegacyRandom(10)
    const pair = new Float64Array(2)
    for (let i = 0; i < 1000; i++) random.normalPair(pair)
    const saved = random.save()
    random.normalPair(pair)
    const next = [...pair]
    for (let i = 0; i < 1000; i++) random.normalPair(pair)
    random.restore(saved)
    random.normalPair(pair)
    expect([...pair]).toEqual(next)
  })
})

describe('sides of records', () => {
  const varied = Object.entries(golden.sizes).filter(([, { stdev }]) => stdev > 0)

  test.each(varied)(
    'of %s are those of DLIO, every file',
    (_, { bytes, stdev, files, side, sideStdev, first, all }) => {
      const rule = sidesRule(bytes, stdev)
      expect(rule).toEqual({ side, stdev: sideStdev })
      const sides = new RecordSides(10, rule, files)
      expect(first.map((__, i) => sides.at(i))).toEqual(first)
      let [sum, min, max] = [0, Number.POSITIVE_INFINITY, 0]
      for (let file = 0; file < files; file++) {
        const [one, other] = sides.at(file)
        sum += one * other
        min = Math.min(min, one * other)
        max = Math.max(max, one * other)
      }
      expect({ sum, min, max, files }).toEqual(all)
      expect(sides.bytesBefore(files)).toBe(sum)
    },
  )

  test('are the same whatever file is asked for first, and are summed as they are', () => {
    const rule = { side: 100, stdev: 30 }
    const inOrder = new RecordSides(10, rule, 200_000)
    const all = Array.from({ length: 200_000 }, (_, i) => inOrder.at(i))
    const backwards = new RecordSides(10, rule, 200_000)
    for (const file of [199_999, 131_072, 131_071, 65_536, 65_535, 1, 0]) expect(backwards.at(file)).toEqual(all[file])
    for (const file of [0, 1, 65_535, 65_536, 65_537, 131_072, 199_999, 200_000]) {
      const sum = all.slice(0, file).reduce((bytes, [one, other]) => bytes + one * other, 0)
      expect(new RecordSides(10, rule, 200_000).bytesBefore(file)).toBe(sum)
    }
  })

  test('of a whole number of chunks are summed to their end', () => {
    const rule = { side: 100, stdev: 30 }
    const sides = new RecordSides(10, rule, 131_072)
    const longer = new RecordSides(10, rule, 131_073)
    expect(sides.bytesBefore(131_072)).toBe(longer.bytesBefore(131_072))
    expect(new RecordSides(10, rule, 65_536).bytesBefore(65_536)).toBe(longer.bytesBefore(65_536))
    expect(new RecordSides(10, rule, 65_536).bytesBefore(0)).toBe(0)
  })

  test('that no 16 bits hold beside their mean are exact too', () => {
    const rule = { side: 25_905, stdev: 40_000 }
    const sides = new RecordSides(10, rule, 1000)
    const expected = normals(10, 1000).map((normal) => Math.max(1, Math.trunc(25_905 + 40_000 * normal)))
    for (let file = 0; file < 1000; file++) expect(sides.at(file)).toEqual([expected[2 * file], expected[2 * file + 1]])
  })

  test('of every third file come from a stream in which all files have draws', () => {
    const rule = { side: 100, stdev: 30 }
    const all = new RecordSides(12, rule, 1000)
    const third = new RecordSides(12, rule, 1000, 3, 2)
    expect(third.files).toBe(333)
    for (let i = 0; i < 333; i++) expect(third.at(i)).toEqual(all.at(2 + 3 * i))
  })

  test('are at least 1', () => {
    const sides = new RecordSides(10, { side: 2, stdev: 50 }, 1000)
    const all = Array.from({ length: 1000 }, (_, i) => sides.at(i)).flat()
    expect(Math.min(...all)).toBe(1)
  })
})
