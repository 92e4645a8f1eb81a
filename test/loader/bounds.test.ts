import { describe, expect, it } from 'vitest'
import type { DType } from '../../src/dtype.ts'
import { HeadraceError } from '../../src/errors.ts'
import { load, randomResizedCrop } from '../../src/vision/index.ts'
import { BYTES, own } from './own-dataset.ts'

/** What a loader does at the edge of what there can be: memory, numbers, epochs, its own end. */

const ONE = { rank: 0, worldSize: 1 } as const
const number = (dtype: DType, value: number | bigint) =>
  own({ x: { kind: 'number', dtype } } as const, 2, async () => ({ x: value }))
const MIB = 2 ** 20

describe('a batch that is larger than the dataset', () => {
  it('takes no memory for samples that there are not', async () => {
    const dataset = own(BYTES, 3, async () => ({ b: new Uint8Array(8) }))
    for await (const { b } of load(dataset, { ...ONE, batchSize: 1e12, ringBytes: 2 ** 21 }))
      expect(b.shape).toEqual([3, 64])
  })
})

describe('ringBytes', () => {
  it('bounds what is read ahead, too', async () => {
    let held = 0
    let peak = 0
    const dataset = own(BYTES, 400, async () => {
      held += MIB
      peak = Math.max(peak, held)
      return { b: new Uint8Array(MIB) }
    })
    const loader = load(dataset, { ...ONE, batchSize: 4, prefetch: 20, ringBytes: 20 * MIB })
    let batches = 0
    for await (const _ of loader) {
      held -= 4 * MIB
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (++batches === 20) break
    }
    // 20 MiB in slots and 20 MiB that are read and wait for one.
    expect(peak).toBeLessThanOrEqual(44 * MIB)
    expect(peak).toBeGreaterThanOrEqual(20 * MIB)
  })

  it('does not keep a step whose samples must be read again from the memory that a later one waits with', async () => {
    const reads = new Map<number, number>()
    const dataset = own(BYTES, 40, async (id) => {
      reads.set(id, (reads.get(id) ?? 0) + 1)
      if (id === 9) throw new HeadraceError('E_CORRUPT', 'bad')
      return { b: new Uint8Array(MIB) }
    })
    const options = { ...ONE, batchSize: 4, prefetch: 6, ringBytes: 6 * MIB, onError: 'skip', timeout: 10_000 } as const
    const sizes: number[] = []
    for await (const { meta } of load(dataset, options)) sizes.push(meta.size)
    expect(sizes).toEqual([4, 4, 3, 4, 4, 4, 4, 4, 4, 4])
  })
})

describe('a number that its type cannot hold', () => {
  it.each<[DType, number | bigint, string]>([
    ['uint8', 300, 'an integer from 0 to 255 (uint8), but got 300'],
    ['int8', -129, 'an integer from -128 to 127 (int8), but got -129'],
    ['int8', 2n ** 70n, 'an integer from -128 to 127 (int8), but got 1180591620717411303424n'],
    ['uint32', -1, 'an integer from 0 to 4294967295 (uint32), but got -1'],
    ['bool', 7, 'an integer from 0 to 1 (bool), but got 7'],
    ['int64', 1e30, 'an integer from -9223372036854775808 to 9223372036854775807 (int64), but got 1e+30'],
    [
      'int64',
      2n ** 63n,
      'an integer from -9223372036854775808 to 9223372036854775807 (int64), but got 9223372036854775808n',
    ],
    ['uint64', 2 ** 64, 'an integer from 0 to 18446744073709551615 (uint64), but got 18446744073709552000'],
    ['int32', 0.5, 'an integer from -2147483648 to 2147483647 (int32), but got 0.5'],
    ['float32', '1' as never, 'a number, but got "1"'],
  ])('%s %s is a damaged sample', async (dtype, value, message) => {
    const iterator = load(number(dtype, value), ONE)[Symbol.asyncIterator]()
    await expect(iterator.next()).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: `sample 0 (row 0), field x: x must hold ${message}`,
    })
  })

  it.each<[DType, number | bigint, unknown]>([
    ['uint8', 255, 255],
    ['int64', -(2n ** 63n), -(2n ** 63n)],
    ['uint64', 2n ** 64n - 1n, 2n ** 64n - 1n],
    ['bool', 1, 1],
    ['float64', 1e300, 1e300],
  ])('%s %s fits', async (dtype, value, expected) => {
    for await (const { x } of load(number(dtype, value), ONE)) expect(x.data[0]).toBe(expected)
  })

  it.each<DType>(['float16', 'bfloat16'])('%s is read by gather alone', (dtype) => {
    expect(() => load(number(dtype, 1.5), ONE)).toThrow(`field x: ${dtype} numbers cannot be read one by one`)
    const gather = (_: Float64Array, __: string, out: ArrayLike<unknown>) => void (out as Uint16Array).fill(0x3e00)
    expect(() => load({ ...number(dtype, 1.5), gather }, ONE)).not.toThrow()
  })
})

