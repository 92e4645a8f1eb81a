import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { fromModule } from '../../src/datasets/module.ts'
import type { HeadraceError } from '../../src/errors.ts'
import { native } from '../../src/native.ts'
import { load } from '../../src/vision/index.ts'
import { built, child, DIST } from '../cli/built.ts'
import { BYTES, own } from './own-dataset.ts'

/** Worker threads that fetch and parse. */

const ONE = { rank: 0, worldSize: 1 } as const
const MODULE = fileURLToPath(new URL('modules/slow-decoder.js', import.meta.url))
const slow = (options: object) => fromModule(MODULE, { options })

// Threads run what is compiled.
beforeAll(built, 120_000)

/** Which threads read the rows of a batch, as the dataset writes it into them. */
function threadsOf(b: { readonly data: Uint8Array; readonly shape: readonly [number, number] }): number[] {
  return Array.from({ length: b.shape[0] }, (_, row) =>
    new DataView(b.data.buffer, b.data.byteOffset + row * b.shape[1]).getUint32(0, true),
  )
}

type Slow = {
  b: { data: Uint8Array; shape: readonly [number, number] }
  name: string[]
  label: { data: BigInt64Array }
}

describe.each([
  ['in place', true],
  ['to memory of its own', false],
])('a dataset that is read %s', (_, inPlace) => {
  it('gives the same batches with workers as without', async () => {
    const dataset = await slow({ length: 50, size: 300, inPlace })
    const batches = async (workers: number) => {
      const all: unknown[] = []
      const loader = load(dataset, { ...ONE, batchSize: 8, workers, shuffle: true, epochs: 2 })
      for await (const batch of loader) {
        const { b, name, label, meta } = batch as typeof batch & Slow
        const rows = Array.from({ length: meta.size }, (_, row) => {
          const at = row * b.shape[1]
          return [...b.data.subarray(at + 4, at + b.shape[1])]
        })
        all.push({ ids: [...meta.index.data], rows, name, label: [...label.data] })
      }
      await loader[Symbol.asyncDispose]()
      return all
    }
    const alone = await batches(0)
    expect(alone.length).toBe(14)
    expect(await batches(3)).toEqual(alone)
    expect(native.sharedSlots()).toBe(0)
  })

  it('is read by all of them', async () => {
    const loader = load(await slow({ length: 40, inPlace }), { ...ONE, batchSize: 10, workers: 2 })
    const threads = new Set<number>()
    for await (const batch of loader)
      for (const thread of threadsOf((batch as typeof batch & Slow).b)) threads.add(thread)
    const report = loader.report()
    expect([...threads].sort()).toEqual(report.workers.map(({ thread }) => thread).sort())
    expect(report.workers.map(({ id, samples }) => [id, samples > 0])).toEqual([
      [1, true],
      [2, true],
    ])
    expect(report.flow).toEqual({ prefetch: 2, inflight: 64, workers: 2 })
    await loader[Symbol.asyncDispose]()
  })

  it('has bad samples like any other', async () => {
    const dataset = await slow({ length: 20, fails: [3, 11], inPlace })
    const loader = load(dataset, { ...ONE, batchSize: 10, workers: 2, onError: 'skip' })
    const sizes: number[] = []
    for await (const { meta } of loader) sizes.push(meta.size)
    expect(sizes).toEqual([9, 9])
    expect(loader.report().faults.map(({ sample, code, reason }) => ({ sample, code, reason }))).toEqual([
      { sample: 3, code: 'E_NOT_FOUND', reason: 'sample 3 is broken' },
      { sample: 11, code: 'E_NOT_FOUND', reason: 'sample 11 is broken' },
    ])
    await loader[Symbol.asyncDispose]()
  })

  it('tells which worker died, and the next iteration has another in its place', async () => {
    const dataset = await slow({ length: 20, exits: [7], inPlace })
    const loader = load(dataset, { ...ONE, batchSize: 10, workers: 2, persistentWorkers: true })
    await expect(loader[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'E_SERVER',
      message: 'worker 2 of the loader has died: it ended with 3',
    })
    loader.setEpoch(0)
    await expect(loader[Symbol.asyncIterator]().next()).rejects.toThrow('worker 3 of the loader has died')
    await loader[Symbol.asyncDispose]()
  })
})

describe('a slow decoder', () => {
  it('is as much faster as there are workers', async () => {
    const dataset = await slow({ length: 160, ms: 10 })
    const seconds = async (workers: number) => {
      const loader = load(dataset, { ...ONE, batchSize: 10, workers })
      let start = 0
      // The first batches also take what it takes to start threads.
      for await (const { meta } of loader) if (meta.step === 3) start = performance.now()
      await loader[Symbol.asyncDispose]()
      return performance.now() - start
    }
    const one = await seconds(1)
    expect(one).toBeGreaterThan(900)
    expect(await seconds(4)).toBeLessThan(one / 2)
  })

  it('has its keys named where it is too slow', async () => {
    const loader = load(await slow({ length: 40, ms: 300 }), { ...ONE, workers: 1, timeout: 1000 })
    const failure = await loader[Symbol.asyncIterator]()
      .next()
      .catch((error: HeadraceError) => error)
    expect(failure).toMatchObject({ code: 'E_TIMEOUT' })
    expect((failure as HeadraceError).message).toMatch(/waiting for slow-\d+ \(sample \d+, since \d+ ms\)/)
    await loader[Symbol.asyncDispose]()
  })
})

