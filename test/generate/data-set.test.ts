import { describe, expect, test } from 'vitest'
import { isHeadraceError } from '../../src/errors.ts'
import type { Sidecar } from '../../src/formats/types.ts'
import { DataSet } from '../../src/generate/data-set.ts'
import type { DataSetSpec } from '../../src/generate/types.ts'
import { golden, goldenSpec, setSpec } from './golden.ts'

const BESIDE: readonly Sidecar[] = [
  { place: 'beside', suffix: '.off.idx' },
  { place: 'beside', suffix: '.sz.idx' },
]
const SIDECARS: Readonly<Record<string, readonly Sidecar[]>> = {
  tfrecord: [{ place: 'index', suffix: '.idx' }],
  indexed_binary: BESIDE,
  mmap_indexed_binary: BESIDE,
}

/** Cases that DLIO ends with an error before it has written all. */
const complete = Object.entries(golden.sets).filter(([name]) => name !== 'hdf5_none_explicit')

describe('a data set', () => {
  test.each(complete)('has the names that DLIO gives: %s', (_, set) => {
    const data = new DataSet(goldenSpec(set))
    const format = { sidecars: SIDECARS[set.dataset.format] ?? [] }
    const keys = Array.from({ length: data.files }, (__, i) => [data.key(i), ...data.sidecarKeys(i, format)]).flat()
    expect(keys.sort()).toEqual(set.files.map(([path]) => path).sort())
    const withFiles = new Set(keys.map((key) => key.split('/')[0]))
    expect(data.folders.filter((folder) => !withFiles.has(folder))).toEqual(set.emptyFolders)
  })

  const squares = complete.filter(
    ([, { dataset, by }]) => dataset.record_dims === undefined && !by.includes('DLIO_local'),
  )

  test.each(squares)('has the shapes that DLIO gives: %s', (_, set) => {
    const data = new DataSet(goldenSpec(set))
    for (let index = 0; index < data.files; index++) {
      const { key, layout, split } = data.file(index)
      const shape = set.files.find(([path]) => path === key)?.[2]
      if (shape !== null) expect(layout.shape, key).toEqual(shape)
      expect(split).toBe(key.split('/')[0])
      expect([layout.samples, layout.dtype, layout.index]).toEqual([set.dataset.num_samples_per_file, 'uint8', index])
    }
  })

  test.each(Object.entries(golden.sizes))('has the sides that DLIO draws: %s', (_, { bytes, stdev, files, first }) => {
    const data = new DataSet(setSpec({ filesTrain: files, record: { kind: 'length', bytes, stdev } }))
    expect(first.map((__, i) => data.shape(i))).toEqual(first)
    expect(data.uniform).toBe(stdev === 0)
  })

  test('sums its records without listing them', () => {
    const { all, bytes, stdev, files } = golden.sizes['argonne/unet3d_h100.yaml'] ?? { all: null }
    const data = new DataSet(
      setSpec({
        filesTrain: files ?? 0,
        samplesPerFile: 3,
        record: { kind: 'length', bytes: bytes ?? 0, stdev: stdev ?? 0 },
      }),
    )
    expect(data.totalBytes).toBe(3 * (all?.sum ?? 0))
    expect(data.samples).toBe(504)
    expect(data.recordBytesBefore(2)).toBe(data.recordBytes(0) + data.recordBytes(1))
    const shaped = new DataSet(setSpec({ record: { kind: 'dims', dims: [3, 5], dtype: 'float64' }, samplesPerFile: 2 }))
    expect(shaped.totalBytes).toBe(8 * 2 * 15 * 8)
    expect(shaped.recordBytesBefore(5)).toBe(5 * 120)
  })

  test('whose sizes are drawn by ranks has those of each rank at every place that it makes', () => {
    const record = { kind: 'length', bytes: 16384, stdev: 8192 } as const
    const alone = (seed: number) => new DataSet(setSpec({ filesTrain: 11, record, sizesSeed: seed }))
    const ranks = new DataSet(setSpec({ filesTrain: 11, record, sizesByRank: 3 }))
    for (let index = 0; index < 11; index++) expect(ranks.shape(index)).toEqual(alone(10 + (index % 3)).shape(index))
    const sum = Array.from({ length: 11 }, (_, i) => ranks.recordBytes(i)).reduce((a, b) => a + b)
    expect(ranks.totalBytes).toBe(sum)
    expect(ranks.recordBytesBefore(7)).toBe(
      Array.from({ length: 7 }, (_, i) => ranks.recordBytes(i)).reduce((a, b) => a + b),
    )
    expect(new DataSet(setSpec({ filesTrain: 2, record, sizesByRank: 8 })).shape(1)).toEqual(alone(11).shape(1))
  })

  test('finds files and sidecars by their keys', () => {
    const data = new DataSet(setSpec({ filesTrain: 12, filesValid: 3, subfoldersTrain: 10, format: 'tfrecord' }))
    const format = { sidecars: SIDECARS.tfrecord ?? [] }
    for (let index = 0; index < data.files; index++) {
      expect(data.indexOf(data.key(index))).toBe(index)
      expect(data.sidecarAt(data.sidecarKeys(index, format)[0] ?? '', format)).toEqual({ index, sidecar: 0 })
    }
    expect(data.key(11)).toBe('train/01/img_11_of_12.tfrecord')
    expect(data.sidecarKeys(11, format)).toEqual(['index/train/img_11_of_12.tfrecord.idx'])
    for (const key of [
      '',
      'train/img_00_of_12.tfrecord',
      'train/00/img_0_of_12.tfrecord',
      'train/02/img_12_of_12.tfrecord',
    ])
      expect(data.indexOf(key)).toBeUndefined()
    expect(data.sidecarAt('index/train/img_11_of_12.tfrecord', format)).toBeUndefined()
  })

  test('goes through its files in the order of their keys', () => {
    const data = new DataSet(setSpec({ filesTrain: 25, filesValid: 12, subfoldersTrain: 11, subfoldersValid: 3 }))
    const keys = [...data.inKeyOrder()].map((index) => data.key(index))
    expect(keys).toEqual([...keys].sort())
    expect(new Set(keys).size).toBe(37)
  })

  test('is named as dl-driver names it', () => {
    const data = new DataSet(setSpec({ filesTrain: 2, filesValid: 1, naming: 'dl-driver', format: 'npz' }))
    expect([0, 1, 2].map((index) => data.key(index))).toEqual([
      'train_file_000000.npz',
      'train_file_000001.npz',
      'valid_file_000000.npz',
    ])
    expect(data.indexOf('valid_file_000000.npz')).toBe(2)
    expect(data.folders).toEqual([])
  })

  const impossible: readonly (readonly [string, Partial<DataSetSpec>])[] = [
    ['number of files', { filesTrain: 0 }],
    ['number of training files', { filesTrain: -1 }],
    ['number of evaluation files', { filesValid: 1.5 }],
    ['samples in a file', { samplesPerFile: 0 }],
    ['number of samples', { samplesPerFile: 2 ** 52 }],
    ['length of a record', { record: { kind: 'length', bytes: 0, stdev: 0 } }],
    ['deviation', { record: { kind: 'length', bytes: 1, stdev: Number.NaN } }],
    ['dimensions of a record', { record: { kind: 'dims', dims: [], dtype: 'uint8' } }],
    ['dimension of a record', { record: { kind: 'dims', dims: [3, 0], dtype: 'uint8' } }],
    ['size of a record', { record: { kind: 'dims', dims: [2 ** 30, 2 ** 30], dtype: 'uint8' } }],
    ['dedup', { dedup: 0.5 }],
    ['compression', { compress: 1000 }],
    ['prefix', { prefix: 'a/b' }],
    ['seed', { seed: -1 }],
    ['seed of the sizes', { sizesSeed: 2 ** 32 }],
    ['ranks', { sizesByRank: 0 }],
  ]

  test.each(impossible)('is refused where its %s cannot be', (what, given) => {
    expect(() => new DataSet(setSpec(given))).toThrow(
      expect.toSatisfy((error) => isHeadraceError(error, 'E_CONFIG') && error.message.includes(what)),
    )
  })

  test('has no file beyond its last', () => {
    const data = new DataSet(setSpec({ filesTrain: 3 }))
    for (const index of [-1, 3, 0.5]) expect(() => data.file(index)).toThrow(`there is no file ${index} in a set of 3`)
  })

  test('of ten million files of all sizes takes four bytes a file, and knows any of them', () => {
    const before = process.memoryUsage().arrayBuffers
    const data = new DataSet(
      setSpec({ filesTrain: 10_000_000, record: { kind: 'length', bytes: 2828486, stdev: 71311 } }),
    )
    expect(data.key(9_999_999)).toBe('train/img_09999999_of_10000000.npz')
    expect(data.shape(9_999_999).length).toBe(2)
    expect(data.shape(5)).toEqual([1690, 1706])
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6)
  })
})
