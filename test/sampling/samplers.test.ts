import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { randomSampler, sequentialSampler } from '../../src/sampling/samplers.ts'
import type { Sampler } from '../../src/sampling/types.ts'

function ids(sampler: Sampler, epoch: number, start = 0, count = sampler.length - start): Float64Array {
  const out = new Float64Array(count)
  sampler.prepare(epoch)
  sampler.fill(epoch, start, out)
  return out
}

describe('sequentialSampler', () => {
  test('gives the ids in order, in every epoch', () => {
    expect([...ids(sequentialSampler(5), 0)]).toEqual([0, 1, 2, 3, 4])
    expect([...ids(sequentialSampler(5), 9, 3)]).toEqual([3, 4])
  })

  test('refuses positions past its length', () => {
    expect(() => ids(sequentialSampler(5), 0, 4, 2)).toThrow('positions must be within 0 .. 4, but got 2 from 4')
  })
})

describe('randomSampler', () => {
  test('gives every id once, in another order each epoch', () => {
    const sampler = randomSampler(1000, 7)
    const first = ids(sampler, 0)
    const second = ids(sampler, 1)
    expect([...first].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect([...second].sort((a, b) => a - b)).toEqual([...first].sort((a, b) => a - b))
    expect([...second]).not.toEqual([...first])
  })

  test('is pure: an epoch comes out the same after another one, and without prepare', () => {
    const sampler = randomSampler(100, 7)
    const first = ids(sampler, 0)
    ids(sampler, 5)
    const again = new Float64Array(100)
    sampler.fill(0, 0, again)
    expect([...again]).toEqual([...first])
  })

  // Frozen: a change of any of these breaks the resume of every run that is under way. The hashes (of the first 1000
  // ids) are those of a reference in Python, written from the description in permutation.ts.
  test.each<[number, number, number, string]>([
    [1, 0, 0, 'af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc'],
    [10, 0, 0, '803a779025652848f4400cf8b1e8f71c52c43285ef7cec19100d32f247c13bd8'],
    [1000, 0, 0, 'ccdd215ec6faa0b347438ec68b271a2a9a256828361ddcd284c35e8b7f097947'],
    [1000, 0, 1, '01a80fe93cecb715bd9f1695ae60a250d9f22f9d3ae2bcbdd3734f2097f4084d'],
    [1000, 42, 0, 'd0f16c0fffac8ac0f97dd82dd5a8fee0fbebeda7a0722b1d8228104a70f02c3b'],
    [4095, 42, 3, '7a94aed11249c5cb8d13cb4c3db251c377607bc075bb16b144580ba5a90091ce'],
    [4096, 42, 3, '5a061be22e0d05d0e141c19c73efc51fb21c17f5dbcb01a4a192e831cfd3a4b6'],
    [1_281_167, 7, 0, '18e0fbddf38e9c1c319ee20f42840be574c0112af964961a85d8985c2de2bc15'],
    [1_281_167, 2 ** 40 + 7, 89, 'ba22a5e9069f34a5dd3396ac951322c66191a994e6f1565ab4467db3e48c1246'],
    [5_000_000_000, 7, 0, 'ce2fcf01ffa96241def5f177cee7f22ab13d0ae2b2aecccab8521f2044b58d55'],
    [Number.MAX_SAFE_INTEGER, 1, 4294967295, 'b04c777af6ad03218c578f0ded114f4f62d167092b48f578cb5d13f047bb735c'],
  ])('the order of %d samples, seed %d, epoch %d is the one of the first release', (length, seed, epoch, golden) => {
    const order = ids(randomSampler(length, seed), epoch, 0, Math.min(1000, length))
    expect(createHash('sha256').update(new Uint8Array(order.buffer)).digest('hex')).toBe(golden)
  })
})
