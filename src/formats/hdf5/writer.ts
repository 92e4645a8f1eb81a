import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { Pieces, putRecord } from '../pieces.ts'
import { type Spool, withSpool } from '../spool.ts'
import type { ByteSink, Content, FileLayout } from '../types.ts'
import { cutChunks } from './chunk-cutter.ts'
import { type ChunkPlace, fixedArrayBlock, fixedArrayHeader } from './chunk-index.ts'
import {
  type Chunk,
  type ChunkFilter,
  chunkGrid,
  type DataSet,
  dataSetsOf,
  elementBytes,
  product,
} from './data-sets.ts'
import { dataSetHeader, rootHeader, superblock } from './headers.ts'
import { lzfCompressed } from './lzf.ts'
import { type PlacedDataSet, type Placement, place, plainBytes } from './placement.ts'

/**
 * Writes HDF5 files front to back, which libhdf5 cannot do: it writes what describes the data after the data, at the
 * front. What lies where is known beforehand here, but for compressed chunks, whose sizes are: those wait in a spool.
 */

/** Chunks that are compressed at once, on the threads that Node has for that. */
const COMPRESSING = 4

const deflated = promisify<Uint8Array, { level: number }, Buffer>(deflate)

/** A chunk after its filter, or as it is. */
async function packed(bytes: Uint8Array, filter: ChunkFilter | undefined): Promise<Uint8Array> {
  if (filter?.kind === 'gzip') return deflated(bytes, { level: filter.level })
  return (filter?.kind === 'lzf' ? lzfCompressed(bytes) : undefined) ?? bytes
}

type Chunked = DataSet & { readonly chunk: Chunk }

function chunked(dataSet: DataSet): dataSet is Chunked {
  return dataSet.chunk !== undefined
}

/** Bytes of the file; undefined where chunks are compressed. */
export function hdf5Bytes(layout: FileLayout): number | undefined {
  const dataSets = dataSetsOf(layout)
  if (dataSets.some(({ chunk }) => chunk?.filter !== undefined)) return undefined
  return place(dataSets, plainBytes).bytes
}

/** Writes one file; E_CONFIG before the first byte where HDF5 cannot hold it. */
export async function writeHdf5(sink: ByteSink, layout: FileLayout, content: Content): Promise<void> {
  const dataSets = dataSetsOf(layout)
  const compressed = dataSets.some(({ chunk }) => chunk?.filter !== undefined)
  if (!compressed) return new FileWriter(sink, place(dataSets, plainBytes), content).write()
  const most = dataSets.reduce((sum, dataSet) => sum + plainBytes(dataSet), 0)
  await withSpool(most, async (spool) => {
    const sizes = await compressInto(spool, dataSets, content)
    const bytes = sizes.map(
      (chunks, i) => chunks?.reduce((sum, chunk) => sum + chunk.bytes, 0) ?? plainBytes(dataSets[i] as DataSet),
    )
    const placement = place(dataSets, (_, i) => bytes[i] as number)
    await new FileWriter(sink, placement, content, { spool, sizes }).write()
  })
}

type Compressed = Omit<ChunkPlace, 'address'>

/** Compresses the chunks of each data set that has them into the spool, one behind the other. */
async function compressInto(spool: Spool, dataSets: readonly DataSet[], content: Content) {
  const sizes: (readonly Compressed[] | undefined)[] = []
  for (const [i, dataSet] of dataSets.entries()) {
    if (!chunked(dataSet)) {
      sizes.push(undefined)
      continue
    }
    const chunks: Compressed[] = []
    const waiting: Promise<Uint8Array>[] = []
    const next = async (): Promise<void> => {
      const bytes = (await waiting.shift()) as Uint8Array
      chunks.push({ bytes: bytes.length, skipped: bytes.length === dataSet.chunk.bytes ? 1 : 0 })
      await spool.add(bytes)
    }
    try {
      for (const bytes of cutChunks(dataSet, content, i * partBytes(dataSet))) {
        // What compressing does not make smaller is stored as it is.
        waiting.push(packed(bytes, dataSet.chunk.filter).then((small) => (small.length < bytes.length ? small : bytes)))
        if (waiting.length === COMPRESSING) await next()
      }
      while (waiting.length > 0) await next()
    } finally {
      await Promise.allSettled(waiting)
    }
    sizes.push(chunks)
  }
  return sizes
}

/** Bytes of one sample in a data set. */
function partBytes(dataSet: DataSet): number {
  const [samples = 0] = dataSet.shape
  return samples === 0 ? 0 : elementBytes(dataSet) / samples
}

