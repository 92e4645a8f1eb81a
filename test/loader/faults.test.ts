import { describe, expect, it } from 'vitest'
import { FaultPolicy, type RowFault } from '../../src/loader/faults.ts'
import type { StepPlan } from '../../src/loader/plan.ts'

const plan = (epoch: number, ids: readonly number[], repeats = ids.map(() => 0)): StepPlan => ({
  epoch,
  step: 0,
  ids: Float64Array.from(ids),
  repeats: Uint32Array.from(repeats),
  padding: 0,
})

const fault = (sample: number, lasting: boolean, repeat = 0): RowFault => ({
  row: 0,
  record: { sample, key: `row ${sample}`, field: 'image', code: 'E_CORRUPT', reason: 'damaged' },
  repeat,
  lasting,
})

describe('skip', () => {
  it('leaves a sample out of every later plan where it is bad whatever is made of it', () => {
    const policy = new FaultPolicy('skip', 7, 10)
    policy.failed(0, [fault(3, true)])
    for (const epoch of [0, 1, 5]) expect([...policy.admit(plan(epoch, [2, 3, 4])).ids]).toEqual([2, 4])
  })

  it('leaves out the one draw that met damage, and no other of the sample', () => {
    const policy = new FaultPolicy('skip', 7, 10)
    policy.failed(2, [fault(3, false, 1)])
    expect([...policy.admit(plan(2, [3, 3, 3], [0, 1, 2])).repeats]).toEqual([0, 2])
    expect([...policy.admit(plan(3, [3, 3, 3], [0, 1, 2])).repeats]).toEqual([0, 1, 2])
  })

  it('forgets the draws of an epoch with the next, so that memory does not grow', () => {
    const policy = new FaultPolicy('skip', 7, 10)
    policy.failed(0, [fault(3, false)])
    policy.failed(1, [fault(4, false)])
    expect([...policy.admit(plan(1, [3, 4, 5])).ids]).toEqual([3, 5])
    expect([...policy.admit(plan(0, [3, 4, 5])).ids]).toEqual([3, 4, 5])
  })
})

describe('replace', () => {
  const standIns = (seed: number, epoch: number): number[] => {
    const policy = new FaultPolicy('replace', seed, 1000)
    policy.failed(epoch, [fault(3, true)])
    return [...policy.admit(plan(epoch, Array<number>(8).fill(3), [...Array(8).keys()])).ids]
  }

  it('depends on the seed, the epoch, the sample and its repeat, and on nothing else', () => {
    const all = [standIns(7, 0), standIns(7, 1), standIns(8, 0)]
    expect(standIns(7, 0)).toEqual(all[0])
    expect(new Set(all.flat()).size).toBeGreaterThan(20)
  })

  it('never gives a sample for itself, also where only the one draw of it is bad', () => {
    for (let seed = 0; seed < 200; seed++) {
      const policy = new FaultPolicy('replace', seed, 2)
      policy.failed(0, [fault(0, false)])
      expect([...policy.admit(plan(0, [0, 1])).ids]).toEqual([1, 1])
    }
  })
})
