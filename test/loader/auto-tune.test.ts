import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { fromModule } from '../../src/datasets/module.ts'
import type { Dataset } from '../../src/datasets/types.ts'
import { startS3Server } from '../../src/dev/s3/index.ts'
import { openStore } from '../../src/storage/open.ts'
import { type LoadOptions, load } from '../../src/vision/index.ts'
import { built } from '../cli/built.ts'
import { BYTES, own } from './own-dataset.ts'
import { putObjects, storeObjects } from './store-objects.ts'

/** `autoTune` against the best of what could have been chosen, measured in the same test. */

const ONE = { rank: 0, worldSize: 1, batchSize: 8, epochs: 1000 } as const
const MODULE = fileURLToPath(new URL('modules/slow-decoder.js', import.meta.url))

// Threads run what is compiled.
beforeAll(built, 120_000)

const running: { close(): Promise<unknown> | undefined }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
})

/** Samples a second in the last `last` ms of `ms`. */
async function rateOf(dataset: Dataset, options: LoadOptions, ms: number, last = ms / 2) {
  const loader = load(dataset, { ...ONE, ...options })
  const start = performance.now()
  let samples = 0
  let from = 0
  for await (const { meta } of loader) {
    const now = performance.now()
    if (from > 0) samples += meta.size
    else if (now - start >= ms - last) from = now
    if (now - start < ms) continue
    await loader[Symbol.asyncDispose]().catch(() => {})
    const report = loader.report()
    return { rate: (1000 * samples) / (now - from), report }
  }
  throw new Error('the epochs came to their end')
}

async function best(dataset: Dataset, grid: readonly LoadOptions[]): Promise<number> {
  let most = 0
  for (const options of grid) most = Math.max(most, (await rateOf(dataset, options, 1200, 800)).rate)
  return most
}

describe('autoTune', () => {
  it('asks a slow server for more at once, until that is 90 % of the best there is', async () => {
    const server = await startS3Server({
      seed: 1,
      faults: [{ match: { op: 'GetObject' }, fault: { kind: 'slow-first-byte', ms: 80 } }],
    })
    const store = await openStore('s3://bucket', {
      endpoint: server.url,
      credentials: { accessKeyId: 'testkey', secretAccessKey: 'testsecret' },
    })
    running.push(server, store)
    await store.createContainer?.()
    await putObjects(store, new Array(64).fill(100))
    const dataset = await storeObjects(store, { length: 64_000 })
    const bounds = { maxPrefetch: 8, maxInflight: 16 }
    const tuned = await rateOf(dataset, { batchSize: 4, prefetch: 1, inflight: 2, autoTune: bounds }, 10_000, 2000)
    const grid = [1, 4, 8].flatMap((prefetch) => [2, 8, 16].map((inflight) => ({ batchSize: 4, prefetch, inflight })))
    const reached = tuned.rate / (await best(dataset, grid))
    expect(new Set(tuned.report.tuning.map(({ knob }) => knob))).toEqual(new Set(['inflight', 'prefetch']))
    expect(tuned.report.tuning[0]?.reason).toMatch(
      /^the consumer waits \d+ % of the time, samples .*wait for their turn/,
    )
    expect(tuned.report.flow).toEqual({ prefetch: expect.any(Number), inflight: 16, workers: 0 })
    expect(reached).toBeGreaterThanOrEqual(0.9)
  }, 60_000)

  it('gives a slow decoder more workers, until that is 90 % of the best there is', async () => {
    const dataset = await fromModule(MODULE, { options: { length: 64_000, ms: 6 } })
    const tuned = await rateOf(dataset, { workers: 1, autoTune: { maxWorkers: 4 } }, 8000, 2000)
    const reached =
      tuned.rate /
      (await best(
        dataset,
        [1, 2, 3, 4].map((workers) => ({ workers })),
      ))
    expect(tuned.report.tuning[0]).toMatchObject({ knob: 'workers', from: 1, to: 2 })
    expect(tuned.report.tuning[0]?.reason).toMatch(
      /^the consumer waits \d+ % of the time, threads that read are busy \d+ %$/,
    )
    expect(tuned.report.flow.workers).toBe(4)
    expect(reached).toBeGreaterThanOrEqual(0.9)
  }, 60_000)

  it('moves nothing where the consumer is what is slow', async () => {
    const dataset = own(BYTES, 64, async () => ({ b: new Uint8Array(8) }))
    const loader = load(dataset, { ...ONE, autoTune: true })
    let batches = 0
    for await (const _ of loader) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      if (++batches === 120) break
    }
    expect(loader.report().tuning).toEqual([])
  })

  it.each([
    [{ autoTune: 'yes' }, 'autoTune must be true or false, but got "yes"'],
    [{ autoTune: { maxPrefetch: 0 } }, 'autoTune.maxPrefetch must be an integer from 1 to 1024, but got 0'],
    [{ autoTune: { most: 3 } }, 'autoTune has no option "most"'],
  ])('refuses %j', (options, message) => {
    const dataset = own(BYTES, 4, async () => ({ b: new Uint8Array(8) }))
    expect(() => load(dataset, { ...ONE, ...options } as never)).toThrow(message)
  })
})
