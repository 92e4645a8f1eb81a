import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { memorySource } from '../../src/formats/byte-source.ts'
import { bzip2Pieces } from '../../src/formats/csv/bzip2.ts'
import { inspect } from '../../src/formats/inspect.ts'
import { recordFormat } from '../../src/formats/records.ts'
import type { FileLayout, FormatName } from '../../src/formats/types.ts'
import { failing } from '../storage/conformance.ts'
import { contentOf, recordsOf, writeFormat } from './memory-sink.ts'

const told = (bytes: Uint8Array | string) => inspect(memorySource('file', Buffer.from(bytes as string)))

async function fileOf(name: FormatName, layout: FileLayout) {
  return writeFormat(await recordFormat(name), layout, contentOf(recordsOf(layout, 'numbers')))
}

describe('inspect', () => {
  it('tells the arrays of an .npz, where they lie, and whether they are packed', async () => {
    const layout = { samples: 3, shape: [64, 64], dtype: 'uint8', options: {} } as const
    const { bytes } = await fileOf('npz', layout)
    expect(await told(bytes)).toEqual({
      format: 'npz',
      records: 3,
      shape: [64, 64],
      dtype: 'uint8',
      parts: [
        { name: 'x.npy', type: 'uint8', shape: [64, 64, 3], offset: 55, storedBytes: 12_416, bytes: 12_416 },
        { name: 'y.npy', type: 'int64', shape: [3], offset: 12_526, storedBytes: 152, bytes: 152 },
      ],
      partCount: 2,
    })
    const packed = await fileOf('npz', { ...layout, options: { compression: 'zip' } })
    expect(await told(packed.bytes)).toMatchObject({
      codec: 'deflate',
      records: 3,
      parts: [{ codec: 'deflate' }, { codec: 'deflate' }],
    })
  })

  it('tells the features of the first TFRecords', async () => {
    const { bytes } = await fileOf('tfrecord', { samples: 5, shape: [130], dtype: 'int16', options: {} })
    const found = await told(bytes)
    expect(found).toMatchObject({ format: 'tfrecord', records: 5, shape: [260], dtype: 'uint8', partCount: 6 })
    expect(found.parts.slice(0, 2)).toEqual([
      { name: 'record 0: image', type: 'bytes', shape: [260], offset: 34, storedBytes: 260 },
      { name: 'record 0: size', type: 'int64', shape: [1] },
    ])
  })

  it('tells indexed records by the two files beside them', async () => {
    const file = await fileOf('indexed_binary', { samples: 100, shape: [7], dtype: 'uint8', options: {} })
    const source = memorySource('file', file.bytes)
    const beside = async (suffix: string) =>
      memorySource(suffix, file.sidecars[suffix === '.off.idx' ? 0 : 1] ?? file.bytes)
    const found = await inspect(source, beside)
    expect(found).toMatchObject({ format: 'indexed_binary', records: 100, shape: [7], partCount: 100 })
    expect(found.parts).toHaveLength(64)
    expect(found.parts[3]).toEqual({ name: 'record 3', type: 'bytes', shape: [7], offset: 21, storedBytes: 7 })
  })

  it('looks through the compression of a text', async () => {
    const rows = '1,2,3\n4,5,6\n'
    const csv = { format: 'csv', records: 2, shape: [3], dtype: 'uint8' }
    expect(await told(rows)).toMatchObject(csv)
    expect(await told(gzipSync(rows))).toMatchObject({ ...csv, codec: 'gzip' })
    expect(await told(Buffer.concat([...bzip2Pieces([Buffer.from(rows)])]))).toMatchObject({ ...csv, codec: 'bz2' })
    const layout = { samples: 2, shape: [3], dtype: 'uint8', options: { compression: 'zip' } } as const
    expect(await told((await fileOf('csv', layout)).bytes)).toMatchObject({ ...csv, codec: 'zip' })
  })

  it('tells what else a file is, and what it is not', async () => {
    expect(await told('')).toEqual({ format: 'empty', parts: [], partCount: 0 })
    expect(await told('17')).toMatchObject({ format: 'synthetic', parts: [{ name: '17' }] })
    expect(await told('GIF89a and more')).toMatchObject({ format: 'gif picture' })
    expect(await told('0 4150\n4150 4150\n')).toMatchObject({ format: 'index of a tfrecord file' })
    expect(await told('name,age\nAda,36\n')).toMatchObject({ format: 'unknown' })
    expect(await told(gzipSync('name,age\n'))).toMatchObject({ format: 'unknown', codec: 'gzip' })
    expect(await told(Buffer.alloc(100, 0xc3))).toMatchObject({ format: 'unknown', parts: [{ storedBytes: 100 }] })
  })

  it('says what is wrong with a damaged file of a format that it knows', async () => {
    const { bytes } = await fileOf('npz', { samples: 3, shape: [64, 64], dtype: 'uint8', options: {} })
    await expect(told(bytes.subarray(0, 5000))).rejects.toEqual(failing('E_CORRUPT', 'file', 'zip'))
    const records = await fileOf('tfrecord', { samples: 5, shape: [130], dtype: 'int16', options: {} })
    await expect(told(records.bytes.subarray(0, 1000))).rejects.toEqual(failing('E_CORRUPT', 'file', 'byte 942'))
  })
})
