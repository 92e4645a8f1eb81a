import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { DType } from '../../../src/dtype.ts'
import { memorySource } from '../../../src/formats/byte-source.ts'
import { hdf5 } from '../../../src/formats/hdf5.ts'
import { recordBytes } from '../../../src/formats/layout.ts'
import type { FileLayout, FormatOptions } from '../../../src/formats/types.ts'
import { failing } from '../../storage/conformance.ts'
import { recordFormatConformance } from '../conformance.ts'
import { digest } from '../goldens.ts'
import { contentOf, countingSource, openWritten, recordsOf, writeFormat } from '../memory-sink.ts'

const traits = {
  dtypes: ['uint8', 'float16', 'float32', 'float64', 'int64', 'uint16', 'int8', 'bool'],
  shapes: [[7], [5, 3], [64, 64], [3, 17, 5]],
  samples: [1, 2, 19],
  large: { samples: 3, shape: [1500, 2100], dtype: 'uint8' },
} as const

recordFormatConformance('hdf5', async () => hdf5, traits)
describe('spread over data sets', () => {
  recordFormatConformance('hdf5', async () => hdf5, {
    ...traits,
    shapes: [[6, 5], [12, 4, 4], [30]],
    options: [{ dataSets: 3 }, { dataSets: 2, compression: 'gzip' }],
    dtypes: ['uint8', 'float32'],
    large: { samples: 3, shape: [1500, 2100], dtype: 'uint8' },
  })
})
describe('in chunks', () => {
  recordFormatConformance('hdf5', async () => hdf5, {
    ...traits,
    shapes: [[24, 20]],
    options: [
      { chunkDims: [1, 8, 8] },
      { chunkDims: [2, 5, 20] },
      { chunkDims: [1, 24, 20], maxShape: [48, 20] },
      { chunkDims: [1, 7, 3], compression: 'gzip', compressionLevel: 1 },
    ],
    samples: [2, 19],
    dtypes: ['uint8', 'float64'],
    large: { samples: 3, shape: [1500, 2100], dtype: 'uint8' },
  })
})
describe('compressed', () => {
  recordFormatConformance('hdf5', async () => hdf5, {
    ...traits,
    options: [{ compression: 'gzip' }, { compression: 'lzf' }],
    dtypes: ['uint8', 'float32', 'bool'],
    // A chunk holds several samples here.
    readBytes: (_: unknown, fileBytes: number) => fileBytes,
  })
})

interface GoldenFile {
  readonly of: string
  readonly file: string
  readonly layout: FileLayout
  /** SHA-256 of each record, its first 16 hex digits. */
  readonly records: readonly string[]
  readonly shape?: readonly number[]
}

const golden = (
  of: string,
  file: string,
  [samples, shape, dtype, options = {}]: [number, number[], DType, FormatOptions?],
  records: string[],
): GoldenFile => ({ of, file, layout: { samples, shape, dtype, options }, records })

/** Files of DLIO (test/fixtures/dlio); what lies in them was found with Python, by the places that h5py told. */
const GOLDENS = [
  golden(
    'hdf5_basic',
    'img_00_of_12',
    [3, [64, 64], 'uint8'],
    ['b901485213121e18', '71a203a9ea11cf2d', '2be51e60af940ea9'],
  ),
  golden('hdf5_dims_lead1_f32', 'img_00_of_12', [2, [1, 16, 24], 'float32'], ['0e6dde9f2e2ebf4d', '1ac2d7811b907498']),
  golden('hdf5_stdev', 'img_01_of_12', [2, [78, 127], 'uint8'], ['0472f0a9bd103e51', 'fedc5f4d18d67dad']),
  golden('hdf5_dset3', 'img_0_of_4', [1, [6, 32, 16], 'uint8', { dataSets: 3 }], ['06bd3d2458690918']),
  golden(
    'hdf5_chunks',
    'img_0_of_3',
    [4, [32, 32], 'float32', { chunkDims: [1, 8, 8] }],
    ['d902b393e11f2643', '4b122c650c2826ad', 'aafd905cb3401848', '67121d1e08d00a2f'],
  ),
  golden(
    'hdf5_max_nochunk',
    'img_0_of_2',
    [2, [16, 16], 'uint8', { maxShape: [32, 32] }],
    ['f02d0751d9551f2d', '30546938ccc1a045'],
  ),
]

