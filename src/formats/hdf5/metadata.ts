import type { DType } from '../../dtype.ts'
import { corrupt } from '../layout.ts'
import type { ByteSource } from '../types.ts'
import { FieldReader, UNDEFINED_ADDRESS } from './fields.ts'
import { MESSAGE, SUPERBLOCK_BYTES } from './headers.ts'
import { lookup3 } from './lookup3.ts'
import {
  checkFillValue,
  checkLinkInfo,
  type Filter,
  Foreign,
  readDataspace,
  readDatatype,
  readFilters,
  readLayout,
  readLink,
  type Storage,
} from './messages.ts'

/**
 * Reads where the data sets in the root group of an HDF5 file lie, for files as HDF5 1.10 and later write them with
 * `libver='latest'` (DLIO's). To open a file so takes one read and microseconds. What else there is in HDF5 is `foreign`
 * here, and left to libhdf5.
 */

export interface FoundDataSet {
  readonly name: string
  readonly shape: readonly number[]
  readonly maxShape: readonly number[]
  readonly dtype: DType
  readonly itemBytes: number
  readonly filters: readonly Filter[]
  readonly storage: Storage
}

/** Bytes that are read at once: what h5py writes before the data of a small file. */
const START = 2048
/** An object header beyond this is no description of an array. */
const MAX_HEADER = 1024 * 1024
const MAX_CONTINUATIONS = 64
const MAX_LINKS = 4096
const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a] as const

interface Message {
  readonly type: number
  readonly body: FieldReader
}

/** What is in the root group by name, where it was `wanted`; `foreign` is what is described some other way. */
export type RootGroup = ReadonlyMap<string, FoundDataSet | 'foreign' | 'unread'>

/** Reads the root group and what is `wanted` in it; undefined where the file is `foreign`. */
export async function readRootGroup(
  source: ByteSource,
  wanted: (name: string) => boolean,
): Promise<RootGroup | undefined> {
  return orForeign(new MetadataReader(source).rootGroup(wanted), undefined)
}

async function orForeign<T, F>(read: Promise<T>, otherwise: F): Promise<T | F> {
  try {
    return await read
  } catch (error) {
    if (error instanceof Foreign) return otherwise
    throw error
  }
}

class MetadataReader {
  readonly #source: ByteSource
  #start: Uint8Array = new Uint8Array(0)

  constructor(source: ByteSource) {
    this.#source = source
  }

