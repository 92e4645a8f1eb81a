import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ahead, inLanes } from '../../../src/storage/transfer/lanes.ts'

/** Numbers from 0, with how many have been asked for and whether the source was ended. */
function numbers(count: number, failAt = Infinity) {
  const seen = { given: 0, ended: false }
  async function* source() {
    try {
      for (let i = 0; i < count; i++) {
        if (i === failAt) throw new Error('source')
        await turn()
        seen.given++
        yield i
      }
    } finally {
      seen.ended = true
    }
  }
  return { source: source(), seen }
}

describe('ahead', () => {
  test('gives everything in order, and runs ahead by no more than the limit', async () => {
    const { source, seen } = numbers(50)
    const got: number[] = []
    for await (const item of ahead(source, 5)) {
      got.push(item)
      for (let i = 0; i < 20; i++) await turn()
      expect(seen.given - got.length).toBeLessThanOrEqual(2 * 5)
    }
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(seen.ended).toBe(true)
  })

  test('passes a failure on after what came before it', async () => {
    const got: number[] = []
    const read = async () => {
      for await (const item of ahead(numbers(9, 3).source, 100)) got.push(item)
    }
    await expect(read()).rejects.toThrow('source')
    expect(got).toEqual([0, 1, 2])
  })

  test('ends the source when it is left early', async () => {
    const { source, seen } = numbers(1000)
    for await (const _ of ahead(source, 3)) break
    expect(seen.ended).toBe(true)
    expect(seen.given).toBeLessThan(10)
  })
})

describe('inLanes', () => {
  test('does every item once, at most so many at once', async () => {
    let [now, most] = [0, 0]
    const done: number[] = []
    await inLanes(numbers(100).source, 7, async (item) => {
      most = Math.max(most, ++now)
      for (let i = 0; i < 20 + (item % 5); i++) await turn()
      now--
      done.push(item)
    })
    expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(most).toBe(7)
  })

  test('a failure ends it once all under way has ended, and nothing new begins', async () => {
    const { source, seen } = numbers(1000)
    const begun: number[] = []
    const ended: number[] = []
    const work = async (item: number) => {
      begun.push(item)
      for (let i = 0; i < 10; i++) await turn()
      ended.push(item)
      if (item === 5) throw new Error('work')
    }
    await expect(inLanes(source, 4, work)).rejects.toThrow('work')
    expect(ended.sort()).toEqual(begun.sort())
    expect(begun.length).toBeLessThan(20)
    expect(seen.ended).toBe(true)
  })

  test('a source that fails is a failure, too', async () => {
    await expect(inLanes(numbers(9, 3).source, 4, async () => {})).rejects.toThrow('source')
  })
})
