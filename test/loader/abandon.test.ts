import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { built, child, DIST } from '../cli/built.ts'
import { type PhotoCache, photoCache } from './photo-cache.ts'

/** What a process keeps when its loaders are dropped, killed or used from several threads. */

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(40, 64)
  await built()
})
afterAll(() => photos.remove())

/** Runs the text in a process that can collect garbage at will; what it logs as JSON. */
async function inProcess<T>(body: string): Promise<T> {
  const source = `
    import { readdirSync, readFileSync } from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { Worker } from 'node:worker_threads'
    import { load, openImageCache, randomResizedCrop } from '${DIST}'
    const path = ${JSON.stringify(photos.path)}
    const cache = await openImageCache(path)
    const options = { image: [randomResizedCrop(24)], batchSize: 4, rank: 0, worldSize: 1 }
    const slots = () => readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes('headrace-slot')).length
    const files = () => readdirSync('/proc/self/fd').length
    // Memory of a buffer goes in a finalizer, a turn or more after its collection.
    const collect = async () => { for (let i = 0; i < 6; i++) { gc(); await sleep(20) } }
    const log = (value) => console.log(JSON.stringify(value))
    const workers = (script, data) => new Worker(script, { eval: true, workerData: data })
    ${body}
  `
  const { code, stdout, stderr } = await child(source, ['--expose-gc'])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout) as T
}

describe.skipIf(process.platform !== 'linux')('50 loaders, one batch taken of each and then dropped', () => {
  it('leave no memory and no file behind', async () => {
    const { before, during, after } = await inProcess<
      Record<'before' | 'during' | 'after', readonly [number, number]>
    >(`
      await (async () => { for await (const _ of load(cache, options)) break })()
      await collect()
      const before = [slots(), files()]
      let during
      await (async () => {
        const kept = []
        for (let i = 0; i < 50; i++) {
          const iterator = load(cache, options)[Symbol.asyncIterator]()
          kept.push(iterator, await iterator.next())
        }
        during = [slots(), files()]
      })()
      await collect()
      log({ before, during, after: [slots(), files()] })
    `)
    expect(during[0]).toBeGreaterThanOrEqual(before[0] + 50)
    expect(after).toEqual(before)
  })

  it('give their memory back too where batches are what is kept, once those go', async () => {
    const seen = await inProcess<readonly number[]>(`
      const seen = [slots()]
      await (async () => {
        const batches = []
        for (let i = 0; i < 10; i++) batches.push((await load(cache, options)[Symbol.asyncIterator]().next()).value)
        await collect()
        if (batches.some(({ image }) => image.data.length !== 4 * 24 * 24 * 3)) throw new Error('a batch that is held was taken away')
        seen.push(slots())
      })()
      await collect()
      seen.push(slots())
      log(seen)
    `)
    expect(seen[1]).toBeGreaterThanOrEqual(10)
    expect(seen[2]).toBe(seen[0])
  })
})

describe('250 batches', () => {
  it('leave heap and RSS as they are after 50', async () => {
    const { heap, rss } = await inProcess<{ heap: number; rss: number }>(`
      let batches = 0, start
      const measure = async () => { await collect(); const { heapUsed, rss } = process.memoryUsage(); return { heap: heapUsed, rss } }
      for await (const _ of load(cache, { ...options, epochs: 25 })) if (++batches === 50) start = await measure()
      const end = await measure()
      log({ heap: end.heap - start.heap, rss: end.rss - start.rss })
    `)
    expect(heap).toBeLessThan(512 * 1024)
    expect(rss).toBeLessThan(8 * 2 ** 20)
  })
})

describe('worker threads', () => {
  const WORKER = `
    import { parentPort, workerData } from 'node:worker_threads'
    import(workerData.dist).then(async ({ load, openImageCache, randomResizedCrop }) => {
      const cache = await openImageCache(workerData.path)
      for await (const { meta } of load(cache, { image: [randomResizedCrop(96)], batchSize: 4, epochs: 1000, rank: 0, worldSize: 1 }))
        parentPort.postMessage(meta.step)
    })
  `

  it('that are ended in the middle of their batches leave the process sound, 20 times', async () => {
    const { ended, batches } = await inProcess<{ ended: number; batches: number }>(`
      let ended = 0
      for (let i = 0; i < 20; i++) {
        const worker = workers(${JSON.stringify(WORKER)}, { dist: '${DIST}', path })
        await new Promise((resolve, reject) => worker.once('error', reject).on('message', (step) => step === i % 5 && resolve()))
        await worker.terminate()
        ended++
      }
      let batches = 0
      for await (const { image } of load(cache, options)) batches += image.data.length > 0 ? 1 : 0
      log({ ended, batches })
    `)
    expect({ ended, batches }).toEqual({ ended: 20, batches: 10 })
  })

  it('that get a batch by transfer have its bytes for ever, or the transfer is refused', async () => {
    const { refused, same, rest } = await inProcess<{ refused: boolean; same: boolean; rest: number }>(`
      const iterator = load(cache, options)[Symbol.asyncIterator]()
      const { value: batch } = await iterator.next()
      const expected = Buffer.from(batch.image.data).toString('base64')
      const worker = workers(\`
        import { parentPort } from 'node:worker_threads'
        parentPort.once('message', async ({ buffer, offset, length }) => {
          await new Promise((resolve) => setTimeout(resolve, 200))
          parentPort.postMessage(Buffer.from(buffer, offset, length).toString('base64'))
        })\`)
      const { buffer, byteOffset, length } = batch.image.data
      let refused = false, same = true
      try { worker.postMessage({ buffer, offset: byteOffset, length }, [buffer]) } catch (error) { refused = error.name === 'DataCloneError' }
      // The slot is used again while the worker waits.
      let rest = 0
      while (!(await iterator.next()).done) rest++
      if (!refused) same = await new Promise((resolve) => worker.once('message', (text) => resolve(text === expected)))
      await worker.terminate()
      await collect()
      log({ refused, same, rest })
    `)
    expect(rest).toBe(9)
    expect(refused || same).toBe(true)
  })
})

describe('two loaders at once', () => {
  it('with other thread counts give the batches that each gives alone', async () => {
    const { together, alone } = await inProcess<{ together: readonly string[]; alone: readonly string[] }>(`
      const { createHash } = await import('node:crypto')
      const epoch = async (threads, seed) => {
        const hash = createHash('sha256')
        for await (const { image } of load(cache, { ...options, threads, seed, shuffle: true, epochs: 4 })) hash.update(image.data)
        return hash.digest('hex')
      }
      const together = await Promise.all([epoch(1, 1), epoch(4, 2)])
      log({ together, alone: [await epoch(2, 1), await epoch(1, 2)] })
    `)
    expect(together).toEqual(alone)
    expect(together[0]).not.toBe(together[1])
  })
})
