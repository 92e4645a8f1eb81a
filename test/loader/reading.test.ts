import { describe, expect, it } from 'vitest'
import { HeadraceError } from '../../src/errors.ts'
import { load } from '../../src/vision/index.ts'
import { BYTES, own } from './own-dataset.ts'

/** How much is read at once and ahead, and what is said of a batch that does not come. */

const ONE = { rank: 0, worldSize: 1 } as const
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Counts reads that are under way. */
function counted(length: number, bytes: number, ms: number) {
  const seen = { now: 0, peak: 0, begun: 0 }
  const begin = async () => {
    seen.begun++
    seen.peak = Math.max(seen.peak, ++seen.now)
    await sleep(ms)
    seen.now--
  }
  const inPlace = own(BYTES, length, async () => ({}), {
    sizes: (ids, _, out) => void out.fill(bytes, 0, ids.length),
    readInto: begin,
  })
  const whole = own(BYTES, length, async () => {
    await begin()
    return { b: new Uint8Array(bytes) }
  })
  return { seen, inPlace, whole }
}

describe('inflight', () => {
  it.each(['inPlace', 'whole'] as const)(
    'bounds the samples that are read at once, over all batches: %s',
    async (way) => {
      const { seen, [way]: dataset } = counted(200, 64, 2)
      let samples = 0
      for await (const { meta } of load(dataset, { ...ONE, batchSize: 10, prefetch: 8, inflight: 7 }))
        samples += meta.size
      expect(samples).toBe(200)
      expect(seen.peak).toBe(7)
    },
  )

  it('is 64 when absent', async () => {
    const { seen, inPlace } = counted(400, 64, 5)
    for await (const _ of load(inPlace, { ...ONE, batchSize: 50, prefetch: 4 }));
    expect(seen.peak).toBe(64)
  })
})

describe('prefetch', () => {
  it('makes so many batches ahead of the one in use, and no more', async () => {
    const { seen, inPlace } = counted(400, 64, 0)
    const loader = load(inPlace, { ...ONE, batchSize: 10, prefetch: 5, inflight: 1000 })
    const iterator = loader[Symbol.asyncIterator]()
    await iterator.next()
    await sleep(50)
    expect(seen.begun).toBe(60)
    await iterator.next()
    await sleep(50)
    expect(seen.begun).toBe(70)
    await iterator.return()
  })

  it('in bytes stops sooner, but never before one', async () => {
    const { seen, inPlace } = counted(400, 1000, 0)
    const begun = async (prefetchBytes: number) => {
      seen.begun = 0
      const iterator = load(inPlace, { ...ONE, batchSize: 10, prefetch: 20, prefetchBytes })[Symbol.asyncIterator]()
      await iterator.next()
      await sleep(50)
      await iterator.return()
      return seen.begun
    }
    // A batch takes ids, columns and 10 rows of 1,024 bytes: 10,496 bytes.
    expect(await begun(1)).toBe(20)
    expect(await begun(3 * 10_496)).toBe(40)
    expect(await begun(3 * 10_496 - 1)).toBe(30)
  })
})

describe('collateBufferSize', () => {
  it('bounds the samples that are held for batches that are not complete', async () => {
    const { seen, whole } = counted(400, 64, 20)
    for await (const _ of load(whole, { ...ONE, batchSize: 10, prefetch: 16, collateBufferSize: 30, inflight: 400 }));
    expect(seen.peak).toBe(30)
  })

  it('lets one batch be made that is larger', async () => {
    const { seen, whole } = counted(100, 64, 5)
    for await (const _ of load(whole, { ...ONE, batchSize: 50, prefetch: 16, collateBufferSize: 30 }));
    expect(seen.peak).toBe(50)
  })
})

describe('a consumer that is slower than what it is fed by', () => {
  it('holds no more than the batches ahead, however long it takes', async () => {
    const { seen, inPlace } = counted(1000, 2 ** 16, 0)
    const loader = load(inPlace, { ...ONE, batchSize: 10, prefetch: 3 })
    let batches = 0
    for await (const _ of loader) {
      batches++
      await sleep(5)
      expect(seen.begun).toBeLessThanOrEqual(10 * (batches + 3))
      expect(loader.slotBytes).toBeLessThanOrEqual(4 * 2 ** 21)
    }
    expect(batches).toBe(100)
    expect(loader.report().waited).toBeLessThan(2000)
    loader.close()
  })
})

