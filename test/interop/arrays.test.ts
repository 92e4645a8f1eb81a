import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { DType } from '../../src/dtype.ts'
import { memorySource } from '../../src/formats/byte-source.ts'
import { hdf5 } from '../../src/formats/hdf5.ts'
import { recordBytes } from '../../src/formats/layout.ts'
import { parquet } from '../../src/formats/parquet.ts'
import type { Column, FileLayout, FormatOptions, RecordFormat } from '../../src/formats/types.ts'
import { digest } from '../formats/goldens.ts'
import { contentOf, recordsOf, writeFormat } from '../formats/memory-sink.ts'
import { absent, pythonWith, runJson } from './python.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-arrays-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let made = 0
const path = (suffix: string): string => join(folder, `${made++}.${suffix}`)

async function ours(format: RecordFormat, file: string, layout?: FileLayout): Promise<string[]> {
  const reader = await format.open(memorySource(file, new Uint8Array(await readFile(file))), layout)
  const records: string[] = []
  for (let sample = 0; sample < reader.samples; sample++) {
    const into = new Uint8Array(recordBytes(reader))
    records.push(digest(into.subarray(0, await reader.read(sample, into))))
  }
  await reader.close()
  return records
}

const h5py = pythonWith('numpy', 'h5py')

describe(`h5py and our HDF5${h5py === undefined ? ` ${absent('numpy', 'h5py')}` : ''}`, () => {
  const written: [DType, number[], FormatOptions][] = [
    ['uint8', [64, 64], {}],
    ['float32', [1, 16, 24], {}],
    ['bool', [9], {}],
    ['float16', [9, 3], {}],
    ['uint8', [6, 32, 16], { dataSets: 3 }],
    ['int16', [40, 7], { dataSets: 20 }],
    ['float64', [32, 32], { chunkDims: [1, 8, 8] }],
    ['uint8', [64, 64], { chunkDims: [1, 1, 64] }],
    ['uint8', [16, 16], { maxShape: [32, 32] }],
    ['float32', [100, 90], { compression: 'gzip', compressionLevel: 3 }],
    ['float32', [100, 90], { compression: 'lzf' }],
    ['uint8', [64, 64], { compression: 'lzf', chunkDims: [20, 64, 64] }],
  ]

  it.skipIf(h5py === undefined).each(written)('it reads what we write: %s %j %j', async (dtype, shape, options) => {
    const layout: FileLayout = { samples: 20, shape, dtype, options }
    const records = recordsOf(layout, 'numbers')
    const { bytes } = await writeFormat(hdf5, layout, contentOf(records))
    const file = path('hdf5')
    await writeFile(file, bytes)
    const told = (await runJson(h5py ?? '', 'arrays.py', 'read-hdf5', file)) as {
      sets: Record<string, Record<string, unknown>>
      records: string[]
    }
    expect(told.records).toEqual(records.map(digest))
    const { chunkDims, maxShape, compression, compressionLevel } = options
    expect(told.sets.labels).toMatchObject({ shape: [20], dtype: 'int64', chunks: null })
    expect(told.sets.records_0).toMatchObject({
      dtype,
      ...(chunkDims && { chunks: chunkDims }),
      ...(maxShape && { maxshape: [20, ...maxShape] }),
      compression: compression ?? null,
      level: compressionLevel ?? null,
    })
  })

  const theirs = [
    { dtype: 'uint8', shape: [12, 64, 64] },
    { dtype: 'float32', shape: [12, 40, 30], sets: 4 },
    { dtype: 'float32', shape: [12, 40, 30], sets: 9 },
    { dtype: 'bool', shape: [12, 9] },
    { dtype: 'float16', shape: [3, 9] },
    { dtype: 'float64', shape: [12, 32, 32], chunks: [1, 8, 8] },
    { dtype: 'uint8', shape: [1200, 4, 4], chunks: [1, 4, 4] },
    { dtype: 'uint8', shape: [5, 16, 16], maxshape: [5, 32, 32] },
    { dtype: 'uint8', shape: [5, 16, 16], maxshape: [null, 16, 16] },
    { dtype: 'int32', shape: [50, 60, 70], compression: 'gzip', shuffle: true },
    { dtype: 'int32', shape: [50, 60, 70], chunks: [50, 60, 70], compression: 'gzip' },
    { dtype: 'int32', shape: [50, 60, 70], chunks: [7, 9, 70], fletcher32: true },
    { dtype: 'int32', shape: [50, 60, 70], compression: 'lzf' },
    { dtype: 'int32', shape: [50, 60, 70], chunks: [50, 60, 70], compression: 'lzf', shuffle: true },
    { dtype: 'float32', shape: [12, 40, 30], libver: 'earliest' },
    { dtype: 'float32', shape: [12, 40, 30], libver: 'earliest', compression: 'gzip' },
    { dtype: '>i4', shape: [12, 40, 30] },
  ]

  it.skipIf(h5py === undefined).each(theirs)('we read what it writes: %j', async (options) => {
    const file = path('hdf5')
    const told = (await runJson(h5py ?? '', 'arrays.py', 'write-hdf5', file, JSON.stringify(options))) as {
      records: string[]
    }
    expect(await ours(hdf5, file)).toEqual(told.records)
  })

  it.skipIf(h5py === undefined).each([
    [{ dtype: 'uint8', shape: [3, 64, 64] }, {}],
    [{ dtype: 'uint8', shape: [3, 8, 8] }, {}],
    [{ dtype: 'float32', shape: [1, 5, 24, 24], sets: 5 }, { dataSets: 5 }],
    // With more than 7, libhdf5 puts the names of the data sets into a heap.
    [{ dtype: 'float32', shape: [2, 1, 24, 24], sets: 7 }, { dataSets: 7 }],
    [{ dtype: 'uint8', shape: [9, 1, 3], sets: 6 }, { dataSets: 6 }],
    [{ dtype: 'float64', shape: [40, 32, 32], chunks: [1, 8, 8] }, { chunkDims: [1, 8, 8] }],
    [{ dtype: 'float64', shape: [80, 32, 32], chunks: [1, 8, 8] }, { chunkDims: [1, 8, 8] }],
    [{ dtype: 'uint8', shape: [40, 32, 32], maxshape: [40, 40, 40] }, { maxShape: [40, 40] }],
    [{ dtype: 'int16', shape: [3, 1000, 700], maxshape: [3, 2000, 700] }, { maxShape: [2000, 700] }],
  ] as [{ dtype: DType; shape: number[]; sets?: number }, FormatOptions][])(
    'its files are as long as ours: %j',
    async (options, ourOptions) => {
      const file = path('hdf5')
      await runJson(h5py ?? '', 'arrays.py', 'write-hdf5', file, JSON.stringify(options))
      const [samples = 0, ...rest] = options.shape
      const shape = options.sets === undefined ? rest : [(rest[0] ?? 1) * options.sets, ...rest.slice(1)]
      const layout = { samples, shape, dtype: options.dtype, options: ourOptions }
      expect(hdf5.fileBytes(layout)).toBe(statSync(file).size)
    },
  )
})

