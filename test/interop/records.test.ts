import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { DType } from '../../src/dtype.ts'
import { openFileSource } from '../../src/formats/byte-source.ts'
import { recordBytes } from '../../src/formats/layout.ts'
import { recordFormat } from '../../src/formats/records.ts'
import type { FileLayout, FormatName, FormatOptions, RecordFormat } from '../../src/formats/types.ts'
import { digest } from '../formats/goldens.ts'
import { contentOf, recordsOf, writeFormat } from '../formats/memory-sink.ts'
import { absent, pythonWith, runJson } from './python.ts'

interface Told {
  readonly samples: number
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly records: readonly string[]
}

interface Case {
  readonly format: FormatName
  readonly modules: readonly string[]
  readonly shape: readonly number[]
  readonly samples: number
  readonly dtypes: readonly DType[]
  readonly options?: readonly FormatOptions[]
}

const CASES: readonly Case[] = [
  {
    format: 'npz',
    modules: ['numpy'],
    shape: [9, 7],
    samples: 4,
    dtypes: ['uint8', 'float32', 'int64'],
    options: [{}, { compression: 'zip' }, { zip64: 'needed' }],
  },
  { format: 'npy', modules: ['numpy'], shape: [9, 7], samples: 4, dtypes: ['uint8', 'float64'] },
  { format: 'indexed_binary', modules: ['numpy'], shape: [8], samples: 6, dtypes: ['int32'] },
  {
    format: 'csv',
    modules: ['numpy', 'pandas'],
    shape: [30],
    samples: 5,
    dtypes: ['uint8', 'int64', 'float32'],
    options: [{}, { compression: 'gzip' }, { compression: 'bz2' }, { compression: 'zip' }],
  },
  { format: 'png', modules: ['numpy', 'PIL'], shape: [40, 56], samples: 1, dtypes: ['uint8'] },
  { format: 'jpeg', modules: ['numpy', 'PIL'], shape: [40, 56], samples: 1, dtypes: ['uint8'] },
  { format: 'tfrecord', modules: ['numpy', 'tensorflow'], shape: [77], samples: 6, dtypes: ['uint8', 'int16'] },
]

const folder = mkdtempSync(join(tmpdir(), 'headrace-interop-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const compressionOf = ({ compression }: FormatOptions) => (compression === undefined ? [] : [compression])

/** What we find in a file of the library's. */
async function ours(format: RecordFormat, path: string, layout: FileLayout): Promise<Told> {
  const source = await openFileSource(path)
  const reader = await format.open(source, layout)
  const records: string[] = []
  for (let sample = 0; sample < reader.samples; sample++) {
    const into = new Uint8Array(recordBytes(reader))
    await reader.read(sample, into)
    records.push(digest(into))
  }
  const { samples, shape, dtype } = reader
  source.close()
  return { samples, shape, dtype, records }
}

for (const { format: name, modules, shape, samples, dtypes, options = [{}] } of CASES) {
  const python = pythonWith(...modules)
  const library = modules.at(-1) ?? ''
  describe(`${library} and our ${name}${python === undefined ? ` ${absent(...modules)}` : ''}`, () => {
    for (const dtype of dtypes)
      for (const each of options) {
        const layout: FileLayout = { samples, shape, dtype, options: each }
        const of = `${dtype} ${JSON.stringify(each)}`
        const path = join(folder, `${name}-${dtype}-${Object.values(each).join('-')}.${name}`)
        it.skipIf(python === undefined)(`it reads what we write: ${of}`, async () => {
          const format = await recordFormat(name)
          const records = recordsOf(layout, 'numbers')
          const file = await writeFormat(format, layout, contentOf(records))
          await writeFile(path, file.bytes)
          for (const [i, bytes] of file.sidecars.entries())
            await writeFile(path + (format.sidecars[i]?.suffix ?? ''), bytes)
          const told = (await runJson(
            python ?? '',
            'records.py',
            'read',
            name,
            path,
            dtype,
            ...compressionOf(each),
          )) as Told
          expect(told).toMatchObject({ samples, dtype })
          // JPEG's pixels are the decoder's, and libjpeg-turbo's are the same in both.
          expect(told.records).toEqual(
            name === 'jpeg' ? (await ours(format, path, layout)).records : records.map(digest),
          )
        })
        if (name === 'indexed_binary' || each.zip64 !== undefined) continue
        it.skipIf(python === undefined)(`we read what it writes: ${of}`, async () => {
          const format = await recordFormat(name)
          const theirs = `${path}.theirs.${name}`
          const told = (await runJson(
            python ?? '',
            'records.py',
            'write',
            name,
            theirs,
            dtype,
            ...compressionOf(each),
          )) as Told
          expect(await ours(format, theirs, layout)).toEqual(told)
        })
      }
  })
}
