import { describe, expect, test } from 'vitest'
import { type RunFigures, verdictOf } from '../../../../src/benchmark/dlio/run/verdict.ts'

/** Ten seconds of steps of one rank that hardly waits: what each test changes is the bottleneck. */
const HEALTHY: RunFigures = {
  ranks: 1,
  au: 99,
  goal: 90,
  load: 0.05,
  compute: 9.9,
  asked: 9.9,
  barrier: 0,
  engine: 0.05,
  steps: 1000,
  readThreads: 4,
  storage: 6,
  decode: 2,
  preprocess: 0,
  idle: 31,
  rankSteps: [0.00995],
  hostCpu: 0.3,
  ownCpu: 0.25,
  cores: 8,
  askedBytes: 10e9,
  deviceBytes: 10e9,
  calibratedAu: 99.5,
}

const waiting = { load: 5, compute: 4.9, au: 49 } as const

describe('a run', () => {
  test('whose accelerators compute almost always is limited by nothing', () => {
    expect(verdictOf(HEALTHY)).toEqual({
      limit: 'nothing',
      text: 'Limited by nothing: accelerators computed 99 % of the time.',
    })
    const { deviceBytes: _, ...unknown } = HEALTHY
    expect(verdictOf(unknown).limit).toBe('nothing')
  })

  test('that waits for batches which come from a slow store is limited by storage', () => {
    const verdict = verdictOf({ ...HEALTHY, ...waiting, storage: 38, decode: 1.5, idle: 0.5 })
    expect(verdict.limit).toBe('storage')
    expect(verdict.text).toBe(
      'Limited by storage: readers wait for it 96 % of their time, accelerators wait 50 % of the time.',
    )
  })

  test('whose readers decode most of the time is limited by decoding', () => {
    const verdict = verdictOf({ ...HEALTHY, ...waiting, storage: 5, decode: 34, idle: 1 })
    expect(verdict.limit).toBe('decode')
    expect(verdict.text).toBe(
      'Limited by decoding: readers spend 87 % of their time on it and 13 % on storage; accelerators wait 50 % of the time (4 reader threads, more of them may help).',
    )
    expect(
      verdictOf({ ...HEALTHY, ...waiting, storage: 5, decode: 34, idle: 1, hostCpu: 0.99, ownCpu: 0.97 }).text,
    ).toContain('no core of 8 is left')
  })

  test('beside other processes that use the processors is limited by host CPU', () => {
    const verdict = verdictOf({ ...HEALTHY, ...waiting, storage: 5, decode: 34, hostCpu: 0.99, ownCpu: 0.4 })
    expect(verdict.limit).toBe('host CPU')
    expect(verdict.text).toBe(
      'Limited by host CPU: 99 % of 8 cores are in use, 59 % by other processes; accelerators wait 51 % of the time.',
    )
  })

  test('that uses all processors itself and does not decode is limited by host CPU', () => {
    expect(verdictOf({ ...HEALTHY, ...waiting, storage: 34, decode: 5, hostCpu: 0.99, ownCpu: 0.95 }).limit).toBe(
      'host CPU',
    )
  })

  test('whose bytes did not come from the device was served from the page cache, also where it was fast', () => {
    const cached = verdictOf({ ...HEALTHY, deviceBytes: 0.01e9 })
    expect(cached.limit).toBe('page cache')
    expect(cached.text).toBe(
      'Served from the page cache: accelerators computed 99 % of the time, but storage was not measured: of 9.31 GiB asked for, the device delivered 9.54 MiB (0.1 %), the page cache the rest.',
    )
    expect(verdictOf({ ...HEALTHY, ...waiting, storage: 38, decode: 1, idle: 1, deviceBytes: 0 }).limit).toBe(
      'page cache',
    )
  })

  test('of which one rank is slow is limited by that rank', () => {
    const verdict = verdictOf({
      ...HEALTHY,
      ranks: 4,
      load: 2,
      compute: 20,
      barrier: 17,
      engine: 0.1,
      rankSteps: [0.005, 0.005, 0.011, 0.0051],
    })
    expect(verdict.limit).toBe('slow rank')
    expect(verdict.text).toBe(
      'Limited by rank 2: its steps take 2.20 times as long as those of the others, which wait for it 43 % of the time.',
    )
  })

  test('whose readers had nothing to do while it waited is limited by the tool', () => {
    expect(verdictOf({ ...HEALTHY, load: 0.2, engine: 1.5, compute: 8.3 }).text).toBe(
      'Limited by this tool: 17 % of the time went by between computation and the next batch, which was ready; with storage that answers at once it shows 99.5 % AU.',
    )
    expect(verdictOf({ ...HEALTHY, ...waiting, storage: 0.1, decode: 0.1, idle: 38 }).limit).toBe('tool')
  })

  test('whose preprocessing takes the time of readers is limited by it', () => {
    expect(verdictOf({ ...HEALTHY, ...waiting, storage: 3, decode: 2, preprocess: 34 }).limit).toBe('preprocessing')
  })

  test('without reader threads waits while it reads', () => {
    const verdict = verdictOf({ ...HEALTHY, ...waiting, readThreads: 0, storage: 4, decode: 1, idle: 0 })
    expect(verdict.limit).toBe('storage')
  })

  test('without steps is limited by nothing', () => {
    expect(verdictOf({ ...HEALTHY, steps: 0 }).text).toBe('Limited by nothing: there were no steps.')
  })
})
