import { statSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Engine } from '../../src/bridge/engine.ts'
import { loadOperation } from '../../src/bridge/load.ts'
import { OpenDatasets } from '../../src/bridge/open-datasets.ts'
import type { Dataset, Schema } from '../../src/datasets/types.ts'
import { HeadraceError } from '../../src/errors.ts'
import { load, openImageCache, randomResizedCrop } from '../../src/vision/index.ts'
import { own } from '../loader/own-dataset.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'
import { batchOf, EngineClient, readSlab, type SentBatch, slabsOf } from './engine-client.ts'

const MIB = 2 ** 20
let photos: PhotoCache
let engine: Engine
/** Kinds of datasets, in the order in which they were opened and closed. */
const opened: string[] = []
const closed: string[] = []
let gate: Promise<void> = Promise.resolve()

const NUMBERS = own({ n: { kind: 'number', dtype: 'int32' }, s: { kind: 'string' } }, 10, async (id) => {
  await gate
  return { n: id * id, s: `é${id}` }
})

const LARGE = own({ b: { kind: 'tensor', dtype: 'uint8', shape: [MIB] } }, 100, async (id) => ({
  b: new Uint8Array(MIB).fill(id),
}))

const BROKEN = own({ n: { kind: 'number' } }, 10, async (id) => {
  if (id === 4) throw new HeadraceError('E_CORRUPT', 'row 4: torn', { key: 'row 4' })
  return { n: id }
})

beforeAll(async () => {
  photos = await photoCache(20)
  const known: Record<string, Dataset<Schema>> = {
    numbers: NUMBERS,
    shared: NUMBERS,
    large: LARGE,
    broken: BROKEN,
    photos: photos.cache,
  }
  const datasets = new OpenDatasets(async ({ kind }) => {
    opened.push(kind)
    const dataset = known[kind]
    if (dataset === undefined) throw new HeadraceError('E_NOT_FOUND', `no ${kind}`)
    if (kind === 'photos') return openImageCache<Schema>(photos.path)
    const shared = Object.create(dataset, { close: { value: async () => void closed.push(kind) } })
    return shared
  })
  engine = await Engine.start({ version: '1', operations: { load: loadOperation(datasets) } })
})

afterAll(async () => {
  await engine.close()
  await photos.remove()
})

const clients: EngineClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

async function open(kind: string, options: object = {}, slots?: number) {
  const { client, answer } = await EngineClient.hello(engine.facts.address, {
    op: 'load',
    dataset: { kind },
    options,
    slots,
  })
  expect(answer).toMatchObject({ ok: true })
  clients.push(client)
  return { client, answer }
}

/** Batches up to the end, given back at once. */
async function whole(client: EngineClient, see: (batch: SentBatch) => void = () => {}): Promise<number> {
  client.start()
  for (let count = 0; ; count++) {
    const frame = await client.beyondLayouts()
    if (frame.kind === 3) return count
    const batch = batchOf(frame)
    see(batch)
    client.release(batch.number)
  }
}

