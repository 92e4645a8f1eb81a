import type { DType } from '../dtype.ts'
import type { FileLayout, FormatName, FormatOptions } from '../formats/types.ts'

export type Split = 'train' | 'valid'

/**
 * A set of files as plain data. Names, shapes and contents follow from it by arithmetic (`DataSet`), so that no listing
 * is needed to know what must be there.
 */
export interface DataSetSpec {
  /** URL of the folder that `train/` and `valid/` lie in. */
  readonly url: string
  readonly format: FormatName
  readonly filesTrain: number
  readonly filesValid: number
  /** Used where above 1. */
  readonly subfoldersTrain: number
  readonly subfoldersValid: number
  readonly samplesPerFile: number
  /** `dlio`: `{prefix}_{i}_of_{N}.{format}` in `train/` and `valid/`. `dl-driver`: flat `train_file_000000.{format}`. */
  readonly naming: 'dlio' | 'dl-driver'
  readonly prefix: string
  readonly record: RecordSpec
  readonly options: FormatOptions
  /** Of the contents. */
  readonly seed: number
  /** Of the sizes under a deviation: DLIO's 10; its fork adds the rank that makes the file (`sizesByRank` ranks). */
  readonly sizesSeed: number
  readonly sizesByRank?: number
  /** Each block of content is this often there (1: never twice), in blocks of 64 KiB over the whole set. */
  readonly dedup: number
  /** Bytes divided by what zstd makes of them; 1: incompressible. */
  readonly compress: number
}

export type RecordSpec =
  /** DLIO's square: sides int(sqrt(length)), drawn anew for each file where `stdev` is above 0. uint8. */
  | { readonly kind: 'length'; readonly bytes: number; readonly stdev: number }
  | { readonly kind: 'dims'; readonly dims: readonly number[]; readonly dtype: DType }

/** One file of the set. */
export interface PlannedFile {
  /** 0-based, train files first. */
  readonly index: number
  readonly split: Split
  /** Below the set's URL. */
  readonly key: string
  readonly layout: FileLayout
}
