import { type DType, itemSize } from '../../dtype.ts'
import { type ChunkPlace, indexOf, log2, PAGE_BITS } from './chunk-index.ts'
import type { Chunk, ChunkFilter, DataSet } from './data-sets.ts'
import { datatypeMessage } from './datatype.ts'
import { FieldWriter, UNDEFINED_ADDRESS } from './fields.ts'
import { FILTER } from './filters.ts'
import { lookup3 } from './lookup3.ts'

/** The headers of a file, as HDF5 1.10 and later write them with `libver='latest'`. */

export const SUPERBLOCK_BYTES = 48
/** Room for messages that HDF5 leaves in the header of a data set. */
const DATA_SET_ROOM = 256
/** And in that of a group: four links with names of eight bytes. */
const GROUP_ROOM = 120

export const MESSAGE = {
  dataspace: 1,
  linkInfo: 2,
  datatype: 3,
  fillValue: 5,
  link: 6,
  layout: 8,
  groupInfo: 10,
  filters: 11,
  continuation: 16,
} as const

/** What a layout message says of where a data set lies. */
export interface LayoutTarget {
  /** Of the data, or of what tells where its chunks lie. */
  readonly address: number
  /** Of contiguous data. */
  readonly bytes: number
  /** Of a data set of one compressed chunk. */
  readonly single?: ChunkPlace
}

type Message = readonly [type: number, flags: number, body: Uint8Array]

/** The message cannot change while the object is there. */
const CONSTANT = 1

function checked(fields: FieldWriter): Uint8Array {
  return fields.uint(lookup3(fields.take()), 4).take()
}

export function superblock(root: number, fileBytes: number): Uint8Array {
  const fields = new FieldWriter()
    .bytes([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a])
    .bytes([3, 8, 8, 0]) // version; bytes of an address and of a length; flags
    .uint(0, 8)
    .uint(UNDEFINED_ADDRESS, 8)
    .uint(fileBytes, 8)
    .uint(root, 8)
  return checked(fields)
}

const messageBytes = (messages: readonly Message[]): number =>
  messages.reduce((sum, [, , body]) => sum + 4 + body.length, 0)

/** An object header of version 2 with room for `room` bytes of messages. */
function objectHeader(messages: readonly Message[], room: number, times: 'zero' | 'none'): Uint8Array {
  const used = messageBytes(messages)
  const size = Math.max(room, used)
  const sizeBytes = sizeBytesOf(size)
  const fields = new FieldWriter()
    .ascii('OHDR')
    .bytes([2, (times === 'zero' ? 0x20 : 0) | Math.log2(sizeBytes)])
    .zeros(times === 'zero' ? 16 : 0)
    .uint(size, sizeBytes)
  for (const [type, flags, body] of messages) fields.uint(type, 1).uint(body.length, 2).uint(flags, 1).bytes(body)
  // A null message fills what is left; less than the head of one is a gap.
  const left = size - used
  if (left >= 4)
    fields
      .uint(0, 1)
      .uint(left - 4, 2)
      .uint(0, 1)
  fields.zeros(left >= 4 ? left - 4 : left)
  return checked(fields)
}

function sizeBytesOf(size: number): 1 | 2 | 4 {
  return size < 0x100 ? 1 : size < 0x10000 ? 2 : 4
}

function groupRoom(dataSets: readonly DataSet[]): number {
  return Math.max(
    GROUP_ROOM,
    dataSets.reduce((sum, { name }) => sum + 4 + 3 + name.length + 8, 22 + 6),
  )
}

export function rootHeaderBytes(dataSets: readonly DataSet[]): number {
  const room = groupRoom(dataSets)
  return 4 + 2 + 16 + sizeBytesOf(room) + room + 4
}

/** The root group, with a link to the header of each data set. */
export function rootHeader(links: readonly { readonly name: string; readonly header: number }[]): Uint8Array {
  const linkInfo = new FieldWriter().uint(0, 2).uint(UNDEFINED_ADDRESS, 8).uint(UNDEFINED_ADDRESS, 8)
  const messages: Message[] = [
    [MESSAGE.linkInfo, 0, linkInfo.take()],
    [MESSAGE.groupInfo, CONSTANT, new Uint8Array(2)],
    ...links.map(({ name, header }): Message => {
      const link = new FieldWriter().bytes([1, 0, name.length]).ascii(name).uint(header, 8)
      return [MESSAGE.link, 0, link.take()]
    }),
  ]
  return objectHeader(messages, GROUP_ROOM, 'zero')
}

