import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Dataset, File, ready } from 'h5wasm/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DType } from '../../../src/dtype.ts'
import { memorySource } from '../../../src/formats/byte-source.ts'
import { hdf5 } from '../../../src/formats/hdf5.ts'
import { recordBytes } from '../../../src/formats/layout.ts'
import type { ByteSource, FileLayout, FormatOptions } from '../../../src/formats/types.ts'
import { failing } from '../../storage/conformance.ts'
import { contentOf, countingSource, recordsOf, writeFormat } from '../memory-sink.ts'

/** libhdf5 itself: it reads what we write, and we read what it writes. */

const folder = mkdtempSync(join(tmpdir(), 'headrace-hdf5-'))
beforeAll(async () => {
  await ready
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let made = 0
const path = (): string => join(folder, `${made++}.h5`)

async function readAll(source: ByteSource): Promise<Uint8Array[]> {
  const reader = await hdf5.open(source)
  const records: Uint8Array[] = []
  for (let sample = 0; sample < reader.samples; sample++) {
    const into = new Uint8Array(recordBytes(reader))
    records.push(into.subarray(0, await reader.read(sample, into)))
  }
  await reader.close()
  return records
}

describe('libhdf5 reads our files', () => {
  const layouts: [DType, number[], FormatOptions][] = [
    ['uint8', [9, 7], {}],
    ['float32', [1, 9, 7], {}],
    ['int64', [5], {}],
    ['float64', [4, 3, 2], { dataSets: 2 }],
    ['uint16', [60, 50], { dataSets: 12 }],
    ['float32', [24, 20], { chunkDims: [2, 7, 6] }],
    ['uint8', [64, 64], { chunkDims: [1, 4, 16] }],
    ['int32', [24, 20], { maxShape: [50, 20] }],
    ['int16', [24, 20], { compression: 'gzip' }],
    ['float32', [24, 20], { compression: 'gzip', chunkDims: [5, 24, 20], compressionLevel: 1 }],
  ]

  it.each(layouts)('%s %j %j', async (dtype, shape, options) => {
    const layout: FileLayout = { samples: 40, shape, dtype, options }
    const records = recordsOf(layout)
    const { bytes } = await writeFormat(hdf5, layout, contentOf(records))
    const at = path()
    await writeFile(at, bytes)
    const file = new File(at, 'r')
    const { dataSets = 1 } = options
    expect(file.keys()).toEqual(['labels', ...Array.from({ length: dataSets }, (_, i) => `records_${i}`).sort()])
    const labels = file.get('labels') as Dataset
    expect([labels.shape, labels.dtype]).toEqual([[40], '<q'])
    expect((labels.value as BigInt64Array).every((label) => label === 0n)).toBe(true)
    const parts = Array.from({ length: dataSets }, (_, i) => file.get(`records_${i}`) as Dataset)
    const part = recordBytes(layout) / dataSets
    for (const [i, { metadata, value }] of parts.entries()) {
      expect(metadata.chunks).toEqual(
        options.chunkDims ?? (Object.keys(options).some((name) => name !== 'dataSets') ? metadata.chunks : null),
      )
      const { buffer, byteOffset, byteLength } = value as Uint8Array
      const wanted = Buffer.concat(records.map((record) => record.subarray(i * part, (i + 1) * part)))
      expect(Buffer.compare(Buffer.from(buffer, byteOffset, byteLength), wanted)).toBe(0)
    }
    file.close()
  })
})

describe('we read what libhdf5 writes', () => {
  const values = Float32Array.from({ length: 6 * 40 * 30 }, (_, i) => Math.fround(Math.sin(i)))
  const records = Array.from({ length: 6 }, (_, i) => new Uint8Array(values.buffer, i * 4800, 4800))

  interface Made {
    readonly name?: string
    readonly chunks?: number[]
    readonly compression?: number
    readonly libver?: 'earliest' | 'latest'
  }

  function make({ name = 'records_0', libver = 'earliest', ...options }: Made): Uint8Array {
    const at = path()
    const file = new File(at, 'w', { libver: libver === 'earliest' ? ['earliest', 'latest'] : 'latest' })
    file.create_dataset({ name, data: values, shape: [6, 40, 30], ...options })
    file.create_dataset({ name: 'labels', data: new BigInt64Array(6) })
    file.flush()
    file.close()
    return new Uint8Array(readFileSync(at))
  }

  it.each([
    {},
    { name: 'data' },
    { libver: 'latest' },
    { chunks: [1, 20, 30] },
    { chunks: [4, 7, 9], compression: 4 },
    { libver: 'latest', chunks: [1, 20, 30], compression: 1 },
    { libver: 'latest', chunks: [6, 40, 30], compression: 1 },
  ] as Made[])('%j', async (options) => {
    expect(await readAll(memorySource('file', make(options)))).toEqual(records)
    const found = await hdf5.inspect?.(memorySource('file', make(options)))
    expect([found?.records, found?.shape, found?.dtype]).toEqual([6, [40, 30], 'float32'])
  })

  it('a slice at a time, and nothing else', async () => {
    const at = path()
    const file = new File(at, 'w')
    file.create_dataset({
      name: 'records_0',
      data: new Uint8Array(64 * 65_536).fill(7),
      shape: [64, 65_536],
      chunks: [1, 65_536],
    })
    file.close()
    const source = countingSource(new Uint8Array(readFileSync(at)))
    const reader = await hdf5.open(source)
    const into = new Uint8Array(65_536)
    await reader.read(0, into)
    const before = source.bytesRead
    await reader.read(40, into)
    expect(source.bytesRead - before).toBe(65_536)
    expect(into.every((value) => value === 7)).toBe(true)
    await reader.close()
    await reader.close()
  })

  it('several files at once', async () => {
    const sources = Array.from({ length: 8 }, (_, i) =>
      memorySource(`file ${i}`, make({ chunks: [1 + (i % 3), 20, 30] })),
    )
    for (const found of await Promise.all(sources.map(readAll))) expect(found).toEqual(records)
  })

  it('what storage says goes to who asked', async () => {
    const bytes = make({ chunks: [1, 20, 30] })
    const broken = new Error('the network is away')
    let reads = 0
    const inner = memorySource('file', bytes)
    const source: ByteSource = {
      name: 'file',
      size: bytes.length,
      read: async (offset, length, into) => {
        if (reads++ > 0) throw broken
        return inner.read(offset, length, into)
      },
    }
    const failure = await readAll(source).catch((error) => error)
    expect(failure).toBe(broken)
    expect(await readAll(memorySource('file', bytes))).toEqual(records)
  })

  it('text is no record', async () => {
    const at = path()
    const file = new File(at, 'w')
    file.create_dataset({ name: 'records_0', data: ['one', 'two'] })
    file.close()
    await expect(hdf5.open(memorySource('file', new Uint8Array(readFileSync(at))))).rejects.toEqual(
      failing('E_UNSUPPORTED', 'file', 'records_0'),
    )
  })

  it('what is no HDF5 file is damaged', async () => {
    const noise = new Uint8Array(5000).fill(9)
    await expect(hdf5.open(memorySource('file', noise))).rejects.toEqual(failing('E_CORRUPT', 'file', 'libhdf5'))
  })
})
