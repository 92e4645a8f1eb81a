import { describe, expect, it } from 'vitest'
import type { Dataset, Sample } from '../../src/datasets/types.ts'
import { HeadraceError } from '../../src/errors.ts'
import { type LoadOptions, load } from '../../src/vision/index.ts'
import { built, child, DIST } from '../cli/built.ts'

/** Datasets that are not ours: they hang, they throw what they like, they give what they should not. */

type Numbers = {
  readonly x: { readonly kind: 'number'; readonly dtype: 'int64' }
  readonly name: { readonly kind: 'string' }
}

function numbers(read: (id: number) => Promise<Sample>, length = 12): Dataset<Numbers> {
  return {
    length,
    schema: { x: { kind: 'number', dtype: 'int64' }, name: { kind: 'string' } },
    fingerprint: 'numbers',
    describe: (id) => `row ${id}`,
    read,
    async close() {},
  }
}

const good = async (id: number): Promise<Sample> => ({ x: BigInt(id * id), name: `n${id}` })
const never = new Promise<never>(() => {})

async function run(dataset: Dataset<Numbers>, options: LoadOptions = {}) {
  const loader = load(dataset, { batchSize: 4, rank: 0, worldSize: 1, ...options })
  const seen: [bigint, string][] = []
  const all = async () => {
    for await (const { x, name } of loader)
      for (const [row, value] of x.data.entries()) seen.push([value as bigint, name[row] as string])
  }
  const error: unknown = await all().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  loader.close()
  return { seen, error, report: loader.report() }
}

describe('a dataset of numbers and strings', () => {
  it('is delivered as int64 and strings, in order', async () => {
    const { seen, error } = await run(numbers(good))
    expect(error).toBeUndefined()
    expect(seen).toEqual(Array.from({ length: 12 }, (_, id) => [BigInt(id * id), `n${id}`]))
  })

  it('is read once a sample for all fields, and not ahead of prefetch', async () => {
    const reads: number[] = []
    const dataset = numbers(async (id) => {
      reads.push(id)
      return good(id)
    }, 400)
    const iterator = load(dataset, { batchSize: 10, prefetch: 3, rank: 0, worldSize: 1 })[Symbol.asyncIterator]()
    await iterator.next()
    // Ten in hand, and three batches being made.
    expect(reads).toEqual([...Array(40).keys()])
    await iterator.return?.()
  })
})

describe('a read that never ends', () => {
  it('is E_TIMEOUT after `timeout`, with what came before delivered', async () => {
    const { seen, error } = await run(
      numbers((id) => (id === 5 ? never : good(id))),
      { timeout: 60 },
    )
    expect(error).toMatchObject({
      name: 'HeadraceError',
      code: 'E_TIMEOUT',
      message: expect.stringMatching(
        /^no batch within timeout \(60 ms\): waiting for row 5 \(sample 5, since \d+ ms\)$/,
      ),
    })
    expect(seen.length).toBe(4)
  })

  it('ends with the signal, at once', async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(new Error('enough')), 30)
    const { error } = await run(
      numbers(() => never),
      { signal: stop.signal },
    )
    expect(error).toMatchObject({ code: 'E_CANCELLED', cause: { message: 'enough' } })
  })

  it('does not hold up a loop that is left by break or by an error of its own', async () => {
    const loop = async (leave: () => void) => {
      for await (const _ of load(
        numbers((id) => (id === 5 ? never : good(id))),
        { batchSize: 4, rank: 0, worldSize: 1 },
      )) {
        leave()
        break
      }
    }
    await loop(() => {})
    const mine = () => {
      throw new Error('mine')
    }
    await expect(loop(mine)).rejects.toThrow('mine')
  }, 10_000)

  it('does not keep the process alive', async () => {
    await built()
    const { code, stdout } = await child(`
      import { load } from '${DIST}'
      const dataset = { length: 4, schema: { x: { kind: 'number', dtype: 'float32' } }, fingerprint: '', describe: String, read: () => new Promise(() => {}), close: async () => {} }
      try { for await (const _ of load(dataset, { timeout: 50, rank: 0, worldSize: 1 })); } catch ({ code }) { console.log(code) }
    `)
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'E_TIMEOUT\n' })
  })
})

describe('a read that fails', () => {
  const mine = new TypeError('not one of yours')

  it.each(['throw', 'skip', 'replace'] as const)(
    'with an error that is not ours names the sample and keeps the cause, under %s',
    async (onError) => {
      const { seen, error } = await run(
        numbers((id) => (id === 6 ? Promise.reject(mine) : good(id))),
        { onError },
      )
      expect(error).toMatchObject({
        message: `sample 6 (row 6): ${mine.message}`,
        details: { sample: 6, key: 'row 6' },
        cause: mine,
      })
      expect(seen.length).toBe(4)
    },
  )

  it('before it returns a promise does the same', async () => {
    const dataset = numbers((id) => {
      if (id === 6) throw mine
      return good(id)
    })
    const { seen, error } = await run(dataset)
    expect(error).toMatchObject({ message: `sample 6 (row 6): ${mine.message}`, cause: mine })
    expect(seen.length).toBe(4)
  })

  const gone = (id: number) => Promise.reject(new HeadraceError('E_NOT_FOUND', `row ${id} has gone`))

  it('with one of ours names the first sample of the batch that failed, whichever failed first', async () => {
    const dataset = numbers(async (id) => {
      if (id !== 4 && id !== 6) return good(id)
      await new Promise((resolve) => setTimeout(resolve, id === 4 ? 40 : 0))
      return gone(id)
    })
    const { error } = await run(dataset)
    expect(error).toMatchObject({
      code: 'E_NOT_FOUND',
      message: 'sample 4 (row 4), field x: has gone',
      details: { sample: 4, key: 'row 4', field: 'x' },
    })
  })

  it('with one of ours is left out under skip', async () => {
    const { seen, report } = await run(
      numbers((id) => (id % 5 === 1 ? gone(id) : good(id))),
      { onError: 'skip' },
    )
    expect(seen.map(([, name]) => name)).toEqual(['n0', 'n2', 'n3', 'n4', 'n5', 'n7', 'n8', 'n9', 'n10'])
    expect(report.faults.map(({ sample, field }) => [sample, field])).toEqual([
      [1, 'x'],
      [6, 'x'],
      [11, 'x'],
    ])
    expect(report).toMatchObject({ skipped: 3, replaced: 0 })
    expect(report.faults[0]?.reason).toBe('has gone')
  })

  it.each([undefined, null, 7])('with %s in place of a sample is a bad sample', async (nothing) => {
    const dataset = numbers(async (id) => (id === 6 ? (nothing as unknown as Sample) : good(id)))
    const reason = `read must give a sample, but gave ${nothing}`
    expect((await run(dataset)).error).toMatchObject({ message: `sample 6 (row 6), field x: ${reason}` })
    const { seen, report } = await run(dataset, { onError: 'skip' })
    expect(seen.length).toBe(11)
    expect(report.faults).toEqual([{ sample: 6, key: 'row 6', field: 'x', code: 'E_CORRUPT', reason }])
  })
})
