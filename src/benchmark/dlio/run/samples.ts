import { itemSize } from '../../../dtype.ts'
import { HeadraceError } from '../../../errors.ts'
import type { OpenSource } from '../../../formats/byte-source.ts'
import type { FileLayout, FormatName, RecordFormat, RecordReader } from '../../../formats/types.ts'
import type { DataSet } from '../../../generate/data-set.ts'
import { native } from '../../../native.ts'
import type { Meter, Sources } from './sources.ts'

/** Files that stay open for their next sample: as many as the lanes of a batch, and some. */
const OPEN_FILES = 32

/** 8 MiB: a store's object of one sample up to here is got by one request instead of several. */
const WHOLE = 8 * 2 ** 20

/** Their files say themselves what they hold; what it should be costs the draws of all files before, where sizes vary. */
const SELF_DESCRIBING: ReadonlySet<FormatName> = new Set(['npz', 'npy', 'hdf5', 'jpeg', 'png'])

interface OpenFile {
  readonly key: string
  readonly reader: Promise<RecordReader>
  readonly sources: OpenSource[]
  /** Reads under way. */
  uses: number
  isOpen: boolean
}

/** What the trainer gets of each sample. */
export interface Tensor {
  /** Room for it, bytes; of what is larger only the beginning. */
  readonly stride: number
  /** Whether it has that size whatever the record's is: the workload resizes. */
  readonly resized: boolean
}

export interface SampleReaderOptions {
  readonly set: DataSet
  readonly format: RecordFormat
  readonly sources: Sources
  readonly meter: Meter
  readonly tensor: Tensor
  /** Looks at each record as it was read; throws where it is not what it should be. */
  readonly inspect: ((file: number, sample: number, record: Uint8Array) => void) | undefined
}

const bytesOf = ({ shape, dtype }: Pick<FileLayout, 'shape' | 'dtype'>) =>
  shape.reduce((product, side) => product * side, itemSize(dtype))

/** With some more: the next record may be a little larger. */
function roomFor(bytes: number): Uint8Array {
  return new Uint8Array(native.alignedMemory(Math.ceil(bytes * 1.25)))
}

/** Where the samples of a set are read from. */
export interface Samples {
  /** Whether several should be read at once. */
  readonly parallel: boolean
  /** Puts a sample's tensor at the start of `into`; undefined where nothing is left to wait for. */
  read(file: number, sample: number, into: Uint8Array): Promise<void> | undefined
  close(): Promise<void>
}

/** Reads single samples of a set's files, decoded, with a bounded number of files open. */
export class SampleReader implements Samples {
  readonly #options: SampleReaderOptions
  readonly #open = new Map<number, OpenFile>()
  /** Memory for records of another size than the trainer's tensor. */
  readonly #spare: Uint8Array[] = []

  constructor(options: SampleReaderOptions) {
    this.#options = options
  }

  get parallel(): boolean {
    return this.#options.sources.parallel
  }

  /** Puts a sample's tensor at the start of `into`. Errors name the file and the sample. */
  async read(index: number, sample: number, into: Uint8Array): Promise<void> {
    const file = this.#use(index)
    let single = false
    try {
      const reader = await this.#opened(file)
      single = reader.samples === 1
      if (sample >= reader.samples)
        throw new HeadraceError(
          'E_CORRUPT',
          `${file.key} holds ${reader.samples} samples: there is no sample ${sample}, counted from 0`,
          { key: file.key, sample },
        )
      await this.#decode(index, reader, sample, into)
    } catch (error) {
      // What failed once is opened anew: the file may be mended, or the store back.
      this.#forget(index, file)
      throw error
    } finally {
      file.uses--
      if (single) this.#forget(index, file)
      if (this.#open.get(index) !== file) await this.#close(file)
    }
  }

  /** Whoever comes while another one opens the file waits for storage with it. */
  #opened(file: OpenFile): Promise<RecordReader> {
    if (file.isOpen || file.uses === 1) return file.reader
    const { meter } = this.#options
    const start = native.monotonic()
    return file.reader.finally(() => {
      meter.storage += native.monotonic() - start
    })
  }

  async close(): Promise<void> {
    const files = [...this.#open.values()]
    this.#open.clear()
    for (const file of files) await this.#close(file)
  }

  async #decode(index: number, reader: RecordReader, sample: number, into: Uint8Array): Promise<void> {
    const bytes = bytesOf(reader)
    const { tensor, inspect } = this.#options
    if (bytes === tensor.stride || (bytes < tensor.stride && !tensor.resized)) {
      const length = await reader.read(sample, into)
      inspect?.(index, sample, into.subarray(0, length))
      return
    }
    const spare = this.#spare.pop()
    const room = spare !== undefined && spare.length >= bytes ? spare : roomFor(bytes)
    try {
      const length = await reader.read(sample, room)
      inspect?.(index, sample, room.subarray(0, length))
      into.set(room.subarray(0, Math.min(length, tensor.stride)))
    } finally {
      this.#spare.push(room)
    }
  }

  #use(index: number): OpenFile {
    const known = this.#open.get(index)
    if (known !== undefined) {
      known.uses++
      return known
    }
    if (this.#open.size >= OPEN_FILES) this.#closeIdle()
    const { set } = this.#options
    const key = set.key(index)
    const sources: OpenSource[] = []
    const file: OpenFile = { key, reader: this.#reader(index, key, sources), sources, uses: 1, isOpen: false }
    file.reader.then(
      () => {
        file.isOpen = true
      },
      // Told to who reads from it.
      () => {},
    )
    this.#open.set(index, file)
    return file
  }

  async #reader(index: number, key: string, opened: OpenSource[]): Promise<RecordReader> {
    const { set, format, sources } = this.#options
    const asked = set.uniform || !SELF_DESCRIBING.has(format.name)
    const layout = asked ? set.file(index).layout : undefined
    const source = async (name: string, whole: boolean, file?: number) => {
      const found = await sources.open(name, whole, file)
      opened.push(found)
      return found
    }
    const small = layout !== undefined && layout.samples === 1 && bytesOf(layout) <= WHOLE
    const sidecars = set.sidecarKeys(index, format)
    return format.open(await source(key, small, index), layout, (i) => source(sidecars[i] ?? '', true))
  }

  #forget(index: number, file: OpenFile): void {
    if (this.#open.get(index) === file) this.#open.delete(index)
  }

  /** The one that was opened first among those that nobody reads from. */
  #closeIdle(): void {
    for (const [index, file] of this.#open) {
      if (file.uses > 0) continue
      this.#open.delete(index)
      // What it was opened for was read: a failure now loses nothing.
      this.#close(file).catch(() => {})
      return
    }
  }

  async #close(file: OpenFile): Promise<void> {
    if (file.uses > 0) return
    const reader = await file.reader.catch(() => undefined)
    try {
      await reader?.close()
    } finally {
      for (const source of file.sources.splice(0)) source.close()
    }
  }
}