  async rootGroup(wanted: (name: string) => boolean): Promise<RootGroup> {
    const root = await this.#superblock()
    const found = new Map<string, FoundDataSet | 'foreign' | 'unread'>()
    for (const message of await this.#messages(root)) {
      if (message.type === MESSAGE.linkInfo) checkLinkInfo(message.body)
      if (message.type !== MESSAGE.link) continue
      const link = readLink(message.body)
      if (found.size === MAX_LINKS) throw new Foreign()
      const { name, header } = link
      found.set(name, wanted(name) ? await orForeign(this.#dataSet(name, header), 'foreign') : 'unread')
    }
    return found
  }

  #fields(bytes: Uint8Array, address: number): FieldReader {
    return new FieldReader(bytes, (at) =>
      corrupt(this.#source.name, 'an HDF5 structure is cut short', { offset: address + at }),
    )
  }

  async #at(address: number, length: number): Promise<Uint8Array> {
    if (address + length <= this.#start.length) return this.#start.subarray(address, address + length)
    if (length < 0 || address + length > this.#source.size) {
      const reason = `HDF5 metadata at byte ${address}, but the file has ${this.#source.size} bytes`
      throw corrupt(this.#source.name, reason, { offset: address })
    }
    return this.#source.read(address, length)
  }

  async #superblock(): Promise<number> {
    const { size } = this.#source
    this.#start = await this.#source.read(0, Math.min(START, size))
    const start = this.#start
    // A superblock may also come behind a block of the user's.
    if (SIGNATURE.some((byte, i) => start[i] !== byte)) throw new Foreign()
    const fields = this.#fields(start, 0)
    fields.skip(SIGNATURE.length)
    const version = fields.uint(1)
    if (version < 2 || version > 3 || fields.uint(1) !== 8 || fields.uint(1) !== 8) throw new Foreign()
    fields.skip(1)
    const base = fields.uint(8)
    const extension = fields.uint(8)
    const end = fields.uint(8)
    const root = fields.uint(8)
    if (fields.uint(4) !== lookup3(start, 0, SUPERBLOCK_BYTES - 4))
      throw corrupt(this.#source.name, 'the checksum of the HDF5 superblock is wrong', { offset: 0 })
    if (base !== 0 || extension !== UNDEFINED_ADDRESS) throw new Foreign()
    if (end > size) throw corrupt(this.#source.name, `the file is cut short: ${size} bytes of ${end}`, { offset: size })
    return root
  }

  /** The messages of an object header, those of its continuations among them. */
  async #messages(address: number): Promise<Message[]> {
    const head = this.#fields(await this.#at(address, Math.min(34, this.#source.size - address)), address)
    // Version 1 has no signature.
    if (head.ascii(4) !== 'OHDR' || head.uint(1) !== 2) throw new Foreign()
    const flags = head.uint(1)
    if (flags & 0x20) head.skip(16)
    if (flags & 0x10) head.skip(4)
    const size = head.uint(2 ** (flags & 3))
    const first = address + head.at
    const messages: Message[] = []
    const blocks = [{ prefix: head.at, at: first, size }]
    for (const [i, block] of blocks.entries()) {
      if (block.size > MAX_HEADER || i > MAX_CONTINUATIONS) throw new Foreign()
      const from = block.at - block.prefix
      const bytes = await this.#at(from, block.prefix + block.size + 4)
      const fields = this.#fields(bytes, from)
      if (i > 0 && fields.ascii(4) !== 'OCHK')
        throw corrupt(this.#source.name, 'an HDF5 header is continued nowhere', { offset: from })
      fields.at = block.prefix + block.size
      if (fields.uint(4) !== lookup3(bytes, 0, block.prefix + block.size))
        throw corrupt(this.#source.name, 'the checksum of an HDF5 object header is wrong', { offset: from })
      const body = this.#fields(bytes, from)
      body.at = block.prefix
      for (const message of this.#split(body.part(block.size), flags)) {
        if (message.type !== MESSAGE.continuation) messages.push(message)
        else {
          const at = message.body.uint(8)
          const length = message.body.uint(8)
          if (length < 8) throw corrupt(this.#source.name, 'an HDF5 header is continued nowhere', { offset: from })
          blocks.push({ prefix: 4, at: at + 4, size: length - 8 })
        }
      }
    }
    return messages
  }

  *#split(fields: FieldReader, flags: number): Generator<Message> {
    const head = flags & 4 ? 6 : 4
    while (fields.left >= head) {
      const type = fields.uint(1)
      const size = fields.uint(2)
      // A message that lies elsewhere, shared by several objects.
      if (fields.uint(1) & 2) throw new Foreign()
      fields.skip(head - 4)
      yield { type, body: fields.part(size) }
    }
  }

  async #dataSet(name: string, header: number): Promise<FoundDataSet> {
    let space: { shape: number[]; maxShape: number[] } | undefined
    let type: { dtype: DType; itemBytes: number } | undefined
    let storage: Storage | undefined
    let filters: readonly Filter[] = []
    for (const { type: kind, body } of await this.#messages(header)) {
      if (kind === MESSAGE.dataspace) space = readDataspace(body)
      else if (kind === MESSAGE.datatype) type = readDatatype(body)
      else if (kind === MESSAGE.layout) storage = readLayout(body)
      else if (kind === MESSAGE.filters) filters = readFilters(body)
      else if (kind === MESSAGE.fillValue) checkFillValue(body)
      // A group, an old fill value, data in other files.
      else if (kind === MESSAGE.linkInfo || kind === 4 || kind === 7) throw new Foreign()
    }
    if (space === undefined || type === undefined || storage === undefined) throw new Foreign()
    const found = { name, ...space, ...type, filters, storage }
    return this.#checked(found, header)
  }

  /** Refuses what cannot be in a file of this size. */
  #checked(found: FoundDataSet, header: number): FoundDataSet {
    const { name, shape, itemBytes, storage } = found
    const { size } = this.#source
    const elements = shape.reduce((product, axis) => product * axis, 1)
    if (!Number.isSafeInteger(elements * itemBytes))
      throw corrupt(this.#source.name, `${name}: a shape of ${JSON.stringify(shape)}`, { offset: header })
    if (shape.some((axis, i) => axis > (found.maxShape[i] as number)))
      throw corrupt(this.#source.name, `${name}: a shape of ${JSON.stringify(shape)}`, { offset: header })
    if (storage.kind !== 'contiguous') {
      const bytes = storage.chunk.reduce((product, axis) => product * axis, itemBytes)
      const covers = storage.kind !== 'single' || shape.every((axis, i) => axis <= (storage.chunk[i] as number))
      if (storage.chunk.length !== shape.length || bytes < 1 || bytes >= 2 ** 32 || !covers)
        throw corrupt(this.#source.name, `${name}: chunks of ${JSON.stringify(storage.chunk)}`, { offset: header })
      if (storage.kind === 'single' && storage.bytes < 0)
        return this.#checked({ ...found, storage: { ...storage, bytes } }, header)
    }
    // Nothing was written, or no bytes are needed: what a read gives then is libhdf5's affair.
    if (storage.address === UNDEFINED_ADDRESS) throw new Foreign()
    const bytes = storage.kind === 'fixed-array' ? 0 : storage.bytes
    if (storage.address + bytes > size) {
      const reason = `${name}: its data ends at byte ${storage.address + bytes}, but the file has ${size} bytes`
      throw corrupt(this.#source.name, reason, { offset: storage.address })
    }
    if (storage.kind === 'contiguous' && storage.bytes < elements * itemBytes)
      throw corrupt(this.#source.name, `${name}: ${storage.bytes} bytes for a shape of ${JSON.stringify(shape)}`, {
        offset: header,
      })
    return found
  }
}
