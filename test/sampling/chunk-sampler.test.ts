import { describe, expect, test } from 'vitest'
import { type ChunkBounds, chunkSampler } from '../../src/sampling/chunk-sampler.ts'
import { idsOf, sha256, sorted, upTo } from './ids.ts'
import { countsOf, unevenness } from './statistics.ts'

const chunksAt = (...starts: readonly number[]): ChunkBounds => ({
  count: starts.length - 1,
  start: (chunk) => starts[chunk] as number,
})

const chunkOf = (starts: readonly number[], id: number): number => starts.findLastIndex((start) => start <= id)

describe('chunkSampler', () => {
  const starts = [0, 5, 5, 12, 40, 41, 100]

  test.each([1, 4, 16, 1000])('window %d: every sample once', (window) => {
    for (let epoch = 0; epoch < 20; epoch++)
      expect(sorted(idsOf(chunkSampler(chunksAt(...starts), window, 3), epoch))).toEqual(upTo(100))
  })

  test('window 1: chunks one behind the other in random order, each from first to last', () => {
    const order = [...idsOf(chunkSampler(chunksAt(...starts), 1, 3), 2)]
    const runs = order.filter((id, i) => i === 0 || id !== (order[i - 1] ?? 0) + 1)
    // 5 chunks with samples; two may happen to follow each other as they lie.
    expect(runs.length).toBeLessThanOrEqual(5)
    for (const run of runs) expect(starts).toContain(run)
    expect(order).not.toEqual(upTo(100))
  })

  test('no more chunks are in use at a time than the window spans', () => {
    const equal = upTo(101).map((i) => i * 10)
    const order = idsOf(chunkSampler(chunksAt(...equal), 30, 7), 1)
    for (let position = 0; position + 30 <= 1000; position++) {
      const used = new Set([...order.subarray(position, position + 30)].map((id) => chunkOf(equal, id)))
      // 30 positions touch two windows, which span 60 positions: 7 chunks at most.
      expect(used.size).toBeLessThanOrEqual(7)
    }
  })

  test('has each chunk at each place as often as any other', () => {
    const sampler = chunkSampler(chunksAt(0, 2, 4, 6, 8), 1, 5)
    const places = new Float64Array(40_000).map((_, epoch) => Math.floor((idsOf(sampler, epoch, 0, 1)[0] ?? 0) / 2))
    expect(unevenness(countsOf(places, 4))).toBeLessThan(5)
  })

  test('gives the same ids wherever it starts', () => {
    const sampler = chunkSampler(chunksAt(...starts), 16, 5)
    const whole = idsOf(sampler, 6)
    for (const start of [90, 33, 0])
      expect([...idsOf(sampler, 6, start, 10)]).toEqual([...whole.slice(start, start + 10)])
  })

  // Frozen: those of the reference in test/python/test_order.py.
  test('the orders are those of the first release', () => {
    expect(sha256(idsOf(chunkSampler(chunksAt(...starts), 16, 42), 3))).toBe(
      '70b4d3490e6d330e15ee83dd4c58d1857cceb5caa861ddb21b463a43c392b10b',
    )
    const equal = chunksAt(...upTo(101).map((i) => i * 10))
    expect(sha256(idsOf(chunkSampler(equal, 80, 2 ** 40 + 7), 89))).toBe(
      '73cda1c6fa8a728ce0e4c84826c8476e5f2d344465264147cd1ab873691771f4',
    )
  })

  test('a fingerprint tells other bounds and windows apart', () => {
    const of = (bounds: ChunkBounds, window: number) => chunkSampler(bounds, window, 0).fingerprint
    const all = [of(chunksAt(0, 3, 9), 4), of(chunksAt(0, 4, 9), 4), of(chunksAt(0, 3, 9), 5)]
    expect(new Set(all).size).toBe(3)
    expect(of(chunksAt(0, 3, 9), 4)).toBe(all[0])
  })

  test('refuses bounds that are none', () => {
    const of = (...bounds: number[]) => chunkSampler(chunksAt(...bounds), 1, 0)
    expect(() => of(1, 5)).toThrow('chunks.start(0) must be 0, but got 1')
    expect(() => of(0, 5, 4)).toThrow('chunks.start(2) must be an integer of 5 or more, but got 4')
    expect(() => of(0, 2.5)).toThrow('chunks.start(1) must be an integer of 0 or more, but got 2.5')
    expect([...idsOf(of(0))]).toEqual([])
    expect([...idsOf(of(0, 0, 0))]).toEqual([])
  })
})
