import { readFileSync } from 'node:fs'
import type { DType } from '../../src/dtype.ts'
import type { Compression, FormatName } from '../../src/formats/types.ts'
import type { DataSetSpec } from '../../src/generate/types.ts'

/** What the real DLIO generated: made by test/fixtures/generate/condense.py. */
export interface GoldenSet {
  readonly by: string
  readonly ranks: number
  readonly exit: number
  readonly dataset: {
    readonly format: FormatName
    readonly num_files_train: number
    readonly num_files_eval: number
    readonly num_samples_per_file: number
    readonly record_length_bytes: number
    readonly record_length_bytes_stdev?: number
    readonly record_dims?: readonly number[]
    readonly record_element_type?: DType
    readonly num_subfolders_train?: number
    readonly num_subfolders_eval?: number
    readonly file_prefix?: string
    readonly compression?: Compression
    readonly parquet?: {
      readonly columns?: readonly { readonly name: string; readonly dtype: string; readonly size?: number }[]
      readonly row_group_size?: number
    }
    readonly hdf5?: {
      readonly chunk_dims?: readonly number[]
      readonly max_shape?: readonly number[]
      readonly num_dset_per_record?: number
    }
  }
  readonly files: readonly (readonly [path: string, size: number, shape: readonly number[] | null])[]
  readonly emptyFolders: readonly string[]
}

export interface GoldenSizes {
  readonly bytes: number
  readonly stdev: number
  readonly files: number
  readonly side: number
  readonly sideStdev: number
  readonly first: readonly (readonly [number, number])[]
  readonly all: { readonly sum: number; readonly min: number; readonly max: number; readonly files: number } | null
}

export const golden = JSON.parse(
  readFileSync(new URL('../fixtures/generate/data-sets.json', import.meta.url), 'utf8'),
) as {
  readonly sets: Readonly<Record<string, GoldenSet>>
  readonly sizes: Readonly<Record<string, GoldenSizes>>
}

/** A set of files where only what is of interest is named. */
export function setSpec(given: Partial<DataSetSpec> = {}): DataSetSpec {
  return {
    url: 'null://set',
    format: 'npz',
    filesTrain: 8,
    filesValid: 0,
    subfoldersTrain: 0,
    subfoldersValid: 0,
    samplesPerFile: 1,
    naming: 'dlio',
    prefix: 'img',
    record: { kind: 'length', bytes: 4096, stdev: 0 },
    options: {},
    seed: 10,
    sizesSeed: 10,
    dedup: 1,
    compress: 1,
    ...given,
  }
}

export function goldenSpec({ dataset, by }: GoldenSet): DataSetSpec {
  return setSpec({
    format: dataset.format,
    filesTrain: dataset.num_files_train,
    filesValid: dataset.num_files_eval,
    subfoldersTrain: dataset.num_subfolders_train ?? 0,
    subfoldersValid: dataset.num_subfolders_eval ?? 0,
    samplesPerFile: dataset.num_samples_per_file,
    prefix: dataset.file_prefix ?? 'img',
    options: {
      // MLCommons' fork makes an archive in memory, whose size is known: no member needs 64-bit sizes.
      ...(by.startsWith('mlcommons') && dataset.format === 'npz' && { zip64: 'needed' as const }),
      ...(dataset.compression !== undefined && { compression: dataset.compression }),
      ...(dataset.parquet?.columns && {
        columns: dataset.parquet.columns.map((column) => ({ size: 1, ...column, read: true })),
      }),
      ...(dataset.parquet?.row_group_size && { rowGroupSize: dataset.parquet.row_group_size }),
      ...(dataset.hdf5?.chunk_dims && { chunkDims: dataset.hdf5.chunk_dims }),
      ...(dataset.hdf5?.max_shape && { maxShape: dataset.hdf5.max_shape }),
      ...(dataset.hdf5?.num_dset_per_record && { dataSets: dataset.hdf5.num_dset_per_record }),
    },
    record:
      dataset.record_dims === undefined
        ? { kind: 'length', bytes: dataset.record_length_bytes, stdev: dataset.record_length_bytes_stdev ?? 0 }
        : { kind: 'dims', dims: dataset.record_dims, dtype: dataset.record_element_type ?? 'uint8' },
  })
}
