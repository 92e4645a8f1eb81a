import { corrupt } from '../layout.ts'
import type { ByteSource } from '../types.ts'
import { type ChunkPlace, chunkSizeBytes, FIXED_ARRAY_HEADER_BYTES } from './chunk-index.ts'
import { FieldReader } from './fields.ts'
import { lookup3 } from './lookup3.ts'
import type { FoundDataSet } from './metadata.ts'

/** Bytes of an index that is kept in memory: four million chunks and more. */
const MAX_INDEX = 64 * 1024 * 1024

/** Where each chunk of a data set lies, by its place in the grid of what there can be. */
export interface ChunkTable {
  /** undefined: nothing was written there. */
  place(index: number): ChunkPlace | undefined
}

/** Reads the index of a data set that has one; undefined where it is too large to be kept. */
export async function readChunkTable(
  source: ByteSource,
  dataSet: FoundDataSet,
  chunkBytes: number,
): Promise<ChunkTable | undefined> {
  const { storage, filters, name } = dataSet
  if (storage.kind === 'contiguous') return undefined
  if (storage.kind === 'single') {
    const { address, bytes, skipped } = storage
    return { place: () => ({ address, bytes, skipped }) }
  }
  const broken = (reason: string, at: number) =>
    corrupt(source.name, `${name}: the chunk index ${reason}`, { offset: at })
  const read = async (address: number, length: number): Promise<Uint8Array> => {
    if (address + length > source.size) throw broken(`ends at byte ${address + length} of ${source.size}`, address)
    return source.read(address, length)
  }

  const head = await read(storage.address, FIXED_ARRAY_HEADER_BYTES)
  const fields = new FieldReader(head, () => broken('is cut short', storage.address))
  const filtered = filters.length > 0
  const sizeBytes = chunkSizeBytes(chunkBytes)
  const element = filtered ? 8 + sizeBytes + 4 : 8
  const right = fields.ascii(4) === 'FAHD' && fields.uint(1) === 0 && fields.uint(1) === (filtered ? 1 : 0)
  if (
    !right ||
    fields.uint(1) !== element ||
    lookup3(head, 0, 24) !== new DataView(head.buffer, head.byteOffset).getUint32(24, true)
  )
    throw broken('is damaged', storage.address)
  const pageBits = fields.uint(1)
  const count = fields.uint(8)
  const block = fields.uint(8)
  const chunks = storage.chunk.reduce((all, axis, i) => all * Math.ceil((dataSet.maxShape[i] as number) / axis), 1)
  if (count !== chunks) throw broken(`has ${count} elements for ${chunks} chunks`, storage.address)

  const page = 2 ** pageBits
  const pages = count <= page ? 0 : Math.ceil(count / page)
  const prefix = pages === 0 ? 14 : 14 + Math.ceil(pages / 8) + 4
  const length = prefix + count * element + Math.max(1, pages) * 4
  if (length > MAX_INDEX) return undefined
  const bytes = await read(block, length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const check = (from: number, to: number): void => {
    if (lookup3(bytes, from, to) !== view.getUint32(to, true)) throw broken('has a wrong checksum', block + from)
  }
  if (Buffer.from(bytes.subarray(0, 4)).toString('latin1') !== 'FADB') throw broken('is damaged', block)
  if (pages > 0) check(0, prefix - 4)
  else check(0, length - 4)
  const checkedPages = new Set<number>()

  return {
    place(index) {
      if (index >= count) throw broken(`has no element ${index}`, block)
      const at = Math.floor(index / page)
      const first = prefix + (pages === 0 ? 0 : at * (page * element + 4))
      // A page where nothing was written was never initialised.
      if (pages > 0 && !((bytes[14 + (at >> 3)] as number) & (0x80 >> (at & 7)))) return undefined
      if (pages > 0 && !checkedPages.has(at)) {
        check(first, first + Math.min(page, count - at * page) * element)
        checkedPages.add(at)
      }
      const from = first + (pages === 0 ? index : index - at * page) * element
      const entry = new FieldReader(bytes, () => broken('is cut short', block), from, from + element)
      const address = entry.uint(8)
      if (address === 2 ** 64) return undefined
      return filtered
        ? { address, bytes: entry.uint(sizeBytes), skipped: entry.uint(4) }
        : { address, bytes: chunkBytes, skipped: 0 }
    },
  }
}
