import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { DType } from '../../../src/dtype.ts'
import { memorySource } from '../../../src/formats/byte-source.ts'
import { recordBytes } from '../../../src/formats/layout.ts'
import { parquet } from '../../../src/formats/parquet.ts'
import type { Column, FileLayout, FormatOptions } from '../../../src/formats/types.ts'
import { failing } from '../../storage/conformance.ts'
import { recordFormatConformance } from '../conformance.ts'
import { digest } from '../goldens.ts'
import { contentOf, countingSource, openWritten, recordsOf, writeFormat } from '../memory-sink.ts'

const traits = {
  dtypes: ['uint8', 'float32', 'int64', 'bool'],
  shapes: [[7], [5, 3], [64, 64]],
  samples: [1, 2, 19],
  says: 'bytes',
  large: { samples: 3, shape: [1500, 2100], dtype: 'uint8' },
  // A row group is read whole.
  readBytes: (_: unknown, fileBytes: number) => fileBytes + 64 * 1024,
} as const

recordFormatConformance('parquet', async () => parquet, {
  ...traits,
  options: [{}, { rowGroupSize: 4 }],
})
describe('compressed', () => {
  recordFormatConformance('parquet', async () => parquet, {
    ...traits,
    dtypes: ['uint8'],
    options: [{ compression: 'snappy' }, { compression: 'gzip', compressionLevel: 1, rowGroupSize: 3 }],
  })
})

const column = (name: string, dtype: string, size = 1, read = true): Column => ({ name, dtype, size, read })
const layoutWith = (samples: number, bytes: number, options: FormatOptions): FileLayout => ({
  samples,
  shape: [bytes],
  dtype: 'uint8',
  options,
})

interface GoldenFile {
  readonly of: string
  readonly layout: FileLayout
  /** SHA-256 of all records' (of each the first 16 hex digits), its first 16 hex digits; and that of the first. */
  readonly records: string
  readonly first: string
}

const COLS = [
  column('dense', 'float32', 13),
  column('label', 'int32'),
  column('ids', 'int64', 4),
  column('s', 'string'),
  column('b', 'binary', 9),
  column('flag', 'bool'),
  column('u', 'uint8'),
]

/** Files of MLCommons' DLIO, hence Arrow's (test/fixtures/dlio); what lies in them was found with a reader in Python. */
const GOLDENS: readonly GoldenFile[] = [
  {
    of: 'pq_cols',
    layout: layoutWith(100, 52 + 4 + 32 + 4 + 9 + 1 + 1, { columns: COLS, rowGroupSize: 32 }),
    records: '3e1456b8797100d4',
    first: '970e2cac0d350041',
  },
  {
    of: 'pq_genbatch',
    layout: layoutWith(100, 2, { columns: [column('x', 'int16')], rowGroupSize: 7 }),
    records: '0de904b632cecb3c',
    first: '0742a24a03ca6cdd',
  },
  {
    of: 'pq_gzip',
    layout: layoutWith(50, 40, { columns: [column('a', 'float64'), column('v', 'float32', 8)], rowGroupSize: 25 }),
    records: '2d315bebc9e383eb',
    first: 'a475595ada76abd2',
  },
  {
    of: 'pq_legacy',
    layout: { samples: 10, shape: [32, 32], dtype: 'uint8', options: {} },
    records: 'a88ab3f1a7e55986',
    first: '01bdfd4d59869415',
  },
]