describe('persistentWorkers', () => {
  const idsByEpoch = async (persistentWorkers: boolean) => {
    const loader = load(await slow({ length: 20 }), { ...ONE, batchSize: 10, workers: 2, persistentWorkers, epochs: 3 })
    const threads: number[][] = []
    const ids: number[][] = []
    for await (const batch of loader) {
      threads[batch.meta.epoch] = [...new Set(threadsOf((batch as typeof batch & Slow).b))]
      ids[batch.meta.epoch] = loader.report().workers.map(({ id }) => id)
    }
    await loader[Symbol.asyncDispose]()
    return { threads, ids }
  }

  it('stay from one epoch to the next', async () => {
    const { threads, ids } = await idsByEpoch(true)
    expect(ids).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ])
    expect(threads[1]?.sort()).toEqual(threads[0]?.sort())
    expect(threads[2]?.sort()).toEqual(threads[0]?.sort())
  })

  it('are others each epoch where they do not', async () => {
    const { threads, ids } = await idsByEpoch(false)
    expect(ids).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ])
    expect(new Set(threads.flat()).size).toBe(6)
  })
})

describe('worker threads', () => {
  it('are refused for what cannot be opened again, and not started where nothing is read', async () => {
    const dataset = own(BYTES, 4, async () => ({ b: new Uint8Array(1) }))
    expect(() => load(dataset, { ...ONE, workers: 2 })).toThrow('workers cannot open this dataset: it has no spec')
    expect(() => load({ ...dataset, spec: { kind: 'x' }, randomAccess: false }, { ...ONE, workers: 2 })).toThrow(
      'workers cannot open this dataset: its samples come in order only',
    )
    const gather = (ids: Float64Array, _: string, out: ArrayLike<unknown>) => void (out as Float64Array).set(ids)
    const numbers = own({ x: { kind: 'number' } } as const, 4, async () => ({}), { gather } as never)
    const loader = load(numbers, { ...ONE, workers: 2 })
    for await (const { x } of loader) expect([...x.data]).toEqual([0, 1, 2, 3])
    expect(loader.report()).toMatchObject({ workers: [], flow: { workers: 0 } })
  })

  it('say why the dataset does not open there', async () => {
    const dataset = Object.assign(
      own(BYTES, 4, async () => ({ b: new Uint8Array(1) })),
      { spec: { kind: 'nonsense' } },
    )
    await expect(
      load(dataset, { ...ONE, workers: 1 })
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('nonsense'),
    })
  })

  it('end with the process, also by SIGTERM in the middle of a batch, and with a loader that is closed', async () => {
    const source = (body: string) => `
      import { setTimeout as sleep } from 'node:timers/promises'
      import { fromModule, load } from '${DIST}'
      const dataset = await fromModule(${JSON.stringify(MODULE)}, { options: { length: 400, ms: 5 } })
      const loader = load(dataset, { batchSize: 10, workers: 2, rank: 0, worldSize: 1 })
      const iterator = loader[Symbol.asyncIterator]()
      await iterator.next()
      ${body}
    `
    const start = performance.now()
    await expect(child(source("process.kill(process.pid, 'SIGTERM'); await sleep(10_000)"))).resolves.toMatchObject({
      stderr: expect.stringMatching(/^\s*ended by SIGTERM$/),
    })
    // Nothing keeps the process: neither a batch that nobody took nor threads that are idle.
    await expect(child(source('loader.close()'))).resolves.toMatchObject({ code: 0, stderr: '' })
    expect(performance.now() - start).toBeLessThan(9_000)
  })
})

describe('fromModule', () => {
  it('gives a dataset whose spec opens it again', async () => {
    const dataset = await fromModule(MODULE, { options: { length: 3 } })
    expect(dataset.spec).toEqual({
      kind: 'module',
      url: new URL('modules/slow-decoder.js', import.meta.url).href,
      options: { length: 3 },
    })
    expect(dataset.length).toBe(3)
    expect(await dataset.read(2, { fields: ['name'] })).toEqual({ name: 'name of 2', label: 2n })
  })

  it.each([
    ['https://example.org/x.js', {}, 'url must be a file: URL or a path, but got "https://example.org/x.js"'],
    [MODULE, { name: 'notAFunction' }, 'must export a function notAFunction, but that is 7'],
    [MODULE, { nam: 'x' }, 'fromModule has no option "nam"'],
  ])('refuses %s with %j', async (url, options, message) => {
    await expect(fromModule(url, options as never)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining(message),
    })
  })
})
