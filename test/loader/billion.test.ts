import { beforeAll, describe, expect, it } from 'vitest'
import { fingerprintOf } from '../../src/loader/state.ts'
import { built, child, DIST } from '../cli/built.ts'

beforeAll(() => built())

interface Start {
  /** Of the whole process, from before the loader is made until its first batch is there, ms of processor time. */
  readonly cpu: number
  /** Peak of the process, MiB. */
  readonly rss: number
  readonly ids: readonly number[]
  readonly state: string
}

/** A loader over 10^9 samples in a process of its own, up to its first batch. */
async function startOf(options: string): Promise<Start> {
  const { code, stdout, stderr } = await child(`
    import { load } from '${DIST}'
    const dataset = {
      length: 1_000_000_000,
      schema: { x: { kind: 'number', dtype: 'float64' } },
      fingerprint: 'billion',
      describe: (id) => 'row ' + id,
      read: async (id) => ({ x: id }),
      chunks: { count: 1_000_000, start: (chunk) => chunk * 1000 },
      async close() {},
    }
    const before = process.cpuUsage()
    const loader = load(dataset, { batchSize: 256, seed: 7, rank: 0, worldSize: 1, ...${options} })
    let ids
    for await (const { x } of loader) {
      ids = [...x.data]
      break
    }
    const { user, system } = process.cpuUsage(before)
    const state = JSON.stringify(loader.state())
    console.log(JSON.stringify({ cpu: (user + system) / 1000, rss: process.resourceUsage().maxRSS / 1024, ids, state }))
  `)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as Start
}

describe('a shuffled epoch over 10^9 samples', () => {
  it.each([
    ['{ shuffle: true }'],
    ['{ shuffle: true, epoch: 4_000_000_000 }'],
    ['{ shuffle: true, window: 1_000_000 }'],
    ["{ shuffle: true, locality: 'chunks' }"],
    // In the middle of the epoch: nothing before it is gone through.
    [
      `{ shuffle: true, resume: { version: 1, seed: 7, epoch: 5, position: 256 * 2_000_000, tail: 'short', globalBatch: 256, fingerprint: 'RESUME' } }`,
    ],
  ])('starts within a second and 200 MiB: %s', async (options) => {
    const fingerprint = fingerprintOf({ fingerprint: 'billion' }, 'random', 1e9)
    const { cpu, rss, ids, state } = await startOf(options.replace('RESUME', fingerprint))
    expect(cpu).toBeLessThan(1000)
    expect(rss).toBeLessThan(200)
    expect(state.length).toBeLessThan(1024)
    expect(new Set(ids).size).toBe(256)
    expect(ids.every((id) => Number.isSafeInteger(id) && id >= 0 && id < 1e9)).toBe(true)
  })
})
