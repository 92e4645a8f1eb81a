import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DType } from '../../src/dtype.ts'
import { HeadraceError } from '../../src/errors.ts'
import { memorySource, openFileSource, openObjectSource } from '../../src/formats/byte-source.ts'
import { recordBytes } from '../../src/formats/layout.ts'
import type { FileLayout, FormatOptions, RecordFormat, RecordReader } from '../../src/formats/types.ts'
import { MemoryStore } from '../../src/storage/memory.ts'
import { failing } from '../storage/conformance.ts'
import {
  contentOf,
  countingSource,
  openWritten,
  recordsOf,
  sidecarsOf,
  type WrittenFile,
  writeFormat,
} from './memory-sink.ts'

/** Where formats differ from each other. What stands first holds if nothing is said. */
export interface FormatTraits {
  readonly dtypes: readonly DType[]
  readonly shapes: readonly (readonly number[])[]
  readonly samples: readonly number[]
  /** Each is written and read with every shape; `[{}]`. */
  readonly options?: readonly FormatOptions[]
  /** What records may hold: any bytes, or numbers that a text can say. */
  readonly content?: 'bytes' | 'numbers'
  /** Of an element, how far what is read may be from what was written; 0. */
  readonly tolerance?: number
  /** What is read is zeros whatever was written. */
  readonly reads?: 'records' | 'zeros'
  /** The file says itself what it holds: all of it, its records as bytes, or nothing. */
  readonly says?: 'all' | 'bytes' | 'nothing'
  /** A file that ends early is told from a whole one wherever it ends, or may only hold less. */
  readonly cuts?: 'found' | 'survived'
  /** Other bytes in a file are found wherever they are, or only where they make no sense. */
  readonly flips?: 'found' | 'survived'
  /** Bytes that opening a file and reading one sample may take at most; a record and 128 KiB where it is not given. */
  readonly readBytes?: (layout: FileLayout, fileBytes: number) => number
  /** Records of a file of 9 MiB or more, where one file can be so long. */
  readonly large?: Pick<FileLayout, 'samples' | 'shape' | 'dtype'>
  /** Runs of the properties; 100. */
  readonly runs?: number
}

const GUARD = 0xa5

/** Every record, in order. */
async function readAll(reader: RecordReader, layout: FileLayout): Promise<readonly Uint8Array[]> {
  const records: Uint8Array[] = []
  for (let sample = 0; sample < reader.samples; sample++) {
    const into = new Uint8Array(recordBytes(layout))
    records.push(into.subarray(0, await reader.read(sample, into)))
  }
  return records
}

/** Opens and reads to the end: the records, or the error if it is one of ours; any other is thrown. */
async function outcome(
  format: RecordFormat,
  written: Pick<WrittenFile, 'bytes' | 'sidecars'>,
  layout: FileLayout,
): Promise<readonly Uint8Array[] | HeadraceError> {
  let reader: RecordReader | undefined
  try {
    reader = await openWritten(format, written, layout)
    return await readAll(reader, layout)
  } catch (error) {
    if (error instanceof HeadraceError) return error
    throw error
  } finally {
    await reader?.close()
  }
}

/** What a damaged file may be told to be. */
const DAMAGE_CODES = ['E_CORRUPT', 'E_UNSUPPORTED', 'E_LIMIT']

