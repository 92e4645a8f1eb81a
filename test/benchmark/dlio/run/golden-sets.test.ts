import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { resolveConfig } from '../../../../src/benchmark/dlio/config/resolve.ts'
import type { Profile, ResolvedConfig } from '../../../../src/benchmark/dlio/types.ts'
import { openFileSource } from '../../../../src/formats/byte-source.ts'
import { parquet } from '../../../../src/formats/parquet.ts'
import { recordFormat } from '../../../../src/formats/records.ts'
import type { ByteSource } from '../../../../src/formats/types.ts'
import { DataSet, generate } from '../../../../src/generate/index.ts'
import { openStored } from '../../../../src/generate/open-stored.ts'
import { FileStore } from '../../../../src/storage/file/file.ts'
import { golden } from '../../../generate/golden.ts'
import { failing } from '../../../storage/conformance.ts'
import { GENERATED, profileOf } from '../goldens.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-golden-sets-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const setOf = (name: string) => {
  const [generated, set] = [GENERATED[name], golden.sets[name]]
  if (generated === undefined || set === undefined) throw new Error(`there is no golden ${name}`)
  return { ...generated, set }
}

/** The config of a case, as it is, but for where its data lies. */
function configOf(name: string, profile: Profile = profileOf(setOf(name).dlio)): Promise<ResolvedConfig> {
  const { workload, ranks } = setOf(name)
  const file = join(folder, 'workload.yaml')
  writeFileSync(file, workload)
  return resolveConfig({ file, profile, ranks, overrides: [`++workload.dataset.data_folder=${folder}/data`], env: {} })
}

async function made(name: string, profile?: Profile): Promise<ResolvedConfig> {
  const config = await configOf(name, profile)
  const { ranks } = setOf(name)
  for (let rank = 0; rank < ranks; rank++) await generate(config.workload.data, { rank, size: ranks, threads: 1 })
  return config
}

function files(): [path: string, bytes: number | undefined][] {
  const data = join(folder, 'data')
  return readdirSync(data, { recursive: true, withFileTypes: true })
    .flatMap((entry): [string, number | undefined][] => {
      const path = join(entry.parentPath, entry.name)
      const key = path.slice(data.length + 1)
      if (entry.isFile()) return [[key, statSync(path).size]]
      return readdirSync(path).length === 0 ? [[`${key}/`, undefined]] : []
    })
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

const elements = (shape: readonly number[]) => shape.reduce((all, side) => all * side, 1)

/** Rows of each row group, by its first column, which has so many values a row. */
async function rowsOf(source: ByteSource, size = 1): Promise<number[]> {
  const { parts = [] } = (await parquet.inspect?.(source)) ?? {}
  const rows = new Map<string, number>()
  for (const { name, shape } of parts) {
    const [group = ''] = name.split(':')
    if (!rows.has(group)) rows.set(group, (shape?.[0] ?? 0) / size)
  }
  return [...rows.values()]
}

/** Their sizes follow from their content. */
const UNSIZED = ['csv', 'jpeg', 'png', 'parquet']

/** What DLIO itself fails, or does wrong: docs/dlio.md. */
const FAULTY = ['hdf5_none_explicit', 'jpeg_dims3', 'idx_collective_1file']

describe('a config of DLIO makes, under the profile of the DLIO that was run,', () => {
  test.each(Object.keys(GENERATED).filter((name) => !FAULTY.includes(name)))(
    'the files of %s, with their sizes and shapes',
    async (name) => {
      const { set } = setOf(name)
      const { workload } = await made(name)
      const wanted: [string, number | undefined][] = [
        ...set.files.map(([path, size]): [string, number] => [path, size]),
        ...set.emptyFolders.map((path): [string, undefined] => [`${path}/`, undefined]),
      ]
      wanted.sort(([a], [b]) => (a < b ? -1 : 1))
      const found = files()
      expect(found.map(([path]) => path)).toEqual(wanted.map(([path]) => path))
      if (!UNSIZED.includes(set.dataset.format)) expect(found).toEqual(wanted)
      const shapes = new Map(set.files.map(([path, , shape]) => [path, shape]))
      const data = new DataSet(workload.data)
      const format = await recordFormat(workload.data.format)
      const store = new FileStore(join(folder, 'data'))
      for (const index of [0, data.files - 1]) {
        const reader = await openStored(data, format, store, index)
        expect(reader.samples).toBe(set.dataset.num_samples_per_file)
        const shape = shapes.get(data.key(index))
        if (shape !== null && shape !== undefined)
          // Of one of the data sets that a record is spread over.
          expect(elements(reader.shape)).toBe(elements(shape) * (set.dataset.hdf5?.num_dset_per_record ?? 1))
        await reader.close()
      }
      await store.close()
    },
  )

  test.each([
    ['pq_cols', 13, [32, 32, 32, 4]],
    ['pq_genbatch', 1, [...new Array<number>(14).fill(7), 2]],
    ['pq_gzip', 1, [25, 25]],
    ['pq_legacy', 1024, [10]],
  ])('%s: the same row groups, and no compression', async (name, size, rows) => {
    await made(name)
    const source = await openFileSource(join(folder, 'data/train/img_0_of_4.parquet'))
    expect((await parquet.inspect?.(source))?.codec).toBeUndefined()
    expect(await rowsOf(source, size)).toEqual(rows)
    source.close()
  })
})

describe('by default', () => {
  test('Parquet is compressed as it is said, and cut by row_group_size alone', async () => {
    await made('pq_gzip', 'default')
    const zipped = await openFileSource(join(folder, 'data/train/img_0_of_4.parquet'))
    expect((await parquet.inspect?.(zipped))?.codec).toBe('gzip')
    zipped.close()
    rmSync(join(folder, 'data'), { recursive: true })
    const { warnings } = await made('pq_genbatch', 'default')
    expect(JSON.stringify(warnings)).toContain('generation_batch_size has no effect')
    const cut = await openFileSource(join(folder, 'data/train/img_0_of_4.parquet'))
    expect(await rowsOf(cut)).toEqual([40, 40, 20])
    cut.close()
  })

  test('HDF5 has no compression where it is said to be none, which DLIO fails to write', async () => {
    await expect(configOf('hdf5_none_explicit')).rejects.toEqual(failing('E_CONFIG', 'DLIO fails to write HDF5'))
    await made('hdf5_none_explicit', 'default')
    const { set } = setOf('hdf5_none_explicit')
    expect(files().filter(([path]) => path.endsWith('.hdf5')).length).toBe(
      set.dataset.num_files_train + set.dataset.num_files_eval,
    )
  })

  test('pictures of three dimensions are refused before anything is written, and not after', async () => {
    for (const profile of ['dlio', 'default'] as const)
      await expect(configOf('jpeg_dims3', profile)).rejects.toEqual(failing('E_CONFIG', 'record_dims has 3 dimensions'))
  })

  test('no more indexed files than ranks are as large as their records, where DLIO makes 1 GiB of 16 KiB', async () => {
    const { set } = setOf('idx_collective_1file')
    expect(set.files[0]).toEqual(['train/img_0_of_1.indexed_binary', 2 ** 30, null])
    await made('idx_collective_1file', 'default')
    expect(files()).toEqual([
      ['train/img_0_of_1.indexed_binary', 4 * 4096],
      ['train/img_0_of_1.indexed_binary.off.idx', 32],
      ['train/img_0_of_1.indexed_binary.sz.idx', 32],
      ['valid/', undefined],
    ])
  })
})
