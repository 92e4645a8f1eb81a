import { expect, it } from 'vitest'
import { groupRanges } from '../../../src/datasets/shards/read-groups.ts'

const range = (shard: number, offset: number, length: number) => ({ shard, offset, into: new Uint8Array(length) })
const told = (ranges: ReturnType<typeof range>[]) =>
  groupRanges(ranges, { gap: 10, each: 500, together: 1000 }).map(({ shard, offset, length, ranges: all }) => [
    shard,
    offset,
    length,
    all.length,
  ])

it('ranges of one shard that lie closer than the gap are read together, whatever their order', () => {
  expect(told([range(0, 125, 25), range(0, 0, 100), range(0, 110, 5), range(0, 161, 9), range(1, 0, 4)])).toEqual([
    [0, 0, 150, 3],
    [0, 161, 9, 1],
    [1, 0, 4, 1],
  ])
})

it('ranges that overlap are read once', () => {
  expect(told([range(0, 0, 100), range(0, 20, 10), range(0, 90, 20)])).toEqual([[0, 0, 110, 3]])
})

it('no more is read together than copying pays for', () => {
  expect(told([range(0, 0, 500), range(0, 500, 500), range(0, 1000, 500)])).toEqual([
    [0, 0, 1000, 2],
    [0, 1000, 500, 1],
  ])
})

it('what is large is read alone, and does not part what lies around it', () => {
  expect(told([range(0, 0, 5), range(0, 5, 501), range(0, 8, 7), range(1, 0, 501), range(1, 501, 1)])).toEqual([
    [0, 0, 15, 2],
    [0, 5, 501, 1],
    [1, 0, 501, 1],
    [1, 501, 1, 1],
  ])
})
