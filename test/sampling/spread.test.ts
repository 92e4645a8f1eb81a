import { describe, expect, it } from 'vitest'
import { spreadEvenly } from '../../src/sampling/spread.ts'

describe('ids spread evenly', () => {
  it('lie in the middle of equal parts', () => {
    expect(spreadEvenly(10, 5)).toEqual([1, 3, 5, 7, 9])
    expect(spreadEvenly(7, 3)).toEqual([1, 3, 5])
    expect(spreadEvenly(1000, 1)).toEqual([500])
  })

  it('are all of them where no more are there', () => {
    expect(spreadEvenly(3, 3)).toEqual([0, 1, 2])
    expect(spreadEvenly(3, 256)).toEqual([0, 1, 2])
    expect(spreadEvenly(0, 256)).toEqual([])
  })
})
