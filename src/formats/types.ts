import type { DType } from '../dtype.ts'

/** How the bytes of records are laid out in a file; the names are DLIO's. */
export type FormatName =
  | 'npz'
  | 'npy'
  | 'hdf5'
  | 'csv'
  | 'jpeg'
  | 'png'
  | 'tfrecord'
  | 'indexed_binary'
  | 'mmap_indexed_binary'
  | 'parquet'
  | 'synthetic'

export type Compression = 'none' | 'gzip' | 'lzf' | 'bz2' | 'zip' | 'xz'

/** A column of a Parquet file. */
export interface Column {
  readonly name: string
  /** NumPy's name of the type, or `string`, `binary`, `bool`, `list`. */
  readonly dtype: string
  /** Elements a row; above 1 a list of fixed size. */
  readonly size: number
  /** Whether reading a sample fetches it. */
  readonly read: boolean
}

/** What only some formats know; each refuses with E_CONFIG what it cannot do, and names it. */
export interface FormatOptions {
  readonly compression?: Compression
  readonly compressionLevel?: number
  /** HDF5: dimensions of a chunk; absent or empty: contiguous. */
  readonly chunkDims?: readonly number[]
  /** HDF5: largest dimensions; a resizable data set is chunked. */
  readonly maxShape?: readonly number[]
  /** HDF5: data sets that a record is spread over, `records_0` ... */
  readonly dataSets?: number
  /** Parquet. Absent: one column `data`, a list of uint8. */
  readonly columns?: readonly Column[]
  /** Parquet: rows a row group. */
  readonly rowGroupSize?: number
}

/** What one file holds: `samples` records of one shape and type. Pure data: whoever knows it can tell what a file must be. */
export interface FileLayout {
  readonly samples: number
  /** Of one record, elements a dimension. */
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly options: FormatOptions
}

/** The bytes of a file's records, made when they are asked for: the same bytes however they are cut. */
export interface Content {
  /** Fills `target` with the bytes of record `sample` from `offset` on. */
  fill(sample: number, offset: number, target: Uint8Array): void
}

/** Takes a file's bytes in order. The chunk may be used again when the promise resolves. */
export interface ByteSink {
  write(chunk: Uint8Array): Promise<void>
}

/** A file's bytes, by place. */
export interface ByteSource {
  /** What messages call it: a path or URL. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Exactly `length` bytes, in `into` where that is given; E_CORRUPT where the file ends before. */
  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>
}

/** An open file of records. */
export interface RecordReader {
  readonly samples: number
  /** Of one record. */
  readonly shape: readonly number[]
  readonly dtype: DType
  /**
   * The bytes of record `sample`, C order, decoded, at the start of `into`; returns how many. Fetches only what that
   * sample needs. E_CORRUPT names file, sample and place; E_LIMIT where `into` is too small.
   */
  read(sample: number, into: Uint8Array): Promise<number>
  close(): Promise<void>
}

/** A file that goes with another: an index. */
export interface Sidecar {
  /** `beside`: its name is the file's and `suffix`. `index`: it lies in `index/` below the data folder, as DALI's. */
  readonly place: 'beside' | 'index'
  readonly suffix: string
}

/** One layout of bytes: writer and reader. */
export interface RecordFormat {
  readonly name: FormatName
  readonly sidecars: readonly Sidecar[]
  /** Bytes of the file; undefined where they depend on the content (compression, text, pictures). E_CONFIG for what the format cannot hold. */
  fileBytes(layout: FileLayout): number | undefined
  /** Writes one file, and its sidecars in the order of `sidecars`, with memory bounded by a few MiB whatever the file's size. */
  write(sink: ByteSink, layout: FileLayout, content: Content, sidecars: readonly ByteSink[]): Promise<void>
  /**
   * Opens a file. `layout`: what it is expected to hold, where known (a headerless format needs it); `sidecar(i)` opens
   * its i-th sidecar.
   */
  open(source: ByteSource, layout?: FileLayout, sidecar?: (i: number) => Promise<ByteSource>): Promise<RecordReader>
}
