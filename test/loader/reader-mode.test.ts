import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type S3Server, startS3Server } from '../../src/dev/s3/index.ts'
import { native } from '../../src/native.ts'
import { openStore } from '../../src/storage/open.ts'
import type { GetOptions, Store } from '../../src/storage/types.ts'
import { load } from '../../src/vision/index.ts'
import { own } from './own-dataset.ts'
import { content, putObjects, storeObjects } from './store-objects.ts'
import { startTcpGate } from './tcp-gate.ts'

/** In how many requests an object comes, and what the page cache is told. */

const ONE = { rank: 0, worldSize: 1 } as const
const MIB = 2 ** 20

const running: { close(): Promise<unknown> | undefined }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close()
})

async function bucket(options: object = {}): Promise<{ readonly server: S3Server; readonly store: Store }> {
  const server = await startS3Server()
  const store = await openStore('s3://bucket', {
    endpoint: server.url,
    credentials: { accessKeyId: 'testkey', secretAccessKey: 'testsecret' },
    ...options,
  })
  running.push(server, store)
  await store.createContainer?.()
  return { server, store }
}

async function folder(sync = 'never'): Promise<{ readonly path: string; readonly store: Store }> {
  const path = fs.mkdtempSync(join(tmpdir(), 'headrace-reader-mode-'))
  const store = await openStore(path, { sync })
  running.push({ close: async () => fs.rmSync(path, { recursive: true }) }, store)
  return { path, store }
}

async function checkBytes(store: Store, sizes: readonly number[], options: object): Promise<void> {
  const dataset = await storeObjects(store)
  for await (const { data, meta } of load(dataset, { ...ONE, batchSize: sizes.length, ...options }))
    for (let row = 0; row < meta.size; row++) {
      const size = sizes[row] as number
      const at = row * data.shape[1]
      expect(Buffer.compare(data.data.subarray(at, at + size), content(row, size))).toBe(0)
    }
}

describe('readerMode', () => {
  const sizes = [MIB, 2.5 * MIB, 100, 0, 9 * MIB]

  it("'sequential' asks for each object once, whatever its size", async () => {
    const { server, store } = await bucket({ partSize: MIB })
    await putObjects(store, sizes)
    server.requests.clear()
    await checkBytes(store, sizes, { readerMode: 'sequential' })
    expect(server.requests.count('GetObject')).toBe(5)
  })

  it("'range' asks for parts of partSize", async () => {
    const { server, store } = await bucket()
    await putObjects(store, sizes)
    server.requests.clear()
    await checkBytes(store, sizes, { readerMode: 'range', partSize: MIB, inflightParts: 2 })
    // 1 + 3 + 1 + 1 + 9
    expect(server.requests.count('GetObject')).toBe(15)
    server.requests.clear()
    await checkBytes(store, sizes, { readerMode: 'range', partSize: 4 * MIB })
    expect(server.requests.count('GetObject')).toBe(7)
  })

  it('is the store’s own where it is not said', async () => {
    const { server, store } = await bucket({ partSize: MIB })
    await putObjects(store, sizes)
    server.requests.clear()
    await checkBytes(store, sizes, {})
    // Up to two parts come in one request; of the others the first part, and then parts of 1 MiB: 1 + 3 + 1 + 1 + 9
    expect(server.requests.count('GetObject')).toBe(15)
  })

  it("'range' reads files in parts, too", async () => {
    const { store } = await folder()
    await putObjects(store, sizes)
    for (const inflightParts of [1, 3])
      await checkBytes(store, sizes, { readerMode: 'range', partSize: 300_000, inflightParts })
  })

  it('has no more requests of an object under way than inflightParts', async () => {
    const { server, store } = await bucket()
    await putObjects(store, [8 * MIB])
    const dataset = await storeObjects(store)
    const gate = await startTcpGate(server.port)
    running.push(gate)
    const through = await openStore('s3://bucket', {
      endpoint: `http://127.0.0.1:${gate.port}`,
      credentials: { accessKeyId: 'testkey', secretAccessKey: 'testsecret' },
    })
    running.push(through)
    const remote = await storeObjects(through)
    expect(remote.length).toBe(dataset.length)
    for (const inflightParts of [1, 3]) {
      gate.peak = 0
      for await (const _ of load(remote, { ...ONE, readerMode: 'range', partSize: MIB / 2, inflightParts }));
      // The first part's head tells how many more there are; they begin while it still comes.
      expect(gate.peak).toBeGreaterThanOrEqual(inflightParts)
      expect(gate.peak).toBeLessThanOrEqual(inflightParts + 1)
    }
  })

  it.each([
    [{ partSize: 1024 }, "partSize needs readerMode 'range', but that is undefined"],
    [
      { readerMode: 'sequential', inflightParts: 2 },
      `inflightParts needs readerMode 'range', but that is "sequential"`,
    ],
    [{ readerMode: 'fast' }, 'readerMode must be one of "sequential", "range", but got "fast"'],
    [{ readerMode: 'range', partSize: 0 }, 'partSize must be a positive integer, but got 0'],
  ])('refuses %j', async (options, message) => {
    const store = await openStore('mem://refused')
    await putObjects(store, [1])
    const dataset = await storeObjects(store)
    expect(() => load(dataset, { ...ONE, ...options } as never)).toThrow(message)
  })

  it('is refused where samples are mapped and not read', () => {
    const gather = (_ids: Float64Array, _field: string, _out: unknown) => {}
    const mapped = own({ x: { kind: 'number' } } as const, 4, async () => ({}), { gather } as never)
    expect(() => load(mapped, { ...ONE, readerMode: 'range' })).toThrow(
      'readerMode: the samples of this dataset lie in mapped files and are not read',
    )
    expect(() => load(mapped, { ...ONE, pageCache: 'dontNeed' })).toThrow(
      'pageCache: the samples of this dataset lie in mapped files and are not read',
    )
  })
})

describe('pageCache', () => {
  it('is what every read of the store is told', async () => {
    const { store } = await folder()
    await putObjects(store, [100, 200])
    const told: GetOptions[] = []
    const dataset = await storeObjects(store, {
      async readInto(_id, _field, _into, options) {
        told.push(options ?? {})
      },
    })
    for (const pageCache of ['auto', 'random', 'dontNeed'] as const)
      for await (const _ of load(dataset, { ...ONE, pageCache }));
    expect(told.map((options) => options.pageCache)).toEqual([
      undefined,
      undefined,
      'random',
      'random',
      'dontNeed',
      'dontNeed',
    ])
  })

  it.skipIf(process.platform !== 'linux')(
    "'dontNeed' leaves nothing of the files in memory, 'normal' all",
    async () => {
      // Pages that are not written yet stay.
      const { path, store } = await folder('always')
      if (fs.statfsSync(path).type === 0x01021994) return // tmpfs is nothing but memory
      const size = 4 * MIB
      await putObjects(store, [size, size])
      // Nothing of a file that is mapped, and not read, comes into memory by that.
      const resident = () =>
        fs.readdirSync(path).map((name) => {
          const map = native.mapFile(join(path, name))
          const share = native.residentShare(map)
          native.unmapFile(map)
          return share
        })
      const dataset = await storeObjects(store)
      for await (const _ of load(dataset, { ...ONE, pageCache: 'normal' }));
      expect(resident()).toEqual([1, 1])
      for await (const _ of load(dataset, { ...ONE, pageCache: 'dontNeed' }));
      expect(resident()).toEqual([0, 0])
    },
  )
})