function dataspaceMessage({ shape, maxShape }: DataSet): Uint8Array {
  const fields = new FieldWriter().bytes([2, shape.length, 1, 1])
  for (const axis of [...shape, ...maxShape]) fields.uint(axis, 8)
  return fields.take()
}

function layoutMessage(dataSet: DataSet, target: LayoutTarget): Uint8Array {
  const { chunk, dtype } = dataSet
  if (chunk === undefined) return new FieldWriter().bytes([4, 1]).uint(target.address, 8).uint(target.bytes, 8).take()
  const dims = [...chunk.shape, itemSize(dtype)]
  const dimBytes = dimBytesOf(chunk, dtype)
  const filteredSingle = chunk.filter !== undefined && indexOf(dataSet) === 'single'
  const fields = new FieldWriter().bytes([4, 2, filteredSingle ? 2 : 0, dims.length, dimBytes])
  for (const dim of dims) fields.uint(dim, dimBytes)
  if (indexOf(dataSet) === 'fixed-array') fields.bytes([3, PAGE_BITS])
  else {
    fields.uint(1, 1)
    if (filteredSingle) fields.uint(target.single?.bytes ?? 0, 8).uint(target.single?.skipped ?? 0, 4)
  }
  return fields.uint(target.address, 8).take()
}

/** Of the message of either filter. */
const DEFLATE_BYTES = 12
const LZF_BYTES = 26
/** Of LibLZF, and of the filter around it, as h5py writes them. */
const LZF_VERSIONS = [4, 0x105] as const

/** One filter, which may be left out of a chunk. One that is not HDF5's own is named. */
function filterMessage(filter: ChunkFilter, chunkBytes: number): Uint8Array {
  const fields = new FieldWriter().bytes([2, 1])
  if (filter.kind === 'gzip') return fields.uint(FILTER.deflate, 2).uint(1, 2).uint(1, 2).uint(filter.level, 4).take()
  fields.uint(FILTER.lzf, 2).uint(4, 2).uint(1, 2).uint(3, 2).ascii('lzf').zeros(1)
  for (const value of [...LZF_VERSIONS, chunkBytes]) fields.uint(value, 4)
  return fields.take()
}

function dataSetMessages(dataSet: DataSet, target: LayoutTarget): Message[] {
  const datatype = datatypeMessage(dataSet.dtype) as Uint8Array
  const { chunk } = dataSet
  // Space is taken when data comes (late, or chunk by chunk), fill values are written where one was set.
  const fillValue = new Uint8Array([3, chunk === undefined ? 0x0a : 0x0b])
  return [
    [MESSAGE.dataspace, 0, dataspaceMessage(dataSet)],
    [MESSAGE.datatype, CONSTANT, datatype],
    [MESSAGE.fillValue, CONSTANT, fillValue],
    ...(chunk?.filter === undefined
      ? []
      : [[MESSAGE.filters, CONSTANT, filterMessage(chunk.filter, chunk.bytes)] satisfies Message]),
    [MESSAGE.layout, 0, layoutMessage(dataSet, target)],
  ]
}

export function dataSetHeader(dataSet: DataSet, target: LayoutTarget): Uint8Array {
  // h5py asks for no times; two bytes of size.
  return objectHeader(dataSetMessages(dataSet, target), DATA_SET_ROOM, 'none')
}

/** Counted and not made: it is asked for every file of a set. */
export function dataSetHeaderBytes(dataSet: DataSet): number {
  const { chunk, shape, dtype } = dataSet
  const bodies = [4 + 16 * shape.length, datatypeMessage(dtype)?.length ?? 0, 2]
  if (chunk === undefined) bodies.push(18)
  else {
    const single = indexOf(dataSet) === 'single'
    const sized = chunk.filter === undefined ? 0 : 8 + 4
    bodies.push(5 + (shape.length + 1) * dimBytesOf(chunk, dtype) + (single ? 1 + sized : 2) + 8)
    if (chunk.filter !== undefined) bodies.push(chunk.filter.kind === 'gzip' ? DEFLATE_BYTES : LZF_BYTES)
  }
  const room = Math.max(
    DATA_SET_ROOM,
    bodies.reduce((sum, body) => sum + 4 + body, 0),
  )
  return 4 + 2 + sizeBytesOf(room) + room + 4
}

/** Bytes of a dimension of a chunk, of which the last is an element's. */
function dimBytesOf(chunk: Chunk, dtype: DType): number {
  return Math.floor((log2(Math.max(...chunk.shape, itemSize(dtype))) + 8) / 8)
}
