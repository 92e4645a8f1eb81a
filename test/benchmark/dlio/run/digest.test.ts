import { expect, test } from 'vitest'
import { decodeDigest, digestOf, encodeDigest } from '../../../../src/benchmark/dlio/run/digest.ts'
import type { RankResult } from '../../../../src/benchmark/dlio/run/rank-result.ts'
import { BATCH_COLUMNS } from '../../../../src/benchmark/dlio/run/ring.ts'
import { StepRecords } from '../../../../src/benchmark/dlio/run/step-records.ts'

const HOST = { hostname: 'h', cpus: 2, memoryGb: 4 }

/** Steps of 10 ms, of which the first waits for a second. */
function result(steps: number): RankResult {
  const records = new StepRecords(1)
  // storage, decode, preprocess, idle, bytes, samples, faults, ready
  const batch = Float64Array.of(2, 1, 0, 5, 1000, 4, 0, 3)
  expect(batch).toHaveLength(BATCH_COLUMNS)
  for (let step = 0; step < steps; step++) {
    const start = step * 12 + (step > 0 ? 1000 : 0)
    const loaded = start + (step === 0 ? 1001 : 1)
    records.add(start, loaded, 9, loaded + 9, loaded + 11, batch)
  }
  const table = records.table()
  return {
    start: 0,
    epochs: [],
    steps: [{ kind: 'train', epoch: 1, table, wall: 1 + 0.012 * steps + 0.003 }],
    usage: [{ epoch: 1, wall: 2, own: 0.5, busy: 1, total: 4, deviceBytes: 7 }],
    deviceSource: 'vda',
    deviceUnknown: undefined,
    checkpointBytes: undefined,
    order: undefined,
    calibratedAu: 99,
    failure: undefined,
  }
}

test('what a rank tells leaves out the steps that do not count, and keeps the whole of epochs', () => {
  const digest = digestOf(result(101), HOST, 0, 1)
  expect(digest.steps).toBe(100)
  expect(digest.sums.load).toBeCloseTo(0.1, 9)
  expect(digest.sums.compute).toBeCloseTo(0.9, 9)
  expect(digest.sums.barrier).toBeCloseTo(0.2, 9)
  expect(digest.sums.asked).toBeCloseTo(0.9, 9)
  expect(digest.engine).toBeCloseTo(0.003, 9)
  expect(digest.asked).toBe(101_000)
  expect(digest.epochs).toEqual([
    {
      epoch: 1,
      steps: 101,
      samples: 404,
      bytes: 101_000,
      wall: expect.closeTo(2.215, 9),
      firstStep: expect.closeTo(1.01, 9),
    },
  ])
})

test('it arrives on rank 0 as it was, of few steps and of many', () => {
  for (const steps of [1, 2, 100, 10_000]) {
    const digest = digestOf(result(steps), HOST, 0, 1)
    const bytes = encodeDigest(digest)
    expect(decodeDigest(bytes)).toEqual(digest)
    expect(bytes.length).toBeLessThan(500_000)
  }
})
