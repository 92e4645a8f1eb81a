import { describe, expect, it } from 'vitest'
import { memorySource } from '../../src/formats/byte-source.ts'
import { indexedBinary, mmapIndexedBinary } from '../../src/formats/indexed.ts'
import { failing } from '../storage/conformance.ts'
import { recordFormatConformance } from './conformance.ts'
import { contentOf, countingSource, recordsOf, sidecarsOf, writeFormat } from './memory-sink.ts'

for (const format of [indexedBinary, mmapIndexedBinary])
  recordFormatConformance(format.name, async () => format, {
    dtypes: ['uint8', 'float32', 'int64'],
    shapes: [[1], [6, 5]],
    samples: [1, 3, 520],
    says: 'bytes',
    large: { samples: 5, shape: [2_000_000], dtype: 'uint8' },
  })

const layout = { samples: 2000, shape: [10], dtype: 'uint8', options: {} } as const

describe('an indexed binary file', () => {
  it('finds 512 records with one look at each index', async () => {
    const file = await writeFormat(indexedBinary, layout, contentOf(recordsOf(layout)))
    const indexes = file.sidecars.map((bytes) => countingSource(bytes))
    const reader = await indexedBinary.open(
      memorySource('file', file.bytes),
      layout,
      async (i) => indexes[i] ?? memorySource('', file.bytes),
    )
    const into = new Uint8Array(10)
    for (let sample = 0; sample < 1024; sample++) await reader.read(sample, into)
    expect(indexes.map(({ reads, bytesRead }) => [reads, bytesRead])).toEqual([
      [2, 8192],
      [2, 8192],
    ])
  })

  it('without its indexes is read by its layout, and is of its size or none', async () => {
    const records = recordsOf(layout)
    const { bytes } = await writeFormat(indexedBinary, layout, contentOf(records))
    const reader = await indexedBinary.open(memorySource('file', bytes), layout)
    const into = new Uint8Array(10)
    await reader.read(1999, into)
    expect([...into]).toEqual([...(records[1999] ?? [])])
    await expect(indexedBinary.open(memorySource('file', bytes.subarray(1)), layout)).rejects.toEqual(
      failing('E_CORRUPT', '19999'),
    )
    await expect(indexedBinary.open(memorySource('file', bytes))).rejects.toEqual(failing('E_USAGE', 'sidecars'))
  })

  it('whose index points behind its end names the sample', async () => {
    const { bytes, sidecars } = await writeFormat(indexedBinary, layout, contentOf(recordsOf(layout)))
    const offsets = (sidecars[0] ?? new Uint8Array()).slice()
    new DataView(offsets.buffer).setBigUint64(8 * 77, 19_991n, true)
    const reader = await indexedBinary.open(
      memorySource('file', bytes),
      layout,
      sidecarsOf([offsets, sidecars[1] ?? offsets]),
    )
    await expect(reader.read(77, new Uint8Array(10))).rejects.toEqual(
      failing('E_CORRUPT', 'file', 'sample 77', '19991'),
    )
    expect(await reader.read(78, new Uint8Array(10))).toBe(10)
  })
})
