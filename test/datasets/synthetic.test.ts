import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openDataset, synthetic } from '../../src/datasets/index.ts'
import type { DType } from '../../src/dtype.ts'
import { viewOf } from '../../src/dtype.ts'

const GOLDEN = 'b319e471f997fdad9d4a567e38aa0a78271b8da6ebd87bbc4b812dbe48cfe479'

describe('a synthetic dataset', () => {
  it('is the same bytes for the same seed and id, others for others', async () => {
    const dataset = synthetic({ samples: 1000, size: '64KiB', seed: 5 })
    const { data } = await dataset.read(17)
    expect(data).toHaveLength(65_536)
    // Golden: whoever compares runs of two versions relies on it.
    expect(
      createHash('sha256')
        .update(data as Uint8Array)
        .digest('hex'),
    ).toBe(GOLDEN)
    const same = synthetic({ samples: 1000, size: 65_536, seed: 5 })
    const into = new Uint8Array(65_536)
    await same.readInto(17, 'data', into)
    expect(Buffer.from(data as Uint8Array).equals(into)).toBe(true)
    await same.readInto(18, 'data', into)
    expect(Buffer.from(data as Uint8Array).equals(into)).toBe(false)
    const other = await synthetic({ samples: 1000, size: 65_536, seed: 6 }).read(17)
    expect(other.data).not.toEqual(data)
    const odd = new Uint8Array(65_539).subarray(3)
    await same.readInto(17, 'data', odd)
    expect(Buffer.from(data as Uint8Array).equals(odd)).toBe(true)
  })

  it('has sizes from the first to the second, all of them', async () => {
    const dataset = synthetic({ samples: 500, size: [3, 6] })
    const ids = Float64Array.from({ length: 500 }, (_, i) => i)
    const sizes = new Float64Array(500)
    dataset.sizes(ids, 'data', sizes)
    expect([...new Set(sizes)].sort()).toEqual([3, 4, 5, 6])
    expect(dataset.maxSize('data')).toBe(6)
    for (const id of [0, 7, 499]) expect((await dataset.read(id)).data).toHaveLength(sizes[id] as number)
  })

  it.each(['float16', 'bfloat16', 'float32', 'float64'] as const)(
    'of %s has numbers from 1 to below 2',
    async (dtype) => {
      const dataset = synthetic({ samples: 4, shape: [7, 11], dtype })
      expect(dataset.schema).toEqual({ data: { kind: 'tensor', dtype, shape: [7, 11] } })
      const { data } = await dataset.read(3)
      const bytes = Uint8Array.from(data as Uint8Array)
      const values = numbers(bytes, dtype)
      expect(values).toHaveLength(77)
      expect(values.every((value) => value >= 1 && value < 2)).toBe(true)
      expect(new Set(values).size).toBeGreaterThan(40)
    },
  )

  it('of bool has 0 and 1; labels are of every class', async () => {
    const dataset = synthetic({ samples: 300, shape: [64], dtype: 'bool', classes: 5 })
    expect([...new Set((await dataset.read(0)).data as Uint8Array)].sort()).toEqual([0, 1])
    const labels = new BigInt64Array(300)
    dataset.gather(
      Float64Array.from({ length: 300 }, (_, i) => i),
      'label',
      labels,
    )
    expect([...new Set(labels)].sort()).toEqual([0n, 1n, 2n, 3n, 4n])
    expect(await dataset.read(299, { fields: ['label'] })).toEqual({ label: labels[299] })
  })

  it('of a billion samples opens at once', async () => {
    const dataset = synthetic({ samples: 1e9, size: 100 })
    expect((await dataset.read(999_999_999)).data).toHaveLength(100)
  })

  it('opens again from its spec, and has another fingerprint for anything else', async () => {
    const options = { samples: 10, size: [1, '1KiB'] as const, classes: 3, seed: 2 }
    const dataset = synthetic(options)
    const again = await openDataset(JSON.parse(JSON.stringify(dataset.spec)))
    expect(again.fingerprint).toBe(dataset.fingerprint)
    expect(await again.read(9)).toEqual(await dataset.read(9))
    const others = [{ samples: 11 }, { size: 4 }, { classes: 4 }, { seed: 3 }].map(
      (change) => synthetic({ ...options, ...change }).fingerprint,
    )
    expect(new Set([dataset.fingerprint, ...others]).size).toBe(5)
  })

  it('refuses options that make no sense', () => {
    const wrong = (options: object, message: string) => expect(() => synthetic(options as never)).toThrow(message)
    wrong({ samples: 3 }, 'synthetic needs a size or a shape')
    wrong({ samples: -1, size: 1 }, 'samples must be an integer of 0 or more, but got -1')
    wrong({ samples: 3, size: 1, shape: [1] }, 'synthetic takes either size or shape')
    wrong({ samples: 3, size: 1, dtype: 'int8' }, 'dtype is that of a tensor, which has a shape')
    wrong({ samples: 3, size: [2, 1] }, 'size must go from the smaller to the larger, but got [2,1]')
    wrong({ samples: 3, size: '2GiB' }, 'size must be at most 1073741824 bytes, but got "2GiB"')
    wrong({ samples: 3, shape: [0] }, 'shape must be a positive integer, but got 0')
    wrong({ samples: 3, shape: [1], dtype: 'complex64' }, 'dtype must be one of')
    wrong({ samples: 3, size: 1, count: 2 }, 'synthetic has no option "count"')
  })
})

/** Of Python's and IEEE's layout, as doubles. */
function numbers(bytes: Uint8Array, dtype: DType): number[] {
  const raw = viewOf(
    dtype,
    bytes.buffer,
    0,
    bytes.length / { float64: 8, float32: 4 }[dtype as 'float32' | 'float64'] || bytes.length / 2,
  )
  if (dtype === 'float32' || dtype === 'float64') return [...raw].map(Number)
  return [...raw].map((bits) => {
    const [exponentBits, fractionBits, bias] = dtype === 'float16' ? [5, 10, 15] : [8, 7, 127]
    const exponent = (Number(bits) >> fractionBits) & (2 ** exponentBits - 1)
    return (1 + (Number(bits) & (2 ** fractionBits - 1)) / 2 ** fractionBits) * 2 ** (exponent - bias)
  })
}