function bytesOf({ of, file }: GoldenFile): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../fixtures/dlio/${of}/${file}.hdf5`, import.meta.url)))
}

async function recordsIn(bytes: Uint8Array, layout?: FileLayout): Promise<Uint8Array[]> {
  const reader = await hdf5.open(memorySource('file', bytes), layout)
  const records: Uint8Array[] = []
  for (let sample = 0; sample < reader.samples; sample++) {
    const into = new Uint8Array(recordBytes(reader))
    records.push(into.subarray(0, await reader.read(sample, into)))
  }
  await reader.close()
  return records
}

/** Without the root group's times and what is reckoned from them. */
function timeless(bytes: Uint8Array): Uint8Array {
  return bytes.slice().fill(0, 54, 70).fill(0, 191, 195)
}

describe("DLIO's HDF5 files", () => {
  it.each(GOLDENS.map((each) => [each.of, each] as const))('%s is read', async (_, each) => {
    const { layout, records } = each
    expect((await recordsIn(bytesOf(each), layout)).map(digest)).toEqual(records)
    expect((await recordsIn(bytesOf(each))).map(digest)).toEqual(records)
  })

  it.each(GOLDENS.map((each) => [each.of, each] as const))('%s is as long as ours, and as ours', async (of, each) => {
    const theirs = bytesOf(each)
    expect(hdf5.fileBytes(each.layout)).toBe(theirs.length)
    const content = contentOf(await recordsIn(theirs, each.layout))
    const { bytes } = await writeFormat(hdf5, each.layout, content)
    // With three data sets and more, libhdf5 continues the root group elsewhere, which is nobody's concern.
    const from = of === 'hdf5_dset3' ? 2048 : 0
    expect(Buffer.compare(timeless(bytes).subarray(from), timeless(theirs).subarray(from))).toBe(0)
  })

  it('are opened with one read, and a sample is one', async () => {
    const source = countingSource(bytesOf(GOLDENS[0] as GoldenFile))
    const reader = await hdf5.open(source)
    await reader.read(1, new Uint8Array(4096))
    expect([source.reads, source.bytesRead]).toEqual([2, 2048 + 4096])
    expect([reader.samples, reader.shape, reader.dtype]).toEqual([3, [64, 64], 'uint8'])
  })

  it('are told by their content', async () => {
    const { parts, ...found } = await (hdf5.inspect?.(memorySource('file', bytesOf(GOLDENS[4] as GoldenFile))) ?? {})
    expect(found).toEqual({ format: 'hdf5', records: 4, shape: [32, 32], dtype: 'float32', partCount: 2 })
    expect(parts).toEqual([
      { name: 'records_0', type: 'float32 in chunks of [1,8,8]', shape: [4, 32, 32], bytes: 16_384 },
      { name: 'labels', type: 'int64', shape: [4], offset: 18_432, storedBytes: 32, bytes: 32 },
    ])
  })

  it('that DLIO failed to write are told to be damaged', async () => {
    // A superblock that was never finished: `compression: none`.
    const bytes = bytesOf(GOLDENS[0] as GoldenFile).slice(0, 48)
    await expect(hdf5.open(memorySource('file', bytes))).rejects.toEqual(failing('E_CORRUPT', 'cut short'))
  })
})

const layout: FileLayout = { samples: 6, shape: [24, 20], dtype: 'float32', options: {} }

describe('an HDF5 file', () => {
  it('has a fixed array of pages where there are many chunks', async () => {
    const many: FileLayout = { samples: 70, shape: [64, 64], dtype: 'uint8', options: { chunkDims: [1, 16, 16] } }
    const records = recordsOf(many)
    const { bytes } = await writeFormat(hdf5, many, contentOf(records))
    expect(bytes.length).toBe(hdf5.fileBytes(many))
    // 1,120 chunks: 1,024 on the first page.
    expect(await recordsIn(bytes, many)).toEqual(records)
  })

  it('reads of a row of chunks the chunks of one sample', async () => {
    const chunked: FileLayout = { ...layout, options: { chunkDims: [1, 8, 20] } }
    const { bytes } = await writeFormat(hdf5, chunked, contentOf(recordsOf(chunked)))
    const source = countingSource(bytes)
    const reader = await hdf5.open(source)
    const before = source.bytesRead
    await reader.read(3, new Uint8Array(24 * 20 * 4))
    expect(source.bytesRead - before).toBe(24 * 20 * 4)
  })

  it('stores chunks as they are where compressing makes them no smaller', async () => {
    const packed: FileLayout = { ...layout, options: { compression: 'gzip', chunkDims: [1, 24, 20] } }
    const { bytes } = await writeFormat(hdf5, packed, contentOf(recordsOf(packed)))
    expect(bytes.length).toBe(2048 + 6 * 24 * 20 * 4 + 48)
    expect(await recordsIn(bytes, packed)).toEqual(recordsOf(packed))
  })

  it('is as small as its chunks', async () => {
    const packed: FileLayout = { ...layout, options: { compression: 'gzip', compressionLevel: 9 } }
    const zeros = Array.from({ length: 6 }, () => new Uint8Array(24 * 20 * 4))
    const { bytes } = await writeFormat(hdf5, packed, contentOf(zeros))
    expect(hdf5.fileBytes(packed)).toBeUndefined()
    expect(bytes.length).toBeLessThan(2200)
    expect(await recordsIn(bytes, packed)).toEqual(zeros)
  })

  it('waits on disk for the sizes of its chunks where it is large, and leaves nothing there', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'headrace-hdf5-'))
    vi.stubEnv('HEADRACE_SCRATCH', scratch)
    const large: FileLayout = { samples: 3, shape: [2048, 2048], dtype: 'uint8', options: { compression: 'gzip' } }
    const packed = { ...large, options: { ...large.options, compressionLevel: 1 } }
    const records = recordsOf(packed)
    const { bytes, largest } = await writeFormat(hdf5, packed, contentOf(records))
    expect(largest).toBeLessThanOrEqual(4 * 2 ** 20)
    const found = Buffer.concat(await recordsIn(bytes, packed))
    expect(Buffer.compare(found, Buffer.concat(records))).toBe(0)
    expect(readdirSync(scratch)).toEqual([])
    const failing = { fill: () => expect(readdirSync(scratch)).toEqual(['never']) }
    await expect(writeFormat(hdf5, packed, failing)).rejects.toThrow('never')
    expect(readdirSync(scratch)).toEqual([])
    vi.unstubAllEnvs()
    rmSync(scratch, { recursive: true })
  })

  it.each([
    [{ compression: 'xz' }, 'compression "xz"'],
    [{ compression: 'gzip', compressionLevel: 10 }, 'from 0 to 9'],
    [{ chunkDims: [8, 8] }, 'do not fit'],
    [{ chunkDims: [1, 25, 20] }, 'do not fit'],
    [{ maxShape: [20, 20] }, 'max_shape'],
    [{ dataSets: 5 }, '5 data sets'],
    [{ rowGroupSize: 5 }, 'rowGroupSize'],
  ] as [FormatOptions, string][])('refuses %j', (options, words) => {
    expect(() => hdf5.fileBytes({ ...layout, options })).toThrow(failing('E_CONFIG', words) as never)
  })

  it('has no bfloat16', () => {
    expect(() => hdf5.fileBytes({ ...layout, dtype: 'bfloat16' })).toThrow(failing('E_CONFIG', 'bfloat16') as never)
  })

  it('without records is told so, with what there is', async () => {
    const { bytes } = await writeFormat(hdf5, layout, contentOf(recordsOf(layout)))
    const renamed = Buffer.from(bytes)
    renamed.write('recorDs_0', bytes.indexOf(0x72, 100), 'latin1')
    await expect(hdf5.open(memorySource('file', renamed))).rejects.toEqual(failing('E_CORRUPT', 'file'))
  })

  it('tells where a chunk is damaged', async () => {
    const packed: FileLayout = { ...layout, options: { compression: 'gzip', chunkDims: [1, 24, 20] } }
    const zeros = Array.from({ length: 6 }, () => new Uint8Array(24 * 20 * 4))
    const { bytes } = await writeFormat(hdf5, packed, contentOf(zeros))
    const broken = bytes.slice().fill(0xff, 2048, 2060)
    const reader = await openWritten(hdf5, { bytes: broken, sidecars: [] }, packed)
    await expect(reader.read(0, new Uint8Array(24 * 20 * 4))).rejects.toEqual(
      failing('E_CORRUPT', 'file: sample 0', 'records_0', 'at byte 2048'),
    )
    expect(await reader.read(1, new Uint8Array(24 * 20 * 4))).toBe(24 * 20 * 4)
  })
})
