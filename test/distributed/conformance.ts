import { hostname } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compiled } from './compiled.ts'
import type { JobOutcome, Launch } from './launch.ts'

/** Scenarios that leave the ranks together: one job does all of them. */
const FAIR = ['who', 'barriers', 'many', 'reduce', 'ahead', 'exchange', 'limits', 'cancelled'] as const

/**
 * What every communicator keeps to, however its ranks are started. `faults`: for which numbers of ranks all that can go
 * wrong is tried; for the others only what goes another way with more ranks.
 */
export function describeCommunicator(
  name: string,
  sizes: readonly number[],
  launch: Launch,
  faults: readonly number[] = [],
): void {
  describe(name, () => {
    let child: string
    let remove: () => Promise<void>
    beforeAll(async () => {
      const { file, ...folder } = await compiled()
      child = file('child.js')
      remove = folder.remove
    })
    afterAll(() => remove())

    const run = (ranks: number, scenario: string, ...args: string[]): Promise<JobOutcome> =>
      launch(child, ranks, scenario, ...args)

    describe.each(sizes)('%i ranks', (size) => {
      const all = Array.from({ length: size }, (_, rank) => rank)
      const peer = (rank: number, ...words: string[]) => ({
        code: 'E_PEER',
        message: expect.stringMatching(new RegExp(words.join('.*'))),
        ranks: [rank],
      })

      let fair: readonly Readonly<Record<string, unknown>>[]
      beforeAll(async () => {
        const outcome = await run(size, FAIR.join(','))
        expect(outcome.ranks.filter(({ failed }) => failed !== undefined)).toEqual([])
        expect(outcome.error).toBe(undefined)
        fair = outcome.ranks.map(({ result }) => result as Readonly<Record<string, unknown>>)
      })
      /** What the ranks said of one of them. */
      const results = <T>(scenario: (typeof FAIR)[number]) => fair.map((told) => told[scenario] as T)

      test('know who they are and where', () => {
        const told = results<{ localRank: number; localSize: number }>('who')
        const hosts = all.map(() => hostname())
        expect(told).toEqual(
          all.map((rank) => ({ rank, size, localRank: expect.any(Number), localSize: expect.any(Number), hosts })),
        )
        for (const { localRank, localSize } of told) expect(localRank).toBeLessThan(localSize)
      })

      test('nobody passes a barrier before all have come', () => {
        const told = results<{ came: number[]; went: number[] }>('barriers')
        for (let i = 0; i < 5; i++) {
          const last = Math.max(...told.map(({ came }) => came[i] as number))
          const first = Math.min(...told.map(({ went }) => went[i] as number))
          expect(first).toBeGreaterThanOrEqual(last)
        }
      })

      test('thousands of barriers, one after the other', () => {
        expect(results('many')).toEqual(all.map(() => 'done'))
      })

      test('reduce to the same bits everywhere', () => {
        const told = results<{ results: string[][]; bits: string }>('reduce')
        const own = (rank: number) => [rank + 0.1, -rank, 1e16 / 3 ** rank, rank === 1 ? Number.NaN : 0]
        const folded = (op: (a: number, b: number) => number) =>
          all.map(own).reduce((sum, values) => sum.map((value, i) => op(value, values[i] as number)))
        for (const { results, ...others } of told) {
          expect(results).toEqual([folded(Math.min).map(String), folded(Math.max).map(String)])
          expect(others).toEqual({
            bits: told[0]?.bits,
            untouched: true,
            empty: 0,
            part: [(size * (size - 1)) / 2],
          })
        }
      })

      test('calls that are not awaited come together in order', () => {
        const expected = Array.from({ length: 50 }, (_, i) => [i * size, (size * (size - 1)) / 2])
        expect(results('ahead')).toEqual(all.map(() => expected))
      })

      test("gather every rank's bytes at rank 0, and give its bytes to all", () => {
        const told = results<{ gathered: unknown[]; sent: unknown[] }>('exchange')
        const lengths = [0, 1, 11, 4096, 4097, 100_000, 3_000_000]
        const [first] = told
        expect(first?.gathered).toEqual(
          lengths.map((length) => all.map((rank) => [length + rank, expect.stringMatching(/^[0-9a-f]{64}$/)])),
        )
        for (const { gathered } of told.slice(1)) expect(gathered).toEqual(lengths.map(() => null))
        for (const { sent } of told) expect(sent).toEqual(first?.sent)
        expect(first?.sent.map((entry) => (entry as [number])[0])).toEqual(lengths)
      })

      test('refused calls are no calls', () => {
        const told = results<{ tooMuch: unknown; noBytes: unknown; noOp: unknown; noTime: unknown }>('limits')
        for (const [rank, { tooMuch, noBytes, noOp, noTime }] of told.entries()) {
          expect(tooMuch).toMatchObject({ code: 'E_LIMIT', message: expect.stringContaining('67108865') })
          expect(noOp).toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('"product"') })
          expect(noTime).toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('timeout') })
          if (rank > 0) expect(noBytes).toBe(null)
          else expect(noBytes).toMatchObject({ code: 'E_USAGE', message: expect.stringContaining('rank 0 must give') })
        }
      })

      test('a call that is cancelled is over, and the next one is the next', () => {
        const told = results<{ cancelled: unknown; before: unknown; sum: unknown }>('cancelled')
        for (const [rank, { cancelled, before, sum }] of told.entries()) {
          if (rank === 1) expect(cancelled).toMatchObject({ code: 'E_CANCELLED' })
          else expect(cancelled ?? null).toBe(null)
          expect(before).toMatchObject({ code: 'E_CANCELLED' })
          expect(sum).toEqual([size])
        }
      })

      if (size === 1) return
      const isTriedInAll = faults.includes(size)
      const culprits = isTriedInAll ? [1, 0] : [size - 1]

      test.each(culprits)('a rank %i that does not come is named', async (stuck) => {
        const told = (await run(size, 'stuck', String(stuck))).ranks.map(({ result }) => result)
        for (const rank of all)
          expect(told[rank]).toEqual(
            rank === stuck
              ? 'slept'
              : {
                  first: {
                    code: 'E_TIMEOUT',
                    message: `barrier: rank ${stuck} did not come in time`,
                    ranks: [stuck],
                  },
                },
          )
      })

      test.each(culprits)('rank %i ends the job with a reason', async (rank) => {
        const { ranks, error } = await run(size, 'aborts', String(rank))
        const end = peer(rank, `^rank ${rank} ended the job: the disk is full$`)
        expect(ranks).toEqual(all.map(() => ({ result: [end, end] })))
        if (error !== undefined)
          expect(error).toMatchObject({ code: 'E_PEER', message: `rank ${rank} ended the job: the disk is full` })
      })

      test.each(culprits)('that rank %i ends the job is heard without a call', async (rank) => {
        const { ranks } = await run(size, 'hears', String(rank))
        const end = peer(rank, `^rank ${rank} ended the job: the disk is full$`)
        expect(ranks).toEqual(all.map(() => ({ result: { before: false, end } })))
      })

      test.each(culprits)('rank %i dies', async (dead) => {
        const { ranks, error } = await run(size, 'dies', String(dead))
        const end = peer(dead, `^rank ${dead}`, 'has gone')
        expect(ranks).toEqual(all.map((rank) => (rank === dead ? {} : { result: [end, end] })))
        if (error !== undefined)
          expect(error).toMatchObject({
            code: 'E_PEER',
            message: expect.stringMatching(new RegExp(`^rank ${dead} \\(process \\d+\\) was killed by SIGKILL`)),
          })
      })

      if (!isTriedInAll) return

      test('a rank that ends without a word is missed', async () => {
        const { ranks } = await run(size, 'exits', '1')
        expect(ranks).toEqual(all.map((rank) => (rank === 1 ? {} : { result: peer(1, 'rank 1', 'has gone') })))
      })

      test('a rank that has left is named where it is called for', async () => {
        const { ranks } = await run(size, 'leaves', '1')
        expect(ranks).toEqual(
          all.map((rank) => ({
            result:
              rank === 1
                ? { code: 'E_STATE', message: expect.stringContaining('closed'), ranks: [] }
                : peer(1, '^rank 1 has left, and rank \\d calls barrier yet$'),
          })),
        )
      })

      test.each([
        ['differs', 'gather', 'barrier'],
        ['lengths', 'numbers to allReduce', ''],
        ['ops', 'reduces to the', ''],
      ])('ranks that call different things end, and are named: %s', async (scenario, ...words) => {
        const { ranks } = await run(size, scenario)
        const [first] = ranks
        const { message } = (first?.result ?? {}) as { message?: string }
        for (const word of words) expect(message).toContain(word)
        expect(ranks).toEqual(all.map(() => first))
      })

      test('who forgets to close ends all the same', async () => {
        const { ranks } = await run(size, 'forgets')
        expect(ranks).toEqual(all.map(() => ({ result: 'forgot' })))
      })
    })
  })
}