describe('a dataset whose describe throws', () => {
  it('has samples with numbers for names', async () => {
    const describe = (): string => {
      throw new Error('no names')
    }
    const dataset = own(BYTES, 4, () => Promise.reject(new HeadraceError('E_CORRUPT', 'bad')), { describe })
    const loader = load(dataset, { ...ONE, onError: 'skip' })
    for await (const { meta } of loader) expect(meta.size).toBe(0)
    expect(loader.report().faults.map(({ key }) => key)).toEqual(['sample 0', 'sample 1', 'sample 2', 'sample 3'])
  })
})

describe('a batch without samples', () => {
  it('can be copied like any other until it is released', async () => {
    const dataset = own(BYTES, 2, () => Promise.reject(new HeadraceError('E_CORRUPT', 'bad')))
    let copies = 0
    // One rank alone gets no empty batches; several take every step.
    for await (const batch of load(dataset, { rank: 0, worldSize: 2, batchSize: 1, tail: 'drop', onError: 'skip' })) {
      const copy = batch.copy()
      expect(copy.meta.size).toBe(0)
      expect(copy.copy().b.sizes.length).toBe(0)
      batch.release()
      expect(() => batch.copy()).toThrow('the batch is released: copy it before')
      copies++
    }
    expect(copies).toBe(1)
  })
})

describe('a loader that is closed', () => {
  it('while its next batch is awaited delivers no more, reads no more and holds nothing', async () => {
    let closed = false
    let reads = 0
    const dataset = own(BYTES, 400, async () => {
      if (closed) reads++
      await new Promise((resolve) => setTimeout(resolve, 20))
      return { b: new Uint8Array(64) }
    })
    const loader = load(dataset, { ...ONE, batchSize: 4, prefetch: 2 })
    let after = 0
    const all = async () => {
      for await (const { meta } of loader) {
        if (closed) after++
        if (meta.step > 0) continue
        // The next batch is awaited by then.
        setTimeout(() => {
          closed = true
          loader.close()
        }, 5)
      }
    }
    await expect(all()).rejects.toBeInstanceOf(HeadraceError)
    expect({ after, reads, slotBytes: loader.slotBytes }).toEqual({ after: 0, reads: 0, slotBytes: 0 })
    await expect(loader.planStep(0, 0)).rejects.toThrow('the loader is closed')
    await expect(loader.replay({} as never)).rejects.toThrow('the loader is closed')
    expect(() => loader.setEpoch(1)).toThrow('the loader is closed')
  })

  it('just after a batch was asked for that is ready does not deliver it', async () => {
    const loader = load(
      own(BYTES, 40, async () => ({ b: new Uint8Array(64) })),
      { ...ONE, batchSize: 4 },
    )
    const iterator = loader[Symbol.asyncIterator]()
    await iterator.next()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const next = iterator.next()
    loader.close()
    await expect(next).rejects.toMatchObject({ code: 'E_STATE', message: 'the next batch: the loader is closed' })
    expect(loader.slotBytes).toBe(0)
  })
})

describe('the last epoch that there is', () => {
  const dataset = own({ x: { kind: 'number' } } as const, 5, async (id) => ({ x: id }))

  it('ends where it ends: its state can be resumed, and nothing comes behind it', async () => {
    const loader = load(dataset, { ...ONE, batchSize: 2, shuffle: true, epoch: 2 ** 32 - 1, epochs: 3 })
    let samples = 0
    for await (const { meta } of loader) samples += meta.size
    expect(samples).toBe(5)
    expect(loader.state()).toMatchObject({ epoch: 2 ** 32 - 1, position: 5 })
    const rest = load(dataset, { ...ONE, shuffle: true, resume: loader.state() })
    for await (const _ of rest) samples++
    expect(samples).toBe(5)
  })

  it('is followed by none in setEpoch and planStep', async () => {
    const loader = load(dataset, ONE)
    expect(() => loader.setEpoch(2 ** 32)).toThrow('epoch must be an integer from 0 to 4294967295, but got 4294967296')
    for (const epoch of [-1, 2 ** 32, 1.5])
      await expect(loader.planStep(epoch, 0)).rejects.toMatchObject({ code: 'E_USAGE' })
  })
})

describe('planStep', () => {
  it('throws a sample that no crop can be decided for', async () => {
    const dataset = own({ image: { kind: 'image' } } as const, 2, async () => ({ image: new Uint8Array(5) }))
    await expect(load(dataset, { ...ONE, image: [randomResizedCrop(8)] }).planStep(0, 0)).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringContaining('sample 0 (row 0), field image: no image: only JPEG is decoded as it is'),
    })
  })
})

describe('views', () => {
  it('are 64 at most, which load says', () => {
    const dataset = own({ image: { kind: 'image' } } as const, 2, async () => ({ image: new Uint8Array(5) }))
    const views = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`v${i}`, [randomResizedCrop(8)] as const]))
    expect(() => load(dataset, { ...ONE, views: views(64) })).not.toThrow()
    expect(() => load(dataset, { ...ONE, views: views(65) })).toThrow('views must name 1 to 64 views, but got 65')
    expect(() => load(dataset, { ...ONE, views: {} })).toThrow('views must name 1 to 64 views, but got 0')
  })
})
