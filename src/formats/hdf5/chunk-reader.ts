import { forget, keep, touch } from '../kept.ts'
import { corrupt } from '../layout.ts'
import type { ByteSource } from '../types.ts'
import { copyBox, gridPlaces } from './box.ts'
import type { ChunkPlace } from './chunk-index.ts'
import { type ChunkTable, readChunkTable } from './chunk-table.ts'
import { product } from './data-sets.ts'
import { undoFilters } from './filters.ts'
import type { FoundDataSet } from './metadata.ts'

/** Bytes of chunks side by side in the file that are read at once. */
const READ = 4 * 1024 * 1024
/** Bytes of decoded chunks that are kept where several samples lie in one. */
const KEPT = 16 * 1024 * 1024

/** Bytes of a chunk that is decoded here. */
const MAX_CHUNK = 512 * 1024 * 1024

interface Wanted {
  readonly index: number
  /** Of the chunk's first element, without the samples' axis. */
  readonly corner: readonly number[]
  readonly place: ChunkPlace | undefined
}

/** Reads samples of a data set in chunks: of the chunks that a sample lies in, those that are not at hand. */
export class ChunkReader {
  readonly #source: ByteSource
  readonly #dataSet: FoundDataSet
  readonly #chunk: readonly number[]
  readonly #chunkBytes: number
  readonly #table: ChunkTable
  /** By the chunk's index; the one used last is the last one. */
  readonly #kept = new Map<number, Uint8Array>()
  #keptBytes = 0

  private constructor(source: ByteSource, dataSet: FoundDataSet, chunk: readonly number[], table: ChunkTable) {
    this.#source = source
    this.#dataSet = dataSet
    this.#chunk = chunk
    this.#chunkBytes = product(chunk) * dataSet.itemBytes
    this.#table = table
  }

  /** undefined where the chunks cannot be found or decoded here. */
  static async open(source: ByteSource, dataSet: FoundDataSet): Promise<ChunkReader | undefined> {
    const { storage, itemBytes } = dataSet
    if (storage.kind === 'contiguous') return undefined
    const bytes = product(storage.chunk) * itemBytes
    if (bytes > MAX_CHUNK) return undefined
    const table = await readChunkTable(source, dataSet, bytes)
    return table && new ChunkReader(source, dataSet, storage.chunk, table)
  }

  /** Gives memory back. */
  close(): void {
    this.#kept.clear()
    this.#keptBytes = 0
    forget(this)
  }

  /** Fills `target` with the elements of one sample. */
  async read(sample: number, target: Uint8Array): Promise<void> {
    const { shape, filters } = this.#dataSet
    const [perChunk = 1] = this.#chunk
    const row = Math.floor(sample / perChunk)
    const place = (wanted: Wanted, chunk: Uint8Array): void => {
      const from = { bytes: chunk, shape: this.#chunk, at: [sample - row * perChunk, ...wanted.corner.map(() => 0)] }
      const to = { bytes: target, shape: [1, ...shape.slice(1)], at: [0, ...wanted.corner] }
      const count = wanted.corner.map((at, i) => Math.min(this.#chunk[i + 1] as number, (shape[i + 1] as number) - at))
      copyBox(from, to, [1, ...count], this.#dataSet.itemBytes)
    }
    touch(this)
    const missing: Wanted[] = []
    for (const wanted of this.#wanted(row)) {
      const kept = this.#kept.get(wanted.index)
      if (kept !== undefined) place(wanted, kept)
      else if (wanted.place === undefined) place(wanted, new Uint8Array(this.#chunkBytes))
      else missing.push(wanted)
    }
    for (const run of this.#runs(missing)) {
      const first = run[0]?.place as ChunkPlace
      const stored = await this.#stored(first, run)
      for (const wanted of run) {
        const { address, bytes, skipped } = wanted.place as ChunkPlace
        const part = stored.subarray(address - first.address, address - first.address + bytes)
        const chunk = filters.length === 0 ? part : await this.#decoded(part, skipped, sample, address)
        if (perChunk > 1) this.#keep(wanted.index, chunk)
        place(wanted, chunk)
      }
    }
  }

  /** The chunks of a row of the grid: those with the samples from `row` times a chunk's on. */
  *#wanted(row: number): Generator<Wanted> {
    const { shape, maxShape } = this.#dataSet
    const chunk = this.#chunk
    const grid = shape.map((axis, i) => Math.ceil(axis / (chunk[i] as number)))
    const most = maxShape.map((axis, i) => Math.ceil(axis / (chunk[i] as number)))
    for (const at of gridPlaces(grid.slice(1))) {
      const index = at.reduce((sum, place, i) => sum * (most[i + 1] as number) + place, row)
      const corner = at.map((place, i) => place * (chunk[i + 1] as number))
      yield { index, corner, place: this.#table.place(index) }
    }
  }

  /** Chunks that lie one behind the other, up to a bound of bytes. */
  *#runs(wanted: readonly Wanted[]): Generator<readonly Wanted[]> {
    const sorted = wanted.toSorted((a, b) => (a.place?.address ?? 0) - (b.place?.address ?? 0))
    let run: Wanted[] = []
    let start = 0
    let end = -1
    for (const one of sorted) {
      const { address, bytes } = one.place as ChunkPlace
      if (run.length > 0 && (address !== end || address + bytes - start > READ)) {
        yield run
        run = []
      }
      if (run.length === 0) start = address
      run.push(one)
      end = address + bytes
    }
    if (run.length > 0) yield run
  }

  async #stored(first: ChunkPlace, run: readonly Wanted[]): Promise<Uint8Array> {
    const last = run.at(-1)?.place as ChunkPlace
    const length = last.address + last.bytes - first.address
    for (const { place } of run) {
      const { address, bytes } = place as ChunkPlace
      const whole = this.#dataSet.filters.length > 0 ? bytes <= this.#chunkBytes * 2 + 1024 : bytes === this.#chunkBytes
      if (!whole || address + bytes > this.#source.size)
        throw this.#broken(
          `a chunk of ${bytes} bytes at byte ${address}, but the file has ${this.#source.size}`,
          address,
        )
    }
    return this.#source.read(first.address, length)
  }

  async #decoded(stored: Uint8Array, skipped: number, sample: number, address: number): Promise<Uint8Array> {
    const chunk = await undoFilters(stored, this.#dataSet.filters, skipped, this.#chunkBytes).catch((error) => {
      throw this.#broken(`sample ${sample}: a chunk does not decompress`, address, error)
    })
    if (chunk.length !== this.#chunkBytes)
      throw this.#broken(`sample ${sample}: a chunk of ${chunk.length} bytes instead of ${this.#chunkBytes}`, address)
    return chunk
  }

  #broken(reason: string, at: number, cause?: unknown): Error {
    return corrupt(this.#source.name, `${this.#dataSet.name}: ${reason}`, { offset: at, cause })
  }

  #keep(index: number, chunk: Uint8Array): void {
    if (chunk.length > KEPT) return
    // A view of a whole run would keep all of it.
    const own = chunk.buffer.byteLength > chunk.length * 2 ? chunk.slice() : chunk
    this.#kept.set(index, own)
    this.#keptBytes += own.length
    for (const [oldest, bytes] of this.#kept) {
      if (this.#keptBytes <= KEPT) break
      this.#kept.delete(oldest)
      this.#keptBytes -= bytes.length
    }
    keep(this, this.#keptBytes, () => this.close())
  }
}
