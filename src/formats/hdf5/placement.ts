import { FIXED_ARRAY_HEADER_BYTES, fixedArrayBlockBytes, indexOf } from './chunk-index.ts'
import { chunkGrid, type DataSet, elementBytes, product } from './data-sets.ts'
import { UNDEFINED_ADDRESS } from './fields.ts'
import { dataSetHeaderBytes, rootHeaderBytes, SUPERBLOCK_BYTES } from './headers.ts'

/** Where the parts of a file lie. */
export interface Placement {
  readonly root: number
  readonly dataSets: readonly PlacedDataSet[]
  /** Of the file. */
  readonly bytes: number
}

export interface PlacedDataSet {
  readonly dataSet: DataSet
  /** Of its object header. */
  readonly header: number
  /** Of its fixed array, where it has one. */
  readonly index?: { readonly header: number; readonly block: number }
  readonly data: number
  readonly dataBytes: number
}

/** Bytes that HDF5 takes at a time, for what describes and for small data each. */
const BLOCK = 2048

class Block {
  at = 0
  left = 0
}

/**
 * HDF5's way to give out a file's space: what describes the data comes from blocks of its own, what is larger than a
 * block lengthens the block if that ends where the file does. So the bytes lie where h5py's would.
 */
class Space {
  readonly meta = new Block()
  readonly raw = new Block()
  #end = 0

  take(block: Block, bytes: number): number {
    const last = block.at + block.left === this.#end && this.#end > 0
    if (bytes > block.left) {
      const more = Math.max(bytes, BLOCK)
      if (!last && bytes >= BLOCK) {
        const at = this.#end
        this.#end += bytes
        // Data stays in the order in which it comes, as a writer without seeks needs it.
        if (block === this.raw) {
          block.at = this.#end
          block.left = 0
        }
        return at
      }
      if (!last) {
        block.at = this.#end
        block.left = 0
      }
      this.#end += more
      block.left += more
    }
    const at = block.at
    block.at += bytes
    block.left -= bytes
    return at
  }

  /** Bytes of the file, without what is left of blocks at its end. */
  close(): number {
    for (const block of [this.meta, this.raw, this.meta])
      if (block.at + block.left === this.#end) {
        this.#end = block.at
        block.left = 0
      }
    return this.#end
  }
}

/** Bytes that the chunks or elements of a data set take without compression. */
export function plainBytes(dataSet: DataSet): number {
  const { chunk, shape } = dataSet
  return chunk === undefined ? elementBytes(dataSet) : product(chunkGrid(dataSet, shape)) * chunk.bytes
}

/** Places data sets that take so many bytes each, in the order in which h5py makes them. */
export function place(dataSets: readonly DataSet[], bytesOf: (dataSet: DataSet, i: number) => number): Placement {
  const space = new Space()
  space.take(space.meta, SUPERBLOCK_BYTES)
  const root = space.take(space.meta, rootHeaderBytes(dataSets))
  const placed = dataSets.map((dataSet, i): PlacedDataSet => {
    const header = space.take(space.meta, dataSetHeaderBytes(dataSet))
    const dataBytes = bytesOf(dataSet, i)
    const array =
      indexOf(dataSet) === 'fixed-array'
        ? {
            header: space.take(space.meta, FIXED_ARRAY_HEADER_BYTES),
            block: space.take(space.meta, fixedArrayBlockBytes(dataSet)),
          }
        : undefined
    const data = dataBytes === 0 ? UNDEFINED_ADDRESS : space.take(space.raw, dataBytes)
    return { dataSet, header, ...(array && { index: array }), data, dataBytes }
  })
  return { root, dataSets: placed, bytes: space.close() }
}
