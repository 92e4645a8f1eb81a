import { describe, expect, it } from 'vitest'
import { ReadGate } from '../../src/loader/read-gate.ts'

describe('a gate for reads', () => {
  /** Reads that end when they are told to. */
  function reads(gate: ReadGate, count: number) {
    const begun: number[] = []
    const ends: (() => void)[] = []
    for (let i = 0; i < count; i++)
      gate.add(
        () =>
          new Promise((resolve) => {
            begun.push(i)
            ends[i] = resolve
          }),
      )
    const end = async (i: number) => {
      ends[i]?.()
      await new Promise(setImmediate)
    }
    return { begun, end }
  }

  it('begins as many as it lets through, and the others in their order as some end', async () => {
    const gate = new ReadGate(2)
    const { begun, end } = reads(gate, 5)
    expect(begun).toEqual([0, 1])
    expect([gate.active, gate.waiting]).toEqual([2, 3])
    await end(1)
    expect(begun).toEqual([0, 1, 2])
    await end(0)
    await end(2)
    expect(begun).toEqual([0, 1, 2, 3, 4])
    await end(4)
    await end(3)
    expect([gate.active, gate.waiting]).toEqual([0, 0])
  })

  it('lets more through at once when its limit grows, and fewer when it shrinks', async () => {
    const gate = new ReadGate(1)
    const { begun, end } = reads(gate, 6)
    gate.limit = 3
    expect(begun).toEqual([0, 1, 2])
    gate.limit = 1
    await end(0)
    await end(1)
    expect(begun).toEqual([0, 1, 2])
    await end(2)
    expect(begun).toEqual([0, 1, 2, 3])
  })

  it('keeps nothing of a million that have gone through', async () => {
    const gate = new ReadGate(4)
    let ended = 0
    for (let i = 0; i < 1_000_000; i++) gate.add(async () => void ended++)
    while (gate.active + gate.waiting > 0) await new Promise(setImmediate)
    expect(ended).toBe(1_000_000)
  })
})
