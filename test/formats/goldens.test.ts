import { describe, expect, it } from 'vitest'
import { memorySource } from '../../src/formats/byte-source.ts'
import { inspect } from '../../src/formats/inspect.ts'
import { recordBytes } from '../../src/formats/layout.ts'
import { recordFormat } from '../../src/formats/records.ts'
import type { RecordReader } from '../../src/formats/types.ts'
import { digest, goldenBytes, goldenSidecars, goldenSizes, goldens, layoutOf } from './goldens.ts'
import { contentOf, recordsOf, writeFormat } from './memory-sink.ts'

async function digests(reader: RecordReader): Promise<readonly string[]> {
  const found: string[] = []
  for (let sample = 0; sample < reader.samples; sample++) {
    const into = new Uint8Array(recordBytes(reader))
    found.push(digest(into.subarray(0, await reader.read(sample, into))))
  }
  await reader.close()
  return found
}

describe("DLIO's own files", () => {
  it.each(goldens.map((golden) => [golden.case, golden] as const))(
    '%s is read, knowing what it should be and not',
    async (_, golden) => {
      const format = await recordFormat(golden.format)
      const source = memorySource(golden.file, goldenBytes(golden))
      const sidecar = goldenSidecars(golden, format)
      const knowing = await format.open(source, layoutOf(golden), sidecar)
      expect([knowing.shape, knowing.dtype]).toEqual([golden.shape, golden.dtype])
      expect(await digests(knowing)).toEqual(golden.records)
      expect(await digests(await format.open(source, undefined, sidecar))).toEqual(golden.records)
    },
  )

  it.each(goldens.map((golden) => [golden.case, golden] as const))('%s is told by its content', async (_, golden) => {
    const format = await recordFormat(golden.format)
    const sidecar = goldenSidecars(golden, format)
    const beside = async (suffix: string) => {
      const i = format.sidecars.findIndex((each) => each.suffix === suffix)
      return i < 0 ? undefined : sidecar?.(i)
    }
    const found = await inspect(memorySource('a file', goldenBytes(golden)), beside)
    expect([found.format, found.records]).toEqual([golden.format, golden.records.length])
  })

  it('have the sizes that ours have', async () => {
    for (const [of, name, samples, shape, dtype, bytes] of goldenSizes) {
      const format = await recordFormat(name)
      const layout =
        dtype === 'index'
          ? { samples, shape: [64, 64], dtype: 'uint8' as const, options: {}, index: shape[0] ?? 0 }
          : { samples, shape, dtype, options: of === 'fork_npz' ? ({ zip64: 'needed' } as const) : {} }
      expect([of, shape, format.fileBytes(layout)]).toEqual([of, shape, bytes])
    }
  })

  it('are what we write of the same records, to the byte', async () => {
    for (const golden of goldens.filter(({ case: of }) =>
      [
        'npz_prefix100',
        'npz_dims_f32',
        'npy_dims_i32',
        'tfr_dims_i16',
        'idx_dims_i32',
        'csv_dims_i64',
        'csv_sub',
        'fork_csv',
      ].includes(of),
    )) {
      const format = await recordFormat(golden.format)
      const theirs = goldenBytes(golden)
      const reader = await format.open(
        memorySource(golden.file, theirs),
        layoutOf(golden),
        goldenSidecars(golden, format),
      )
      const records: Uint8Array[] = []
      for (let sample = 0; sample < reader.samples; sample++) {
        const into = new Uint8Array(recordBytes(reader))
        await reader.read(sample, into)
        records.push(into)
      }
      const ours = await writeFormat(format, layoutOf(golden), contentOf(records))
      expect(Buffer.compare(ours.bytes, theirs), golden.case).toBe(0)
      const sidecar = goldenSidecars(golden, format)
      for (const [i, bytes] of ours.sidecars.entries()) {
        const source = await sidecar?.(i)
        if (source !== undefined) expect(Buffer.compare(bytes, await source.read(0, source.size)), golden.case).toBe(0)
      }
    }
  })

  it('with offsets that begin anew after each buffer (a bug of theirs) are read as they say; ours go on', async () => {
    const format = await recordFormat('indexed_binary')
    const layout = { samples: 10, shape: [1024], dtype: 'uint8', options: {} } as const
    const { sidecars } = await writeFormat(format, layout, contentOf(recordsOf(layout)))
    const offsets = new BigUint64Array((sidecars[0] ?? new Uint8Array()).slice().buffer)
    expect([...offsets]).toEqual(Array.from({ length: 10 }, (_, i) => BigInt(i * 1024)))
  })
})
