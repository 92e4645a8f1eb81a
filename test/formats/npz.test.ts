import { crc32, inflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { memorySource } from '../../src/formats/byte-source.ts'
import { npz } from '../../src/formats/numpy/npz.ts'
import { zipMembers } from '../../src/formats/zip/directory.ts'
import { failing } from '../storage/conformance.ts'
import { recordFormatConformance } from './conformance.ts'
import { contentOf, countingSource, openWritten, recordsOf, writeFormat } from './memory-sink.ts'

const traits = {
  dtypes: ['uint8', 'float16', 'float32', 'float64', 'int64', 'bool'],
  shapes: [[7], [5, 3], [64, 64], [3, 17, 5]],
  samples: [1, 2, 19],
  flips: 'found',
  large: { samples: 3, shape: [1500, 2100], dtype: 'uint8' },
  // One sample lies on every page of the array.
  readBytes: (_: unknown, fileBytes: number) => fileBytes + 8192,
} as const

recordFormatConformance('npz', async () => npz, traits)
describe('deflated', () => {
  recordFormatConformance('npz', async () => npz, {
    ...traits,
    options: [{ compression: 'zip' }, { compression: 'zip', compressionLevel: 1 }],
    dtypes: ['uint8', 'float32'],
  })
})
describe("with MLCommons' headers", () => {
  recordFormatConformance('npz', async () => npz, { ...traits, options: [{ zip64: 'needed' }], dtypes: ['uint8'] })
})

const layout = { samples: 3, shape: [64, 64], dtype: 'uint8', options: {} } as const

describe('an .npz file', () => {
  it('has the samples on the last axis of x, and zeros for labels', async () => {
    const records = recordsOf(layout)
    const { bytes } = await writeFormat(npz, layout, contentOf(records))
    const members = await zipMembers(memorySource('file', bytes))
    expect(members.map(({ name, size, method }) => [name, size, method])).toEqual([
      ['x.npy', 12_416, 0],
      ['y.npy', 152, 0],
    ])
    for (const element of [0, 1, 63, 64, 4095])
      for (let sample = 0; sample < 3; sample++)
        expect(bytes[55 + 128 + element * 3 + sample]).toBe(records[sample]?.[element])
    const labels = bytes.subarray(12_526 + 128, 12_526 + 152)
    expect([...labels]).toEqual(Array(24).fill(0))
    const [x] = members
    expect(x?.crc).toBe(crc32(bytes.subarray(55, 55 + 12_416)))
  })

  it('deflates both arrays', async () => {
    const zeros = [new Uint8Array(4096), new Uint8Array(4096), new Uint8Array(4096)]
    const { bytes } = await writeFormat(npz, { ...layout, options: { compression: 'zip' } }, contentOf(zeros))
    expect(bytes.length).toBeLessThan(500)
    const [x, y] = await zipMembers(memorySource('file', bytes))
    expect([x?.method, x?.size, y?.method, y?.size]).toEqual([8, 12_416, 8, 152])
    const start = (x?.headerOffset ?? 0) + 30 + 5 + 20
    expect(inflateRawSync(bytes.subarray(start, start + (x?.storedSize ?? 0))).length).toBe(12_416)
  })

  it('of one sample is read in place, after one look at its beginning', async () => {
    const one = { ...layout, samples: 1 }
    const { bytes } = await writeFormat(npz, one, contentOf(recordsOf(one)))
    const source = countingSource(bytes)
    const reader = await npz.open(source, one)
    await reader.read(0, new Uint8Array(4096))
    expect([source.reads, source.bytesRead]).toEqual([2, 183 + 4096])
  })

  it('of several samples is read once for all of them', async () => {
    const { bytes } = await writeFormat(npz, layout, contentOf(recordsOf(layout)))
    const source = countingSource(bytes)
    const reader = await npz.open(source, layout)
    for (const sample of [2, 0, 1, 2]) await reader.read(sample, new Uint8Array(4096))
    expect(source.bytesRead).toBe(183 + 3 * 4096)
  })

  it('longer than what is kept is gathered for as many samples as are', async () => {
    const long = { samples: 5, shape: [9, 2 ** 20], dtype: 'uint8', options: {} } as const
    const value = (sample: number, offset: number) => (sample * 50 + Math.floor(offset / 65_536)) & 0xff
    const { bytes } = await writeFormat(npz, long, {
      fill: (sample, offset, target) => {
        for (let at = 0; at < target.length; ) {
          const end = Math.min(target.length, at + 65_536 - ((offset + at) % 65_536))
          target.fill(value(sample, offset + at), at, end)
          at = end
        }
      },
    })
    const reader = await openWritten(npz, { bytes, sidecars: [] }, long)
    const into = new Uint8Array(9 * 2 ** 20)
    for (const sample of [4, 0, 3]) {
      await reader.read(sample, into)
      for (const at of [0, 65_535, 65_536, 2 ** 20 + 5, into.length - 1]) expect(into[at]).toBe(value(sample, at))
    }
    await reader.close()
  })

  it('of more samples than a piece holds elements is written and read in parts of rows', async () => {
    const wide = { samples: 300_000, shape: [3], dtype: 'int64', options: {} } as const
    const value = (sample: number, element: number) => BigInt(sample) * 3n + BigInt(element)
    const { bytes } = await writeFormat(npz, wide, {
      fill: (sample, offset, target) => {
        const view = new DataView(target.buffer, target.byteOffset)
        for (let at = 0; at < target.length; at += 8) view.setBigInt64(at, value(sample, (offset + at) / 8), true)
      },
    })
    const reader = await openWritten(npz, { bytes, sidecars: [] }, wide)
    const into = new Uint8Array(24)
    for (const sample of [0, 1, 262_144, 299_999]) {
      await reader.read(sample, into)
      expect([...new BigInt64Array(into.buffer)]).toEqual([0, 1, 2].map((element) => value(sample, element)))
    }
  })

  it('without x says what it has', async () => {
    const { bytes } = await writeFormat(npz, layout, contentOf(recordsOf(layout)))
    const other = Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('x.npy', 'a.npy'), 'latin1')
    await expect(npz.open(memorySource('file', other))).rejects.toEqual(
      failing('E_UNSUPPORTED', 'file', 'no array x', 'a, y'),
    )
  })

  it('refuses what it cannot hold', () => {
    for (const [options, ...words] of [
      [{ compression: 'gzip' }, 'zip', 'gzip'],
      [{ chunkDims: [2, 2] }, 'npz', 'chunkDims', '[2,2]'],
      [{ dataSets: 3 }, 'dataSets', '3'],
    ] as const)
      expect(() => npz.fileBytes({ ...layout, options })).toThrow(failing('E_CONFIG', ...words) as never)
    expect(() => npz.fileBytes({ ...layout, dtype: 'bfloat16' })).toThrow(failing('E_CONFIG', 'bfloat16') as never)
    expect(npz.fileBytes({ ...layout, options: { compression: 'none', compressionLevel: 4, chunkDims: [] } })).toBe(
      12_802,
    )
  })

  it('of 3 GiB has the wide fields that NumPy gives it', () => {
    const huge = { samples: 1, shape: [3 * 2 ** 30], dtype: 'uint8', options: {} } as const
    // 20 bytes for the sizes of x, 12 for the offset of y
    expect(npz.fileBytes(huge)).toBe(3 * 2 ** 30 + 128 + 136 + 55 + 55 + 51 + 51 + 22 + 20 + 12 + 76)
  })
})