/** Records without their first `bytes`. */
function partOf(content: Content, bytes: number): Content {
  if (bytes === 0) return content
  return { fill: (sample, offset, target) => content.fill(sample, bytes + offset, target) }
}

interface Spooled {
  readonly spool: Spool
  readonly sizes: readonly (readonly Compressed[] | undefined)[]
}

class FileWriter {
  readonly #out: Pieces
  readonly #placement: Placement
  readonly #content: Content
  readonly #spooled: Spooled | undefined
  #at = 0

  constructor(sink: ByteSink, placement: Placement, content: Content, spooled?: Spooled) {
    this.#out = new Pieces(sink)
    this.#placement = placement
    this.#content = content
    this.#spooled = spooled
  }

  async write(): Promise<void> {
    const { root, dataSets, bytes } = this.#placement
    const links = dataSets.map(({ dataSet: { name }, header }) => ({ name, header }))
    const parts: { at: number; write: () => Promise<void> }[] = []
    const put = (at: number, made: Uint8Array): void => {
      parts.push({ at, write: () => this.#put(made) })
    }
    put(0, superblock(root, bytes))
    put(root, rootHeader(links))
    for (const [i, placed] of dataSets.entries()) {
      const { dataSet, header, index, data, dataBytes } = placed
      const chunks = this.#chunkPlaces(placed, i)
      const single = index === undefined && chunks?.[0] ? { single: chunks[0] } : {}
      put(header, dataSetHeader(dataSet, { address: index?.header ?? data, bytes: dataBytes, ...single }))
      if (index !== undefined) {
        put(index.header, fixedArrayHeader(dataSet, index.block))
        put(index.block, fixedArrayBlock(dataSet, index.header, chunks ?? []))
      }
      if (dataBytes > 0) parts.push({ at: data, write: () => this.#data(placed, i) })
    }
    parts.sort((a, b) => a.at - b.at)
    for (const { at, write } of parts) {
      await this.#zeros(at - this.#at)
      await write()
    }
    await this.#zeros(bytes - this.#at)
    await this.#out.end()
  }

  #chunkPlaces({ dataSet, data }: PlacedDataSet, i: number): readonly ChunkPlace[] | undefined {
    if (!chunked(dataSet)) return undefined
    const { chunk, shape } = dataSet
    const sizes =
      this.#spooled?.sizes[i] ??
      Array.from({ length: product(chunkGrid(dataSet, shape)) }, () => ({ bytes: chunk.bytes, skipped: 0 }))
    let address = data
    return sizes.map((size) => {
      const found = { address, ...size }
      address += size.bytes
      return found
    })
  }

  async #data({ dataSet, dataBytes }: PlacedDataSet, i: number): Promise<void> {
    this.#at += dataBytes
    if (dataSet.name === 'labels') return this.#fill(dataBytes)
    const part = partBytes(dataSet)
    if (!chunked(dataSet)) {
      const [samples = 0] = dataSet.shape
      const ofSet = partOf(this.#content, i * part)
      for (let sample = 0; sample < samples; sample++) await putRecord(this.#out, ofSet, sample, part)
    } else if (this.#spooled === undefined) {
      for (const chunk of cutChunks(dataSet, this.#content, i * part)) await this.#out.put(chunk)
    } else {
      await this.#spooledBytes(dataBytes)
    }
  }

  #pieces: AsyncIterator<Uint8Array> | undefined
  #piece = new Uint8Array(0)

  /** The next bytes of the spool: data sets are read in the order in which they were compressed. */
  async #spooledBytes(count: number): Promise<void> {
    this.#pieces ??= this.#spooled?.spool.pieces()[Symbol.asyncIterator]()
    for (let left = count; left > 0; ) {
      if (this.#piece.length === 0) this.#piece = (await this.#pieces?.next())?.value ?? new Uint8Array(0)
      const taken = this.#piece.subarray(0, left)
      await this.#out.put(taken)
      this.#piece = this.#piece.subarray(taken.length)
      left -= taken.length
    }
  }

  async #put(bytes: Uint8Array): Promise<void> {
    this.#at += bytes.length
    await this.#out.put(bytes)
  }

  async #zeros(count: number): Promise<void> {
    this.#at += count
    await this.#fill(count)
  }

  async #fill(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      if (this.#out.full) await this.#out.flush()
      left -= this.#out.take(left).fill(0).length
    }
  }
}