const pyarrow = pythonWith('numpy', 'pyarrow')
const column = (name: string, dtype: string, size = 1): Column => ({ name, dtype, size, read: true })

describe(`PyArrow and our Parquet${pyarrow === undefined ? ` ${absent('numpy', 'pyarrow')}` : ''}`, () => {
  const all = [
    column('a', 'int8'),
    column('b', 'uint8', 3),
    column('c', 'int16'),
    column('d', 'uint16', 2),
    column('e', 'int32'),
    column('f', 'uint32'),
    column('g', 'int64', 4),
    column('h', 'uint64'),
    column('i', 'float16', 5),
    column('j', 'float32'),
    column('k', 'float64', 2),
    column('l', 'bool'),
    column('m', 'bool', 3),
    column('text', 'string'),
    column('raw', 'binary', 7),
  ]
  const cases: [string, Column[], number, number, number][] = [
    ['every type', all, 1 + 3 + 2 + 4 + 4 + 4 + 32 + 8 + 10 + 4 + 16 + 1 + 3 + 4 + 7, 300, 100],
    ['a page of rows more', [column('x', 'int32'), column('y', 'int8'), column('z', 'bool')], 6, 50_000, 45_000],
    ['a dictionary that runs over', [column('x', 'float32', 4000), column('y', 'float64')], 16_008, 200, 200],
    ['many small lists', [column('x', 'int16', 2)], 4, 50_000, 50_000],
    [
      'a dictionary of text that runs over',
      [column('text', 'string'), column('raw', 'binary', 30)],
      34,
      90_000,
      90_000,
    ],
    ['long binary', [column('raw', 'binary', 5000)], 5000, 30, 10],
    ['bytes that come again and again', [column('x', 'uint8', 50_000)], 50_000, 60, 60],
  ]

  for (const [what, columns, bytes, samples, rowGroupSize] of cases) {
    const layout: FileLayout = { samples, shape: [bytes], dtype: 'uint8', options: { columns, rowGroupSize } }

    it.skipIf(pyarrow === undefined)(`it reads what we write, and writes as much: ${what}`, async () => {
      const records = recordsOf(layout)
      const { bytes: file } = await writeFormat(parquet, layout, contentOf(records))
      const at = path('parquet')
      const raw = path('bin')
      await writeFile(at, file)
      await writeFile(raw, Buffer.concat(records))
      const told = (await runJson(pyarrow ?? '', 'arrays.py', 'read-parquet', at)) as Record<string, unknown>
      const groups = Array.from({ length: Math.ceil(samples / rowGroupSize) }, (_, i) =>
        Math.min(rowGroupSize, samples - i * rowGroupSize),
      )
      expect(told).toMatchObject({ rows: groups, codecs: ['UNCOMPRESSED'], nulls: 0 })
      expect(told.records).toEqual(await ours(parquet, at, layout))
      const theirs = path('parquet')
      const { version } = (await runJson(
        pyarrow ?? '',
        'arrays.py',
        'write-parquet',
        theirs,
        JSON.stringify(columns),
        raw,
        String(rowGroupSize),
      )) as { version: string }
      expect(await ours(parquet, theirs, layout)).toEqual(told.records)
      const arrows = Buffer.from(await readFile(theirs))
      const name = `parquet-cpp-arrow version ${version}`
      if (name.length === 32) arrows.write("headrace (laid out like Arrow's)", arrows.lastIndexOf(name), 'latin1')
      if (version.startsWith('26.')) expect(Buffer.compare(Buffer.from(file), arrows)).toBe(0)
    })
  }

  it.skipIf(pyarrow === undefined).each(['gzip', 'snappy'] as const)(
    'it reads what we compress: %s',
    async (compression) => {
      const layout: FileLayout = {
        samples: 60,
        shape: [300],
        dtype: 'uint8',
        options: { compression, rowGroupSize: 25 },
      }
      const records = recordsOf(layout)
      const { bytes } = await writeFormat(parquet, layout, contentOf(records))
      const at = path('parquet')
      await writeFile(at, bytes)
      const told = await runJson(pyarrow ?? '', 'arrays.py', 'read-parquet', at)
      expect(told).toMatchObject({
        schema: { data: 'fixed_size_list<element: uint8>[300]' },
        rows: [25, 25, 10],
        codecs: [compression.toUpperCase()],
        records: records.map(digest),
      })
    },
  )
})
