import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BEHAVIOUR, PROFILES } from '../../../../src/benchmark/dlio/config/profiles.ts'
import { resolveConfig } from '../../../../src/benchmark/dlio/config/resolve.ts'
import { planRun } from '../../../../src/benchmark/dlio/plan.ts'
import type { Profile, Workload } from '../../../../src/benchmark/dlio/types.ts'
import { availableCores } from '../../../../src/cores.ts'
import { failing } from '../../../storage/conformance.ts'

let folder: string
let count = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headrace-profiles-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function as(profile: Profile, text: string, ranks = 1): Promise<Workload> {
  const file = join(folder, `c${count++}.yaml`)
  await writeFile(file, text)
  return (await resolveConfig({ file, profile, ranks, env: {} })).workload
}

describe('what DLIO does with a config that it misreads', () => {
  test.each(['dlio', 'mlperf-v2', 'mlcommons-fork'] as const)(
    '%s: names that are compared with texts',
    async (profile) => {
      const { reader } = await as(profile, 'reader: {file_shuffle: "off", sample_shuffle: "off", read_type: on_demand}')
      expect([reader.fileShuffle, reader.sampleShuffle, reader.readType]).toEqual(['seed', 'off', 'memory'])
      const absent = (await as(profile, 'reader: {batch_size: 1}')).reader
      expect([absent.fileShuffle, absent.readType]).toEqual(['off', 'on_demand'])
      expect((await as(profile, 'reader: {file_shuffle: off}')).reader.fileShuffle).toBe('seed')
      await expect(as(profile, 'reader: {sample_shuffle: off}')).rejects.toThrow(
        failing('E_CONFIG', 'reader.sample_shuffle must be one of off, seed, random, but is false'),
      )
    },
  )

  test('the default reads what is written', async () => {
    const { reader } = await as('default', 'reader: {file_shuffle: "off", sample_shuffle: off, read_type: on_demand}')
    expect([reader.fileShuffle, reader.sampleShuffle, reader.readType]).toEqual(['off', 'off', 'on_demand'])
  })

  test('compressions', async () => {
    const zip = 'dataset: {format: npz, compression: zip}'
    expect((await as('default', zip)).data.options).toEqual({ compression: 'zip', compressionLevel: 4 })
    expect((await as('dlio', zip)).data.options).toEqual({})
    const none = 'dataset: {format: hdf5, compression: none}'
    expect((await as('default', none)).data.options).toEqual({})
    await expect(as('dlio', none)).rejects.toThrow(failing('E_CONFIG', 'DLIO fails to write HDF5'))
  })

  test('files of the fork', async () => {
    const parquet =
      'dataset: {format: parquet, compression: gzip, parquet: {row_group_size: 40, generation_batch_size: 7}}'
    expect((await as('default', parquet)).data.options).toEqual({
      compression: 'gzip',
      compressionLevel: 4,
      rowGroupSize: 40,
    })
    expect((await as('mlcommons-fork', parquet)).data.options).toEqual({ rowGroupSize: 40, rowsAtOnce: 7 })
    const snappy = parquet.replace('gzip', 'snappy')
    expect((await as('default', snappy)).data.options.compression).toBe('snappy')
    await expect(as('mlcommons-fork', snappy)).rejects.toThrow(
      failing('E_CONFIG', 'dataset.compression must be one of'),
    )
    for (const format of ['npz', 'jpeg', 'png'] as const) {
      const text = `dataset: {format: ${format}}`
      expect((await as('default', text)).data.options).toEqual({})
      expect((await as('dlio', text)).data.options).toEqual({})
      const other = format === 'npz' ? { zip64: 'needed' } : { pictures: 'raw' }
      expect((await as('mlcommons-fork', text)).data.options).toEqual(other)
    }
  })

  test('checkpoint keys that are lost', async () => {
    const text = 'checkpoint: {fsync: true, recovery_rank_shift: true}'
    const mine = (await as('default', text)).checkpoint
    expect([mine.fsync, mine.recoveryRankShift]).toEqual([true, true])
    const theirs = (await as('dlio', text)).checkpoint
    expect([theirs.fsync, theirs.recoveryRankShift]).toEqual([false, false])
  })

  test('older names', async () => {
    const text = 'model: resnet50\ndataset: {record_length: 100}'
    expect((await as('default', text)).model.name).toBe('resnet50')
    const theirs = await as('dlio', text)
    expect([theirs.model.name, theirs.recordLength]).toEqual(['default', 65_536])
  })

  test('a loader that is not given', async () => {
    const text = 'framework: pytorch\ndataset: {format: npz}'
    expect((await as('default', text)).reader.dataLoader).toBe('pytorch')
    const theirs = await as('dlio', text)
    expect(theirs.reader.dataLoader).toBe('tensorflow')
    expect(() => planRun(theirs, 1)).toThrow(
      failing('E_CONFIG', 'this DLIO refuses framework pytorch with data_loader tensorflow'),
    )
    expect((await as('default', 'reader: {data_loader: pytorch}')).framework).toBe('pytorch')
  })

  test('PyTorch takes samples in order', async () => {
    const text =
      'framework: pytorch\nreader: {data_loader: pytorch, file_shuffle: seed, sample_shuffle: random}\ndataset: {format: npz}'
    const shuffles = async (profile: Profile) => {
      const { reader } = await as(profile, text)
      return [reader.fileShuffle, reader.sampleShuffle]
    }
    expect(await shuffles('default')).toEqual(['seed', 'random'])
    expect(await shuffles('dlio')).toEqual(['off', 'off'])
    expect(await shuffles('mlcommons-fork')).toEqual(['seed', 'random'])
  })

  test('keys of the fork', async () => {
    const text = 'dataset: {format: parquet, parquet: {columns: [{name: a, read: false}]}}'
    expect((await as('default', text)).data.options.columns?.[0]?.read).toBe(false)
    expect((await as('mlcommons-fork', text)).data.options.columns?.[0]?.read).toBe(true)
    await expect(as('dlio', text)).rejects.toThrow(
      failing('E_CONFIG', 'dataset.format is parquet, which this DLIO does not know'),
    )
    await expect(as('dlio', 'storage: {storage_type: direct_fs}')).rejects.toThrow(
      failing('E_CONFIG', 'storage.storage_type must be one of'),
    )
  })

  test('one reader thread stands for the cores of a rank in the fork', async () => {
    const text = 'reader: {read_threads: 1}'
    expect((await as('mlcommons-fork', text)).reader.readThreads).toBe(Math.min(availableCores(), 8))
    expect((await as('mlcommons-fork', text, 1000)).reader.readThreads).toBe(1)
    expect((await as('dlio', text)).reader.readThreads).toBe(1)
  })

  test('sizes depend on the ranks in the fork', async () => {
    const text = 'dataset: {record_length_bytes_stdev: 100}'
    expect((await as('mlcommons-fork', text, 4)).data.sizesByRank).toBe(4)
    expect((await as('dlio', text, 4)).data).not.toHaveProperty('sizesByRank')
  })

  test('S3 in DLIO itself', async () => {
    const text =
      'framework: pytorch\nreader: {data_loader: pytorch}\nstorage: {storage_type: s3, storage_root: b}\ndataset: {format: npz}'
    await expect(as('dlio', text)).rejects.toThrow(
      failing('E_CONFIG', 'storage.storage_options needs access_key_id and secret_access_key and endpoint_url'),
    )
    await expect(as('dlio', text.replace('npz', 'hdf5'))).rejects.toThrow(
      failing('E_CONFIG', 'npz and npy only, not hdf5'),
    )
    expect((await as('default', text)).data.url).toBe('s3://b/data')
  })
})

test('docs/dlio.md has a row for every difference', async () => {
  const text = await readFile(new URL('../../../../docs/dlio.md', import.meta.url), 'utf8')
  for (const name of Object.keys(BEHAVIOUR.default)) expect(text, name).toContain(`<!-- ${name} -->`)
  for (const profile of PROFILES) expect(text).toContain(`\`${profile}\``)
})