async function gone(): Promise<void> {
  for (let i = 0; i < 100 && slabsOf(process.pid).length > 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  expect(slabsOf(process.pid)).toEqual([])
}

describe('batches over the bridge', () => {
  it('are those of load(), byte for byte', async () => {
    const image = [{ op: 'randomResizedCrop', size: 32 }]
    const options = { batchSize: 8, shuffle: true, seed: 5 }
    const wanted: { image: Buffer; label: string; ids: number[] }[] = []
    const own = load(photos.cache, { ...options, image: [randomResizedCrop(32)] })
    for await (const { image: pixels, label, meta } of own)
      wanted.push({
        image: Buffer.from(pixels.data),
        label: Buffer.from(label.data.buffer, label.data.byteOffset, label.data.byteLength).toString('hex'),
        ids: Array.from(meta.index.data, Number),
      })
    own.close()

    const { client } = await open('photos', { ...options, image })
    client.start()
    const layouts = new Map<number, Record<string, { offset: number; shape: number[]; dtype: string }>>()
    let step = 0
    for (let frame = await client.frame(); frame.kind !== 3; frame = await client.frame()) {
      if (frame.kind === 1) {
        const { index, fields } = JSON.parse(frame.payload.toString('utf8', 4))
        layouts.set(frame.payload.readUInt32LE(0), { ...fields, index })
        continue
      }
      const batch = batchOf(frame)
      const layout = layouts.get(batch.layout)
      const bytes = (name: string, size: number) =>
        readSlab(process.pid, batch.begin + (layout?.[name]?.offset ?? -1), size)
      const { image: pixels, label, ids } = wanted[step] as (typeof wanted)[number]
      expect(layout?.image).toMatchObject({ kind: 'tensor', dtype: 'uint8', shape: [ids.length, 32, 32, 3] })
      expect(bytes('image', pixels.length).equals(pixels)).toBe(true)
      expect(bytes('label', label.length / 2).toString('hex')).toBe(label)
      const index = bytes('index', 8 * ids.length)
      expect(ids.map((_, i) => Number(index.readBigInt64LE(8 * i)))).toEqual(ids)
      expect(batch).toMatchObject({ step, epoch: 0, size: ids.length, padding: 0 })
      expect(batch.bytes % (2 * MIB)).toBe(0)
      client.release(batch.number)
      step++
    }
    expect(step).toBe(3)
    client.close()
    await gone()
  })

  it('carry their strings and their state', async () => {
    const { client } = await open('numbers', { batchSize: 4 })
    const seen: unknown[] = []
    await whole(client, ({ strings, state, size }) =>
      seen.push([size, strings, (state as { position: number }).position]),
    )
    expect(seen).toEqual([
      [4, { s: ['é0', 'é1', 'é2', 'é3'] }, 4],
      [4, { s: ['é4', 'é5', 'é6', 'é7'] }, 8],
      [2, { s: ['é8', 'é9'] }, 0],
    ])
    client.close()
  })

  it('go on with the next epoch, or the one that is asked for', async () => {
    const { client } = await open('numbers', { batchSize: 5 })
    const epochs: number[] = []
    const see = ({ epoch }: SentBatch) => epochs.push(epoch)
    await whole(client, see)
    await whole(client, see)
    expect(await client.call({ op: 'setEpoch', epoch: 7 })).toMatchObject({ id: 1, ok: true, state: { epoch: 7 } })
    await whole(client, see)
    expect(epochs).toEqual([0, 0, 1, 1, 7, 7])
    expect(await client.call({ op: 'setEpoch', epoch: -1 })).toMatchObject({
      ok: false,
      code: 'E_USAGE',
      message: 'epoch must be an integer from 0 to 4294967295, but got -1',
    })
    expect(await client.call({ op: 'sing' })).toMatchObject({ ok: false, code: 'E_USAGE' })
    client.close()
  })

  it('wait until others are given back', async () => {
    const { client } = await open('numbers', { batchSize: 1 }, 2)
    client.start()
    const first = batchOf(await client.beyondLayouts())
    batchOf(await client.beyondLayouts())
    expect(await client.isQuiet()).toBe(true)
    client.release(first.number)
    expect(batchOf(await client.beyondLayouts()).step).toBe(2)
    // A release of what is not out is none.
    client.release(99)
    expect(await client.isQuiet()).toBe(true)
    client.close()
  })

  it('that take all memory are told of, once for every release', async () => {
    const { client } = await open('large', { batchSize: 1, ringBytes: 6 * MIB, prefetch: 1 }, 8)
    client.start()
    const numbers = [0, 1, 2].map(() => 0)
    for (const i of numbers.keys()) numbers[i] = batchOf(await client.beyondLayouts()).number
    const starved = await client.beyondLayouts()
    expect(starved.kind).toBe(4)
    expect(starved.payload.readUInt32LE(0)).toBe(0)
    expect(JSON.parse(starved.payload.toString('utf8', 4))).toEqual({
      message: 'all memory (6 MiB) is held by 3 batches that are still referenced',
      hint: 'copy what you keep, or raise ringBytes',
    })
    expect(await client.isQuiet()).toBe(true)
    client.release(numbers[1] as number)
    expect(batchOf(await client.beyondLayouts()).step).toBe(3)
    const again = await client.beyondLayouts()
    expect([again.kind, again.payload.readUInt32LE(0)]).toEqual([4, 1])
    client.close()
    await gone()
  })

  it('never take more than ringBytes, however many there are and however slow the consumer is', async () => {
    const { client } = await open('large', { batchSize: 1, ringBytes: 6 * MIB }, 2)
    client.start()
    const kept: number[] = []
    for (let count = 0; count < 60; count++) {
      kept.push(batchOf(await client.beyondLayouts()).number)
      if (kept.length === 2) client.release(kept.shift() as number)
      if (count % 20 === 0) await client.isQuiet(50)
    }
    const [path = ''] = slabsOf(process.pid)
    const { blocks, size } = statSync(path)
    expect(size).toBe(12 * MIB)
    expect(blocks * 512).toBeLessThanOrEqual(6 * MIB)
    client.close()
    await gone()
  })

  it('are not late where the consumer keeps the memory that they need', async () => {
    const { client } = await open('large', { batchSize: 1, ringBytes: 6 * MIB, timeout: 100 }, 8)
    client.start()
    const kept = [0, 1, 2].map(() => 0)
    for (const i of kept.keys()) kept[i] = batchOf(await client.beyondLayouts()).number
    expect((await client.beyondLayouts()).kind).toBe(4)
    expect(await client.isQuiet(350)).toBe(true)
    client.release(kept[0] as number)
    expect(batchOf(await client.beyondLayouts()).step).toBe(3)
    client.close()
  })

  it('of readers and threads of any kind lie where the consumer looks', async () => {
    const image = [{ op: 'centerCrop', size: 8 }]
    for (const options of [{ mode: 'as-completed' }, { mode: 'ordered', prefetch: 5 }]) {
      const { client } = await open('photos', { ...options, batchSize: 4, image, epochs: 2 })
      const ids: number[] = []
      let index = -1
      client.start()
      for (let frame = await client.frame(); frame.kind !== 3; frame = await client.frame()) {
        if (frame.kind === 1) index = JSON.parse(frame.payload.toString('utf8', 4)).index.offset
        else {
          const batch = batchOf(frame)
          const bytes = readSlab(process.pid, batch.begin + index, 8 * batch.size)
          for (let i = 0; i < batch.size; i++) ids.push(Number(bytes.readBigInt64LE(8 * i)))
          client.release(batch.number)
        }
      }
      expect(ids.length).toBe(40)
      expect([...ids].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i >> 1))
      client.close()
      await gone()
    }
  })

  it('end in the middle where another epoch or state is wanted', async () => {
    const { client } = await open('numbers', { batchSize: 2, shuffle: true, seed: 3 }, 2)
    client.start()
    const first = batchOf(await client.beyondLayouts())
    const wanted = [...(first.strings?.s ?? [])]
    const second = batchOf(await client.beyondLayouts())
    // All slots are held, and the engine waits for one: a call gets through all the same.
    expect(await client.call({ op: 'setEpoch', epoch: 0 })).toMatchObject({
      ok: true,
      state: { epoch: 0, position: 0 },
    })
    for (const { number } of [first, second]) client.release(number)
    client.start()
    const anew = batchOf(await client.beyondLayouts())
    expect(anew.strings?.s).toEqual(wanted)
    expect(await client.call({ op: 'resume', state: anew.state })).toMatchObject({ ok: true, steps: 5 })
    client.start()
    client.release(anew.number)
    const next = batchOf(await client.beyondLayouts())
    expect(next.step).toBe(1)
    expect(next.strings?.s).toEqual(second.strings?.s)
    const foreign = { ...(next.state as object), fingerprint: 'x' }
    expect(await client.call({ op: 'resume', state: foreign })).toMatchObject({ ok: false, code: 'E_STATE' })
    client.close()
  })

  it('fail with the sample that is bad, and go on behind the last one that came', async () => {
    const { client } = await open('broken', { batchSize: 2 })
    client.start()
    for (const step of [0, 1]) {
      const batch = batchOf(await client.beyondLayouts())
      expect(batch.step).toBe(step)
      client.release(batch.number)
    }
    const { kind, payload } = await client.beyondLayouts()
    expect(kind).toBe(5)
    expect(JSON.parse(payload.toString())).toMatchObject({ code: 'E_CORRUPT', details: { sample: 4 } })
    client.start()
    expect((await client.beyondLayouts()).kind).toBe(5)
    client.close()
  })

  it('of a dataset that several ask for are opened once, and closed when the last one leaves', async () => {
    const times = (list: readonly string[]) => list.filter((kind) => kind === 'shared').length
    const two = await Promise.all([open('shared'), open('shared')])
    expect(times(opened)).toBe(1)
    two[0].client.close()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(times(closed)).toBe(0)
    two[1].client.close()
    for (let i = 0; i < 100 && times(closed) === 0; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(times(closed)).toBe(1)
    const { answer } = await EngineClient.hello(engine.facts.address, { op: 'load', dataset: { kind: 'nothing' } })
    expect(answer).toMatchObject({ ok: false, code: 'E_NOT_FOUND', message: 'no nothing' })
  })
})

describe('a client that goes', () => {
  it('in the middle of a batch leaves nothing behind', async () => {
    let open_ = () => {}
    gate = new Promise((resolve) => {
      open_ = resolve
    })
    const { client } = await open('numbers', { batchSize: 2 })
    client.start()
    await new Promise((resolve) => setTimeout(resolve, 30))
    client.close()
    await gone()
    open_()
    gate = Promise.resolve()
  })

  it('with all batches in its hands leaves nothing behind', async () => {
    const { client } = await open('large', { batchSize: 1, ringBytes: 8 * MIB }, 2)
    client.start()
    batchOf(await client.beyondLayouts())
    batchOf(await client.beyondLayouts())
    expect(slabsOf(process.pid)).toHaveLength(1)
    client.close()
    await gone()
  })

  it('talks nonsense is hung up on', async () => {
    const { client } = await open('numbers')
    client.send(99)
    await client.ended()
    const other = await open('numbers')
    other.client.send(18, Buffer.from('{'))
    await other.client.ended()
    await gone()
  })
})
