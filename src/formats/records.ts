import { show } from '../checks.ts'
import { HeadraceError } from '../errors.ts'
import type { FormatName, RecordFormat } from './types.ts'

/** Loaded where they are asked for: HDF5 brings a library of a megabyte, pictures bring libvips. */
const FORMATS: Readonly<Partial<Record<FormatName, () => Promise<RecordFormat>>>> = {
  npz: async () => (await import('./numpy/npz.ts')).npz,
  npy: async () => (await import('./numpy/npy.ts')).npy,
  csv: async () => (await import('./csv/csv.ts')).csv,
  jpeg: async () => (await import('./picture.ts')).jpeg,
  png: async () => (await import('./picture.ts')).png,
  tfrecord: async () => (await import('./tfrecord/tfrecord.ts')).tfrecord,
  indexed_binary: async () => (await import('./indexed.ts')).indexedBinary,
  mmap_indexed_binary: async () => (await import('./indexed.ts')).mmapIndexedBinary,
  synthetic: async () => (await import('./synthetic.ts')).synthetic,
  hdf5: async () => (await import('./hdf5.ts')).hdf5,
  parquet: async () => (await import('./parquet.ts')).parquet,
}

/** The format of that name. E_CONFIG where there is none. */
export async function recordFormat(name: FormatName): Promise<RecordFormat> {
  const load = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (load !== undefined) return load()
  throw new HeadraceError('E_CONFIG', `there is no format ${show(name)}; there are ${Object.keys(FORMATS).join(', ')}`)
}
