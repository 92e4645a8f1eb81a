import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type FaultRule, type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { openStore } from '../../src/storage/open.ts'
import type { Store } from '../../src/storage/types.ts'
import { type LoadOptions, load } from '../../src/vision/index.ts'
import { content, keyOf, putObjects, storeObjects } from './store-objects.ts'

/** Objects that are others than they were when they were listed, and a server that fails. */

const ONE = { rank: 0, worldSize: 1 } as const
const SIZE = 5000
const KEYS = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const running: { close(): Promise<unknown> | undefined }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
})

async function bucket(faults: readonly FaultRule[] = [], options: object = {}) {
  const server = await startS3Server({ faults })
  const store = await openStore('s3://bucket', { endpoint: server.url, credentials: KEYS, baseDelay: 5, ...options })
  running.push(server, store)
  await store.createContainer?.()
  return { server, store }
}

async function files(): Promise<{ readonly store: Store }> {
  const path = fs.mkdtempSync(join(tmpdir(), 'headrace-changing-'))
  const store = await openStore(path, { sync: 'never' })
  running.push({ close: async () => fs.rmSync(path, { recursive: true }) }, store)
  return { store }
}

const open = async (store: Store, options: LoadOptions) => load(await storeObjects(store), { ...ONE, ...options })

/** The ids of an epoch, each with all bytes of its object. */
async function epoch(loader: Awaited<ReturnType<typeof open>>): Promise<number[]> {
  const ids: number[] = []
  for await (const { data, meta } of loader) {
    for (let row = 0; row < meta.size; row++) {
      const id = Number(meta.index.data[row])
      const at = row * data.shape[1]
      expect(Buffer.compare(data.data.subarray(at, at + SIZE), content(id, SIZE))).toBe(0)
      ids.push(id)
    }
  }
  return ids
}

describe.each([
  ['the development S3 server', bucket],
  ['files', files],
  ['memory', async () => ({ store: await openStore('mem://changing') })],
])('in the middle of an epoch over %s', (_, make) => {
  const changes: readonly (readonly [string, (store: Store) => Promise<unknown>, string])[] = [
    ['vanishes', remove, 'E_NOT_FOUND'],
    ['changes', (store) => store.put(keyOf(7), content(99, SIZE)), 'E_STATE'],
    ['is truncated', (store) => store.put(keyOf(7), content(7, SIZE - 1000)), 'E_STATE'],
    ['grows', (store) => store.put(keyOf(7), content(7, SIZE + 1000)), 'E_STATE'],
  ]

  it.each(changes)(
    'an object that %s is told by its name, or skipped, and nothing of it is delivered',
    async (_, change, code) => {
      const { store } = await make()
      for (const onError of ['throw', 'skip'] as const) {
        await putObjects(store, new Array(20).fill(SIZE))
        const loader = await open(store, { batchSize: 4, prefetch: 1, inflight: 1, onError })
        const iterator = loader[Symbol.asyncIterator]()
        await iterator.next()
        await sleep(20)
        // Batch 1, which has object 7, is made by now; another epoch meets the change.
        await change(store)
        await iterator.return()
        loader.setEpoch(1)
        if (onError === 'throw') {
          await expect(epoch(loader)).rejects.toMatchObject({
            code,
            details: { key: keyOf(7), sample: 7, field: 'data' },
          })
          continue
        }
        expect(await epoch(loader)).toEqual([...Array(20).keys()].filter((id) => id !== 7))
        expect(loader.report()).toMatchObject({ skipped: 1, faults: [{ sample: 7, key: keyOf(7), code }] })
      }
    },
  )
})

async function remove(store: Store): Promise<void> {
  for await (const _ of store.delete([keyOf(7)]));
}

describe('a server', () => {
  const all = [...Array(40).keys()]
  const fault = (rule: FaultRule['fault'], more: Partial<FaultRule> = {}): FaultRule => ({
    match: { op: 'GetObject' },
    fault: rule,
    ...more,
  })

  it.each<[string, readonly FaultRule[], object]>([
    ['slows down', [fault({ kind: 'slow-down' }, { every: 5 })], {}],
    ['resets connections', [fault({ kind: 'reset', when: 'mid-body' }, { every: 6 })], {}],
    ['ends bodies too soon', [fault({ kind: 'short-body' }, { every: 6 })], {}],
    ['stalls', [fault({ kind: 'stall' }, { every: 9 })], { stallTimeout: 200, firstByteTimeout: 500 }],
  ])(
    'that %s now and then costs time, and no sample',
    async (_, faults, options) => {
      const { store } = await bucket(faults, options)
      await putObjects(store, new Array(40).fill(SIZE))
      const loader = await open(store, { batchSize: 8 })
      expect(await epoch(loader)).toEqual(all)
      expect(loader.report()).toMatchObject({ skipped: 0, faults: [] })
    },
    30_000,
  )

  it('that stalls for good is an error within the time that a batch has, which names the key', async () => {
    const { store } = await bucket([fault({ kind: 'stall' }, { match: { op: 'GetObject', key: keyOf(9) } })])
    await putObjects(store, new Array(20).fill(SIZE))
    const loader = await open(store, { batchSize: 5, timeout: 1000 })
    const start = performance.now()
    await expect(epoch(loader)).rejects.toMatchObject({ code: 'E_TIMEOUT', details: { key: keyOf(9), sample: 9 } })
    expect(performance.now() - start).toBeLessThan(3000)
  })

  it('that restarts in the middle of an epoch is waited for', async () => {
    const dir = fs.mkdtempSync(join(tmpdir(), 'headrace-restart-'))
    running.push({ close: async () => fs.rmSync(dir, { recursive: true }) })
    let server: S3Server = await startS3Server({ dir })
    running.push({ close: () => server.close() })
    const store = await openStore('s3://bucket', {
      endpoint: server.url,
      credentials: KEYS,
      attempts: 10,
      baseDelay: 50,
    })
    running.push(store)
    await store.createContainer?.()
    await putObjects(store, new Array(40).fill(SIZE))
    const loader = await open(store, { batchSize: 4, prefetch: 1 })
    const ids: number[] = []
    for await (const { meta } of loader) {
      ids.push(...[...meta.index.data].map(Number))
      if (meta.step !== 3) continue
      const { port } = server
      await server.close()
      setTimeout(async () => {
        server = await startS3Server({ dir, port })
      }, 300)
    }
    expect(ids).toEqual(all)
  }, 30_000)

  it('that is gone is an error of the network, and leaves nothing behind', async () => {
    const { server, store } = await bucket([], { attempts: 2 })
    await putObjects(store, new Array(20).fill(SIZE))
    const loader = await open(store, { batchSize: 5, prefetch: 1, onError: 'skip' })
    const iterator = loader[Symbol.asyncIterator]()
    await iterator.next()
    await server.close()
    running.splice(running.indexOf(server), 1)
    await expect(
      (async () => {
        for (;;) if ((await iterator.next()).done) return
      })(),
    ).rejects.toMatchObject({ code: 'E_NETWORK' })
    expect(loader.slotBytes).toBe(0)
  })
})
