import { corrupt } from '../layout.ts'
import type { ByteSource } from '../types.ts'
import { type Leaf, readLeaves, type SchemaNode } from './schema.ts'
import { ThriftReader } from './thrift-reader.ts'

/** Bytes that are read at once from the end of a file: most footers. */
const TAIL = 64 * 1024
/** A footer of more than that describes no file that can be trained with. */
const MAX_FOOTER = 256 * 1024 * 1024
const MAGIC = 'PAR1'

/** Where a column of a row group lies. */
export interface ColumnChunk {
  readonly leaf: Leaf
  readonly start: number
  /** In the file, and before compression. */
  readonly bytes: number
  readonly plainBytes: number
  readonly values: number
  readonly codec: number
}

export interface RowGroup {
  /** Its first row, and how many it has. */
  readonly first: number
  readonly rows: number
  /** Of the leaves that were asked for, in that order. */
  readonly chunks: readonly ColumnChunk[]
}

export interface Footer {
  readonly rows: number
  readonly leaves: readonly Leaf[]
  readonly groups: readonly RowGroup[]
  readonly createdBy: string
}

/** Reads a file's footer. `choose`: the leaves whose places are wanted, in order. */
export async function readFooter(
  source: ByteSource,
  choose: (leaves: readonly Leaf[]) => readonly Leaf[],
): Promise<Footer> {
  const { bytes, offset } = await footerBytes(source)
  const broken = (at: number): Error => corrupt(source.name, 'its Parquet footer is damaged', { offset: offset + at })
  let leaves: readonly Leaf[] | undefined
  let wanted: readonly Leaf[] = []
  let rows = 0
  let createdBy = ''
  const groups: RowGroup[] = []
  const reader = new ThriftReader(bytes, broken)
  reader.struct((field) => {
    if (field === 2) {
      leaves = readLeaves(readNodes(reader), () => broken(reader.at))
      wanted = choose(leaves)
    } else if (field === 3) rows = reader.int()
    else if (field === 4) {
      if (leaves === undefined) throw broken(reader.at)
      readGroups(source, reader, leaves, wanted, groups, () => broken(reader.at))
    } else if (field === 6) createdBy = reader.text()
  })
  if (leaves === undefined) throw broken(0)
  const counted = groups.reduce((sum, group) => sum + group.rows, 0)
  if (counted !== rows)
    throw corrupt(source.name, `its row groups have ${counted} rows, but the file ${rows}`, { offset })
  return { rows, leaves, groups, createdBy }
}

async function footerBytes(source: ByteSource): Promise<{ bytes: Uint8Array; offset: number }> {
  const { size, name } = source
  if (size < 12) throw corrupt(name, `${size} bytes are no Parquet file`, { offset: 0 })
  const tail = await source.read(Math.max(0, size - TAIL), Math.min(TAIL, size))
  const end = Buffer.from(tail.buffer, tail.byteOffset + tail.length - 8, 8)
  const magic = end.toString('latin1', 4)
  if (magic === 'PARE') throw corrupt(name, 'its footer is encrypted', { offset: size - 4 })
  if (magic !== MAGIC) throw corrupt(name, 'it does not end as a Parquet file does', { offset: size - 4 })
  const length = end.readUInt32LE()
  const offset = size - 8 - length
  if (offset < 4 || length > MAX_FOOTER)
    throw corrupt(name, `a Parquet footer of ${length} bytes in a file of ${size}`, { offset: size - 8 })
  if (length + 8 <= tail.length) return { bytes: tail.subarray(tail.length - 8 - length, tail.length - 8), offset }
  return { bytes: await source.read(offset, length), offset }
}

function readNodes(reader: ThriftReader): SchemaNode[] {
  const nodes: SchemaNode[] = []
  reader.structs(() => {
    const node: SchemaNode = { name: '', physical: -1, typeLength: 0, repetition: 0, children: 0, logical: '' }
    nodes.push(node)
    return (field) => {
      if (field === 1) node.physical = reader.int()
      else if (field === 2) node.typeLength = reader.int()
      else if (field === 3) node.repetition = reader.int()
      else if (field === 4) node.name = reader.text()
      else if (field === 5) node.children = reader.int()
      else if (field === 6) node.logical ||= convertedName(reader.int())
      else if (field === 10) reader.inner((kind) => readLogical(reader, node, kind))
    }
  })
  return nodes
}

const CONVERTED: Readonly<Record<number, string>> = {
  0: 'string',
  3: 'list',
  // what is called ENUM and JSON is text
  4: 'string',
  11: 'uint8',
  12: 'uint16',
  13: 'uint32',
  14: 'uint64',
  15: 'int8',
  16: 'int16',
  17: 'int32',
  18: 'int64',
  19: 'string',
}

function convertedName(number: number): string {
  return CONVERTED[number] ?? ''
}

function readLogical(reader: ThriftReader, node: SchemaNode, kind: number): void {
  if (kind === 1 || kind === 4 || kind === 12) node.logical = 'string'
  else if (kind === 3) node.logical = 'list'
  else if (kind === 15) node.logical = 'float16'
  else if (kind === 10) {
    let bits = 0
    let signed = true
    reader.inner((field) => {
      if (field === 1) bits = reader.int()
      else if (field === 2) signed = reader.bool()
    })
    node.logical = `${signed ? 'int' : 'uint'}${bits}`
  }
}

function readGroups(
  source: ByteSource,
  reader: ThriftReader,
  leaves: readonly Leaf[],
  wanted: readonly Leaf[],
  groups: RowGroup[],
  broken: () => Error,
): void {
  const places = new Map(wanted.map((leaf, i) => [leaf.index, i]))
  let first = 0
  reader.structs((index) => {
    const chunks: ColumnChunk[] = new Array(wanted.length)
    let rows = 0
    let found = 0
    return (field) => {
      if (field === 1) {
        const count = reader.structs((column) => {
          const place = places.get(column)
          if (place === undefined) return () => {}
          found++
          return (inner) => {
            if (inner === 3) chunks[place] = readChunk(source, reader, leaves[column] as Leaf, index)
          }
        })
        if (count !== leaves.length) throw broken()
      } else if (field === 3) {
        rows = reader.int()
        if (rows < 0 || found !== wanted.length || chunks.includes(undefined as never)) throw broken()
        groups.push({ first, rows, chunks })
        first += rows
      }
    }
  })
}

function readChunk(source: ByteSource, reader: ThriftReader, leaf: Leaf, group: number): ColumnChunk {
  let codec = 0
  let values = 0
  let plainBytes = 0
  let bytes = 0
  let data = 0
  let dictionary = 0
  reader.inner((field) => {
    if (field === 4) codec = reader.int()
    else if (field === 5) values = reader.int()
    else if (field === 6) plainBytes = reader.int()
    else if (field === 7) bytes = reader.int()
    else if (field === 9) data = reader.int()
    else if (field === 11) dictionary = reader.int()
  })
  const start = dictionary > 0 && dictionary < data ? dictionary : data
  const whole = [values, plainBytes, bytes, start].every((number) => Number.isSafeInteger(number) && number >= 0)
  if (!whole || start + bytes > source.size) {
    const reason = `row group ${group}: column ${leaf.name} ends at byte ${start + bytes}, but the file has ${source.size}`
    throw corrupt(source.name, reason, { offset: start })
  }
  return { leaf, start, bytes, plainBytes, values, codec }
}