describe('timeout', () => {
  const hanging = (hangs: (id: number) => boolean, more: { ms?: number; signals?: AbortSignal[] } = {}) =>
    own(BYTES, 40, async () => ({}), {
      describe: (id) => `key-${id}`,
      sizes: (ids, _, out) => void out.fill(8, 0, ids.length),
      readInto: (id, _field, _into, { signal } = {}) =>
        new Promise((resolve, reject) => {
          if (signal !== undefined && hangs(id)) more.signals?.push(signal)
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
          if (!hangs(id)) setTimeout(resolve, 1)
        }),
    })

  it('names the samples that a batch waits for, the slowest first, and ends their reading', async () => {
    const signals: AbortSignal[] = []
    const loader = load(
      hanging((id) => id === 13 || id === 17, { signals }),
      {
        ...ONE,
        batchSize: 10,
        prefetch: 1,
        timeout: 100,
      },
    )
    const steps: number[] = []
    const failure = await (async () => {
      for await (const { meta } of loader) steps.push(meta.step)
    })().catch((error: HeadraceError) => error)
    expect(steps).toEqual([0])
    expect(failure).toMatchObject({ code: 'E_TIMEOUT', details: { key: 'key-13', sample: 13 } })
    expect((failure as HeadraceError).message).toMatch(
      /^no batch within timeout \(100 ms\): waiting for key-13 \(sample 13, since \d+ ms\), key-17 \(sample 17, since \d+ ms\)$/,
    )
    expect(signals.length).toBe(2)
    expect(signals.every((signal) => signal.aborted)).toBe(true)
  })

  it('names five of many, and those that were not begun', async () => {
    const loader = load(
      hanging(() => true),
      { ...ONE, batchSize: 10, inflight: 3, timeout: 50 },
    )
    await expect(loader[Symbol.asyncIterator]().next()).rejects.toThrow(
      /waiting for (key-\d \(sample \d, since \d+ ms\), ){3}key-3 \(sample 3, not begun\), key-4 \(sample 4, not begun\), and 5 more$/,
    )
  })

  it('is of each batch: many that come in time take longer together', async () => {
    const loader = load(
      hanging(() => false),
      { ...ONE, batchSize: 2, timeout: 200 },
    )
    let batches = 0
    for await (const _ of loader) {
      batches++
      await sleep(15)
    }
    expect(batches).toBe(20)
  })
})

describe('what ends the reading of a batch', () => {
  it('is the first failure that is not about one sample: nothing else of the batch is begun', async () => {
    let begun = 0
    const dataset = own(BYTES, 100, async () => ({}), {
      sizes: (ids, _, out) => void out.fill(8, 0, ids.length),
      async readInto(id) {
        begun++
        await sleep(id === 2 ? 5 : 40)
        if (id === 2) throw new HeadraceError('E_NETWORK', 'the line is cut')
      },
    })
    const loader = load(dataset, { ...ONE, batchSize: 100, inflight: 4, onError: 'skip' })
    await expect(loader[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'E_NETWORK',
      message: 'the line is cut',
    })
    expect(begun).toBe(4)
  })

  it('is a break, too, at once', async () => {
    const ended: unknown[] = []
    const dataset = own(BYTES, 100, async () => ({}), {
      sizes: (ids, _, out) => void out.fill(8, 0, ids.length),
      readInto: (id, _field, _into, { signal } = {}) =>
        new Promise((resolve, reject) => {
          signal?.addEventListener('abort', () => {
            ended.push(signal.reason)
            reject(signal.reason)
          })
          if (id < 10) resolve()
        }),
    })
    const start = performance.now()
    for await (const _ of load(dataset, { ...ONE, batchSize: 10, prefetch: 2 })) {
      await sleep(10)
      break
    }
    expect(performance.now() - start).toBeLessThan(500)
    expect(ended.length).toBe(20)
    expect(ended[19]).toMatchObject({ code: 'E_CANCELLED' })
  })
})