function bytesOf(of: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../fixtures/dlio/${of}/img_0_of_4.parquet`, import.meta.url)))
}

async function recordsIn(bytes: Uint8Array, layout?: FileLayout, codec = parquet): Promise<Uint8Array[]> {
  const reader = await codec.open(memorySource('file', bytes), layout)
  const records: Uint8Array[] = []
  for (let sample = 0; sample < reader.samples; sample++) {
    const into = new Uint8Array(recordBytes(reader))
    records.push(into.subarray(0, await reader.read(sample, into)))
  }
  await reader.close()
  return records
}

/** Content that makes these records: of a string, the number at its end. */
function contentOfRows(rows: readonly Uint8Array[], of: string): ReturnType<typeof contentOf> {
  if (of !== 'pq_cols') return contentOf(rows)
  return contentOf(
    rows.map((row) => {
      const text = Buffer.from(row.subarray(88, row.length - 11)).toString()
      const number = Buffer.alloc(4)
      number.writeUInt32LE(Number(text.slice(2)))
      return new Uint8Array(Buffer.concat([row.subarray(0, 88), number, row.subarray(row.length - 11)]))
    }),
  )
}

describe("Arrow's Parquet files", () => {
  it.each(GOLDENS.map((each) => [each.of, each] as const))('%s is read', async (of, { layout, records, first }) => {
    for (const knowing of [layout, undefined]) {
      const found = (await recordsIn(bytesOf(of), knowing)).map(digest)
      expect([found[0], digest(Buffer.from(found.join('')))]).toEqual([first, records])
    }
  })

  it.each(GOLDENS.map((each) => [each.of, each] as const))(
    '%s is what we write, to the byte',
    async (of, { layout }) => {
      const theirs = bytesOf(of)
      const content = contentOfRows(await recordsIn(theirs, layout), of)
      const ours = Buffer.from((await writeFormat(parquet, layout, content)).bytes)
      // But for who wrote it.
      const name = 'parquet-cpp-arrow version 26.0.1'
      const renamed = Buffer.from(theirs)
      renamed.write("headrace (laid out like Arrow's)", renamed.lastIndexOf(name), 'latin1')
      expect(ours.length).toBe(theirs.length)
      expect(Buffer.compare(ours, renamed)).toBe(0)
    },
  )

  it('say what they hold', async () => {
    const found = await parquet.inspect?.(memorySource('file', bytesOf('pq_gzip')))
    expect(found).toMatchObject({ format: 'parquet', records: 50, shape: [40], dtype: 'uint8', partCount: 4 })
    expect(found?.parts.slice(0, 2)).toEqual([
      { name: 'row group 0: a', type: 'float64', shape: [25], offset: 4, storedBytes: 307, bytes: 307 },
      {
        name: 'row group 0: v.list.element',
        type: 'float32',
        shape: [200],
        offset: 311,
        storedBytes: 1106,
        bytes: 1106,
      },
    ])
  })
})

const NUMBERS: readonly DType[] = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'int64',
  'uint64',
  'float16',
  'float32',
  'float64',
]

describe('columns of numbers', () => {
  const columns = NUMBERS.flatMap((dtype) => [column(`${dtype}_1`, dtype), column(`${dtype}_5`, dtype, 5)])
  const bytes = 2 * (1 + 1 + 2 + 2 + 4 + 4 + 8 + 8 + 2 + 4 + 8) * 3
  const layout = layoutWith(333, bytes, { columns, rowGroupSize: 100 })

  it.each(['none', 'snappy', 'gzip'] as const)('are given back as they were written: %s', async (compression) => {
    const each = { ...layout, options: { ...layout.options, compression } }
    const records = recordsOf(each)
    const { bytes: file } = await writeFormat(parquet, each, contentOf(records))
    expect(await recordsIn(file, each)).toEqual(records)
    expect(await recordsIn(file)).toEqual(records)
  })

  it('are read as many as are asked for, and their ranges alone', async () => {
    const records = recordsOf(layout)
    const { bytes: file } = await writeFormat(parquet, layout, contentOf(records))
    const some = columns.map((each) => ({ ...each, read: each.name === 'int32_5' || each.name === 'float64_1' }))
    const source = countingSource(file)
    const reader = await parquet.open(source, { ...layout, options: { ...layout.options, columns: some } })
    expect([reader.shape, reader.dtype]).toEqual([[28], 'uint8'])
    const footer = source.bytesRead
    const into = new Uint8Array(28)
    for (const sample of [0, 57, 99, 3]) {
      expect(await reader.read(sample, into)).toBe(28)
      const record = records[sample] ?? into
      const int32 = 6 * (1 + 1 + 2 + 2 + 4) + 4
      expect([...into.subarray(0, 20)]).toEqual([...record.subarray(int32, int32 + 20)])
      expect([...into.subarray(20)]).toEqual([...record.subarray(bytes - 48, bytes - 40)])
    }
    const inspected = await parquet.inspect?.(memorySource('file', file))
    const ranges = inspected?.parts.filter(({ name }) => /group 0: (int32_5|float64_1)\b/.test(name)) ?? []
    expect(ranges).toHaveLength(2)
    expect(source.bytesRead - footer).toBe(ranges.reduce((sum, { storedBytes = 0 }) => sum + storedBytes, 0))
  })

  it('of which none is read are refused, and such as there are not', async () => {
    const { bytes: file } = await writeFormat(parquet, layout, contentOf(recordsOf(layout)))
    const none = columns.map((each) => ({ ...each, read: false }))
    const other = [column('other', 'int8')]
    const open = (wanted: Column[]) => parquet.open(memorySource('file', file), layoutWith(333, 1, { columns: wanted }))
    await expect(open(none)).rejects.toEqual(failing('E_CONFIG', 'file'))
    await expect(open(other)).rejects.toEqual(failing('E_CORRUPT', 'file', '"other"'))
  })
})

it('ends row groups where the rows end that are written at once', async () => {
  const options = { columns: [column('x', 'int16')], rowGroupSize: 32, rowsAtOnce: 50 }
  const layout = layoutWith(120, 2, options)
  const records = recordsOf(layout)
  const { bytes } = await writeFormat(parquet, layout, contentOf(records))
  const { parts = [] } = (await parquet.inspect?.(memorySource('file', bytes))) ?? {}
  expect(parts.map(({ shape }) => shape?.[0])).toEqual([32, 18, 32, 18, 20])
  expect(await recordsIn(bytes, layout)).toEqual(records)
  const none = layoutWith(120, 2, { ...options, rowsAtOnce: 0 })
  await expect(writeFormat(parquet, none, contentOf(records))).rejects.toEqual(failing('E_CONFIG', 'but got 0'))
})

describe('columns of other things', () => {
  const columns = [
    column('text', 'string'),
    column('raw', 'binary', 5),
    column('flag', 'bool'),
    column('flags', 'bool', 3),
    column('list', 'list', 2),
  ]
  const layout = layoutWith(50, 4 + 5 + 1 + 3 + 8, { columns, rowGroupSize: 20 })

  it('are text of a number, bytes, noughts and ones, and floats', async () => {
    const records = recordsOf(layout)
    const { bytes } = await writeFormat(parquet, layout, contentOf(records))
    const wanted = records.map((record) => {
      const view = Buffer.from(record)
      const flags = [...record.subarray(9, 13)].map((flag) => flag & 1)
      return new Uint8Array(
        Buffer.concat([
          Buffer.from(`text_${view.readUInt32LE()}`),
          view.subarray(4, 9),
          Buffer.from(flags),
          view.subarray(13),
        ]),
      )
    })
    expect(await recordsIn(bytes, layout)).toEqual(wanted)
  })

  it.each([
    [column('x', 'complex64'), 'complex64'],
    [column('x', 'int8', 0), 'size'],
    [column('', 'int8'), 'name'],
  ])('%j is refused', (wrong, words) => {
    expect(() => parquet.fileBytes(layoutWith(1, 1, { columns: [wrong] }))).toThrow(failing('E_CONFIG', words) as never)
  })

  it('may not have the same name twice', () => {
    const twice = [column('x', 'int8'), column('x', 'int8')]
    expect(() => parquet.fileBytes(layoutWith(1, 2, { columns: twice }))).toThrow(failing('E_CONFIG', '"x"') as never)
  })
})

describe('row groups', () => {
  it('that are large are read page by page', async () => {
    // 36 MiB of floats: 9 rows of 4 MiB and a bit.
    const size = 2 ** 20 + 77
    const layout = layoutWith(9, size * 4 + 4, { columns: [column('id', 'int32'), column('v', 'float32', size)] })
    const records = recordsOf(layout)
    const { bytes, largest } = await writeFormat(parquet, layout, contentOf(records))
    expect(largest).toBeLessThanOrEqual(4 * 2 ** 20)
    const source = countingSource(bytes)
    const reader = await parquet.open(source, layout)
    const into = new Uint8Array(size * 4 + 4)
    for (const sample of [0, 5, 8, 2]) {
      const before = source.bytesRead
      await reader.read(sample, into)
      expect(Buffer.compare(into, records[sample] ?? into)).toBe(0)
      if (sample !== 0) expect(source.bytesRead - before).toBeLessThan(8 * 2 ** 20)
    }
    await reader.close()
  })

  it('are read once for all of their rows', async () => {
    const layout: FileLayout = { samples: 12, shape: [100], dtype: 'uint8', options: { rowGroupSize: 6 } }
    const { bytes } = await writeFormat(parquet, layout, contentOf(recordsOf(layout)))
    const source = countingSource(bytes)
    const reader = await openWritten(parquet, { bytes, sidecars: [] }, layout)
    await reader.close()
    const counted = await parquet.open(source, layout)
    const into = new Uint8Array(100)
    for (const sample of [0, 5, 3, 1, 2]) await counted.read(sample, into)
    expect(source.reads).toBe(2)
    for (const sample of [6, 11]) await counted.read(sample, into)
    expect(source.reads).toBe(3)
  })

  it.each([0, 1.5, -1])('of %d rows are refused', (rowGroupSize) => {
    const layout: FileLayout = { samples: 1, shape: [1], dtype: 'uint8', options: { rowGroupSize } }
    expect(() => parquet.fileBytes(layout)).toThrow(failing('E_CONFIG', 'row group') as never)
  })
})
