import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { memorySource } from '../../src/formats/byte-source.ts'
import { csv } from '../../src/formats/csv/csv.ts'
import { zipMembers } from '../../src/formats/zip/directory.ts'
import { failing } from '../storage/conformance.ts'
import { recordFormatConformance } from './conformance.ts'
import { contentOf, openWritten, recordsOf, writeFormat } from './memory-sink.ts'

const traits = {
  dtypes: ['uint8', 'int16', 'int64', 'uint64', 'float32', 'float64', 'bool'],
  shapes: [[1], [10], [20, 20]],
  samples: [1, 4, 30],
  content: 'numbers',
  says: 'bytes',
  // A text may end anywhere.
  cuts: 'survived',
  readBytes: (_: unknown, fileBytes: number) => 2 * fileBytes + 4096,
} as const

recordFormatConformance('csv', async () => csv, {
  ...traits,
  large: { samples: 2, shape: [1_300_000], dtype: 'uint8' },
})
for (const compression of ['gzip', 'zip', 'bz2'] as const)
  describe(compression, () => {
    recordFormatConformance('csv', async () => csv, {
      ...traits,
      dtypes: ['uint8', 'float64'],
      options: [{ compression }, { compression, compressionLevel: 9 }],
      cuts: 'found',
      flips: 'found',
    })
  })

const text = async (bytes: Uint8Array) => Buffer.from(bytes).toString()
const open = (lines: string) => csv.open(memorySource('file', Buffer.from(lines)))

describe('a CSV file', () => {
  const layout = { samples: 2, shape: [3], dtype: 'uint8', options: {} } as const

  it('has a row a sample, no names, and ends with a line end', async () => {
    const { bytes } = await writeFormat(csv, layout, contentOf([Uint8Array.of(1, 20, 255), Uint8Array.of(0, 0, 7)]))
    expect(await text(bytes)).toBe('1,20,255\n0,0,7\n')
  })

  it('writes floats with the fewest digits that read back the same', async () => {
    const values = Float32Array.of(0.1, 1, -0, 1 / 3, 16_777_216, 3e-45, Number.NaN, Infinity)
    const floats = { samples: 1, shape: [8], dtype: 'float32', options: {} } as const
    const { bytes } = await writeFormat(csv, floats, contentOf([new Uint8Array(values.buffer)]))
    expect(await text(bytes)).toBe('0.1,1.0,-0.0,0.33333334,16777216.0,3e-45,nan,inf\n')
    const into = new Uint8Array(32)
    await (await openWritten(csv, { bytes, sidecars: [] }, floats)).read(0, into)
    expect([...new Float32Array(into.buffer)]).toEqual([...values])
  })

  it('is compressed as its option says, a zip with one member of its name', async () => {
    const records = recordsOf(layout)
    const plain = await writeFormat(csv, layout, contentOf(records))
    const gzip = await writeFormat(csv, { ...layout, options: { compression: 'gzip' } }, contentOf(records))
    expect(gunzipSync(gzip.bytes).equals(plain.bytes)).toBe(true)
    const zip = await writeFormat(csv, { ...layout, options: { compression: 'zip' } }, contentOf(records))
    expect((await zipMembers(memorySource('zip', zip.bytes))).map(({ name }) => name)).toEqual(['img_0_of_1.csv'])
  })

  it('longer than what is kept is read row by row, compressed too', async () => {
    const rows = Array.from({ length: 5 }, (_, i) => `${i},${'7,'.repeat(2_000_000)}${i}\n`).join('')
    for (const bytes of [Buffer.from(rows), gzipSync(rows, { level: 1 })]) {
      const reader = await csv.open(memorySource('file', bytes))
      expect([reader.samples, reader.shape, reader.dtype]).toEqual([5, [2_000_002], 'uint8'])
      const into = new Uint8Array(2_000_002)
      for (const sample of [3, 4, 0]) {
        await reader.read(sample, into)
        expect([into[0], into[1], into.at(-1)]).toEqual([sample, 7, sample])
      }
      await reader.close()
    }
  })

  it('is told what its numbers are by its first row', async () => {
    for (const [line, dtype] of [
      ['0,255', 'uint8'],
      ['0,256', 'int64'],
      ['-1,3', 'int64'],
      ['18446744073709551615,3', 'uint64'],
      ['18446744073709551616,3', 'float64'],
      ['0.5,3', 'float64'],
      ['True,False', 'bool'],
    ] as const)
      expect((await open(`${line}\r\n${line}`)).dtype, line).toBe(dtype)
  })

  it('with a bad row says which, and why', async () => {
    const reader = await open('1,2\n3,400\n5\n6,7,8\nx,1\n9,9')
    const read = (sample: number) => reader.read(sample, new Uint8Array(2))
    await expect(read(1)).rejects.toEqual(failing('E_CORRUPT', 'file: sample 1:', 'column 2', '"400"'))
    await expect(read(2)).rejects.toEqual(failing('E_CORRUPT', 'sample 2:', '1 columns', '2 were'))
    await expect(read(3)).rejects.toEqual(failing('E_CORRUPT', 'sample 3:', 'more than the 2 columns'))
    await expect(read(4)).rejects.toEqual(failing('E_CORRUPT', 'sample 4:', 'column 1', '"x"'))
    expect(await read(5)).toBe(2)
    await expect((await open(`1,${'1'.repeat(100)}\n`)).read(0, new Uint8Array(16))).rejects.toEqual(
      failing('E_CORRUPT', 'column 2', '64 characters'),
    )
  })

  it('refuses xz and what no text is defined for', async () => {
    expect(() => csv.fileBytes({ ...layout, options: { compression: 'xz' } })).toThrow(
      failing('E_CONFIG', 'xz') as never,
    )
    expect(() => csv.fileBytes({ ...layout, dtype: 'float16' })).toThrow(failing('E_CONFIG', 'float16') as never)
    const xz = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4])
    await expect(csv.open(memorySource('file', xz))).rejects.toEqual(failing('E_UNSUPPORTED', 'xz'))
  })
})
