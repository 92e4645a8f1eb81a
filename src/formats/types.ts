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

export type Compression = 'none' | 'gzip' | 'lzf' | 'bz2' | 'zip' | 'xz' | 'snappy'

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
  /** Parquet: rows that are written at once, as MLCommons' DLIO does; no row group reaches over them. Absent: all. */
  readonly rowsAtOnce?: number
  /** npz. Whether members have the field for sizes beyond 4 GiB `always`, as NumPy's have, or where `needed`, as those of MLCommons' DLIO. `always` where absent. */
  readonly zip64?: 'always' | 'needed'
  /** JPEG and PNG. `raw`: the record's bytes as they are, which no decoder reads: MLCommons' DLIO. `encoded` where absent. */
  readonly pictures?: 'encoded' | 'raw'
}

/** What one file holds: `samples` records of one shape and type. Pure data: whoever knows it can tell what a file must be. */
export interface FileLayout {
  readonly samples: number
  /** Of one record, elements a dimension. */
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly options: FormatOptions
  /** Of the file in its set, train files first: all that a file of the format `synthetic` says; 0. */
  readonly index?: number
}

/** The bytes of a file's records, made when they are asked for: the same bytes however they are cut. */
export interface Content {
  /** Fills `target` with the bytes of record `sample` from `offset` on. */
  fill(sample: number, offset: number, target: Uint8Array): void
}

/** Takes a file's bytes in order. The chunk may be used again when the promise resolves. */
export interface ByteSink {
  /** What the file is called, where its bytes say so: members of a zip. */
  readonly name?: string
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
  /** Fills `parts` one after the other with the bytes from `offset` on, where that takes one call. E_CORRUPT as `read`. */
  readParts?(offset: number, parts: readonly Uint8Array[]): Promise<void>
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
  /** Whole numbers that go with the records, one each; undefined where this file has none. Absent: the format has none. */
  labels?(): Promise<BigInt64Array | undefined>
  close(): Promise<void>
}

/** A file that goes with another: an index. */
export interface Sidecar {
  /** `beside`: its name is the file's and `suffix`. `index`: it lies in `index/` below the data folder, as DALI's. */
  readonly place: 'beside' | 'index'
  readonly suffix: string
}

/** What a file is made of: an array, a member of an archive, a column, a record. */
export interface InspectedPart {
  readonly name: string
  /** In the format's own words: `|u1`, `Example`, `row group`. */
  readonly type: string
  readonly shape?: readonly number[]
  /** Where its bytes lie in the file. */
  readonly offset?: number
  /** Bytes there. */
  readonly storedBytes?: number
  /** Bytes that it makes decoded, where they are others. */
  readonly bytes?: number
  readonly codec?: string
}

/** What a file is, told by its content. */
export interface Inspection {
  /** A FormatName, or in plain words what else it is. */
  readonly format: string
  /** What is compressed, and how: `deflate`, `gzip`, `snappy`; absent: nothing. */
  readonly codec?: string
  /** Absent where the bytes do not say. */
  readonly records?: number
  /** Of one record. */
  readonly shape?: readonly number[]
  readonly dtype?: DType
  /** The first of them; `partCount` says how many there are. */
  readonly parts: readonly InspectedPart[]
  readonly partCount: number
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
  /**
   * What a reader gives of a record of which `fill` makes the bytes from an offset on; undefined where it is those bytes,
   * as in all formats without this.
   */
  expected?(layout: FileLayout, fill: (offset: number, target: Uint8Array) => void): Uint8Array | undefined
  /** What lies in a file of this format. E_CORRUPT for what is damaged. */
  inspect?(source: ByteSource, sidecar?: (i: number) => Promise<ByteSource>): Promise<Inspection>
}