/** What every format keeps to. */
export function recordFormatConformance(name: string, load: () => Promise<RecordFormat>, traits: FormatTraits): void {
  const { dtypes, shapes, samples, options = [{}], content = 'bytes', tolerance = 0, runs = 100 } = traits
  const { reads = 'records', says = 'all', cuts = 'found', flips = 'survived' } = traits
  const layouts = dtypes.flatMap((dtype) =>
    shapes.flatMap((shape) =>
      samples.flatMap((count) => options.map((each): FileLayout => ({ samples: count, shape, dtype, options: each }))),
    ),
  )
  const [first] = layouts
  if (first === undefined) throw new Error('a format has at least one layout')
  const last = layouts.at(-1) ?? first

  const close = (found: Uint8Array, wanted: Uint8Array): boolean =>
    found.length === wanted.length && found.every((value, i) => Math.abs(value - (wanted[i] ?? 0)) <= tolerance)
  const expectRecord = (found: Uint8Array, wanted: Uint8Array, what: string): void => {
    const expected = reads === 'zeros' ? new Uint8Array(wanted.length) : wanted
    expect(close(found, expected), what).toBe(true)
  }

  describe(`the format ${name}`, () => {
    let format: RecordFormat
    beforeAll(async () => {
      format = await load()
    })
    const written = (layout: FileLayout) => writeFormat(format, layout, contentOf(recordsOf(layout, content)))

    it.each(layouts.map((layout) => [`${layout.samples} x [${layout.shape}] ${layout.dtype}`, layout] as const))(
      'gives back %s as they were written, in any order',
      async (_, layout) => {
        const records = recordsOf(layout, content)
        const file = await written(layout)
        expect(format.fileBytes(layout) ?? file.bytes.length).toBe(file.bytes.length)
        const reader = await openWritten(format, file, layout)
        expect([reader.samples, reader.shape, reader.dtype]).toEqual([layout.samples, layout.shape, layout.dtype])
        const order = [...records.keys()]
        for (const sample of [...order, ...order.reverse()]) {
          const into = new Uint8Array(recordBytes(layout) + 16).fill(GUARD)
          const bytes = await reader.read(sample, into)
          expectRecord(into.subarray(0, bytes), records[sample] ?? into, `sample ${sample}`)
          expect(into.subarray(bytes).every((byte) => byte === GUARD)).toBe(true)
        }
        await reader.close()
      },
    )

    it('reads into memory that begins anywhere', async () => {
      const records = recordsOf(last, content)
      const reader = await openWritten(format, await written(last), last)
      for (let start = 0; start < 9; start++) {
        const into = new Uint8Array(recordBytes(last) + 16).subarray(start)
        await reader.read(0, into)
        expectRecord(into.subarray(0, recordBytes(last)), records[0] ?? into, `from byte ${start} on`)
      }
      await reader.close()
    })

    it('reads several samples at once', async () => {
      const records = recordsOf(last, content)
      const reader = await openWritten(format, await written(last), last)
      const found = await Promise.all(
        [...records.keys(), ...records.keys()].map(async (sample) => {
          const into = new Uint8Array(recordBytes(last))
          await reader.read(sample, into)
          return into
        }),
      )
      found.forEach((into, i) => {
        expectRecord(into, records[i % records.length] ?? into, `read ${i}`)
      })
      await reader.close()
    })

    it('reads from files and from stores, waiting or not', async () => {
      const records = recordsOf(last, content)
      const file = await written(last)
      const folder = await mkdtemp(join(tmpdir(), 'headrace-format-'))
      const path = join(folder, `file.${name}`)
      await writeFile(path, file.bytes)
      const store = new MemoryStore('conformance')
      await store.put('file', file.bytes)
      const sources = [
        await openFileSource(path),
        await openFileSource(path, { blocking: true }),
        await openObjectSource(store, 'file'),
      ]
      for (const source of sources) {
        const reader = await format.open(source, last, sidecarsOf(file.sidecars))
        const found = await readAll(reader, last)
        expect(found).toHaveLength(last.samples)
        found.forEach((record, sample) => {
          expectRecord(record, records[sample] ?? record, `${source.name}, sample ${sample}`)
        })
        await reader.close()
        source.close()
      }
      await rm(folder, { recursive: true })
    })

    if (says !== 'nothing')
      it('says what it holds without being told', async () => {
        const records = recordsOf(last, content)
        const file = await written(last)
        const reader = await openWritten(format, file)
        expect(reader.samples).toBe(last.samples)
        if (says === 'all') expect([reader.shape, reader.dtype]).toEqual([last.shape, last.dtype])
        const into = new Uint8Array(recordBytes(last) * 8)
        const bytes = await reader.read(last.samples - 1, into)
        if (says === 'all') expectRecord(into.subarray(0, bytes), records.at(-1) ?? into, 'the last sample')
        await reader.close()
        const found = await format.inspect?.(memorySource('file', file.bytes), sidecarsOf(file.sidecars))
        if (found !== undefined) expect([found.format, found.records]).toEqual([name, last.samples])
        if (found !== undefined && says === 'all') expect([found.shape, found.dtype]).toEqual([last.shape, last.dtype])
      })

    it('reads of the file what a sample needs', async () => {
      const { bytes, sidecars } = await written(last)
      const source = countingSource(bytes)
      const reader = await format.open(source, last, sidecarsOf(sidecars))
      await reader.read(last.samples - 1, new Uint8Array(recordBytes(last)))
      const most = traits.readBytes?.(last, bytes.length) ?? recordBytes(last) + 128 * 1024
      expect(source.bytesRead).toBeLessThanOrEqual(most)
      await reader.close()
    })

    it('refuses samples that there are not, and memory that is too small', async () => {
      const reader = await openWritten(format, await written(first), first)
      const into = new Uint8Array(recordBytes(first))
      for (const sample of [-1, first.samples, 0.5, Number.NaN])
        await expect(reader.read(sample, into)).rejects.toEqual(failing('E_USAGE', 'file', String(sample)))
      await expect(reader.read(0, into.subarray(1))).rejects.toEqual(failing('E_LIMIT', 'file', 'sample 0'))
      expect(await reader.read(0, into)).toBe(into.length)
      await reader.close()
    })

    it('refuses layouts that are none', () => {
      for (const wrong of [
        { samples: -1 },
        { samples: 1.5 },
        { shape: [0] },
        { shape: [2.5] },
        { shape: [2 ** 40, 2 ** 40] },
      ])
        expect(() => format.fileBytes({ ...first, ...wrong })).toThrow(failing('E_CONFIG') as never)
    })

    it('tells what a sink says, and writes no more', async () => {
      const full = new Error('no room')
      let writes = 0
      const sink = {
        write: async () => {
          writes++
          throw full
        },
      }
      const sidecars = format.sidecars.map(() => ({ write: async () => {} }))
      await expect(format.write(sink, last, contentOf(recordsOf(last, content)), sidecars)).rejects.toBe(full)
      expect(writes).toBe(1)
    })

    const { large } = traits
    if (large !== undefined)
      it('is written in pieces of a few MiB, however long it is', async () => {
        const layout: FileLayout = { ...large, options: options[0] ?? {} }
        const file = await written(layout)
        expect(file.bytes.length).toBeGreaterThan(9e6)
        expect(file.largest).toBeLessThanOrEqual(4 * 2 ** 20)
        expect(format.fileBytes(layout) ?? file.bytes.length).toBe(file.bytes.length)
        const records = recordsOf(layout, content)
        const found = await outcome(format, file, layout)
        expect(found).toHaveLength(layout.samples)
        for (const [sample, record] of records.entries())
          expectRecord((found as readonly Uint8Array[])[sample] ?? record, record, `sample ${sample}`)
      })

    it('knows a file that was cut off', async () => {
      const file = await written(last)
      const step = Math.max(1, Math.floor(file.bytes.length / 60))
      for (let length = 0; length < file.bytes.length; length += step) {
        const found = await outcome(format, { ...file, bytes: file.bytes.subarray(0, length) }, last)
        if (cuts === 'found') expect(found, `of ${length} bytes`).toBeInstanceOf(HeadraceError)
        if (found instanceof HeadraceError) {
          expect(DAMAGE_CODES, found.message).toContain(found.code)
          expect(found.message).toMatch(/^(?:file|sidecar \d)/)
        }
      }
    })

    it('survives damage anywhere, and tells it in its own words', async () => {
      const file = await written(last)
      const wanted = recordsOf(last, content)
      const flip = fc.tuple(fc.nat(file.bytes.length - 1), fc.integer({ min: 1, max: 255 }))
      await fc.assert(
        fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 4 }), fc.boolean(), async (changes, knowing) => {
          const bytes = file.bytes.slice()
          for (const [at, mask] of changes) bytes[at] = (bytes[at] ?? 0) ^ mask
          const same = Buffer.compare(bytes, file.bytes) === 0
          const found =
            knowing || says === 'nothing'
              ? await outcome(format, { ...file, bytes }, last)
              : await blind(format, { ...file, bytes })
          if (found instanceof HeadraceError) expect(DAMAGE_CODES, found.message).toContain(found.code)
          else if (flips === 'found' && knowing && !same)
            expect(found.map((record, i) => close(record, wanted[i] ?? record))).not.toContain(false)
        }),
        { numRuns: runs },
      )
    })

    it('survives bytes that are anything', async () => {
      const file = await written(first)
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), fc.nat(64), async (bytes, kept) => {
          const mixed = Buffer.concat([file.bytes.subarray(0, kept), bytes])
          const found = await outcome(format, { sidecars: file.sidecars, bytes: mixed }, first)
          if (found instanceof HeadraceError) expect([...DAMAGE_CODES, 'E_USAGE'], found.message).toContain(found.code)
        }),
        { numRuns: runs },
      )
    })

    it('survives indexes that are anything', async () => {
      const file = await written(last)
      if (file.sidecars.length === 0) return
      await fc.assert(
        fc.asyncProperty(fc.nat(file.sidecars.length - 1), fc.uint8Array({ maxLength: 200 }), async (which, bytes) => {
          const sidecars = file.sidecars.map((each, i) => (i === which ? bytes : each))
          const found = await blind(format, { ...file, sidecars })
          if (found instanceof HeadraceError) expect(DAMAGE_CODES, found.message).toContain(found.code)
        }),
        { numRuns: runs },
      )
    })
  })
}

/** As `outcome`, without knowing what it should be: at most 16 records, in memory that is as large as they are. */
async function blind(
  format: RecordFormat,
  written: Pick<WrittenFile, 'bytes' | 'sidecars'>,
): Promise<readonly Uint8Array[] | HeadraceError> {
  let reader: RecordReader | undefined
  try {
    reader = await openWritten(format, written)
    const bytes = recordBytes(reader)
    if (bytes > 2 ** 26) return []
    const records: Uint8Array[] = []
    for (let sample = 0; sample < Math.min(16, reader.samples); sample++) {
      const into = new Uint8Array(bytes)
      records.push(into.subarray(0, await reader.read(sample, into)))
    }
    return records
  } catch (error) {
    if (error instanceof HeadraceError) return error
    throw error
  } finally {
    await reader?.close()
  }
}
