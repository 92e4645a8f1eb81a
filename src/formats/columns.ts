import type { MappedBytes } from '../mapped.ts'
import { native } from '../native.ts'
import { crc32c } from '../storage/crc.ts'
import { corrupt } from './layout.ts'

/**
 * A file of columns of numbers and what describes them: an index of other files. It is mapped, so that opening it costs
 * nothing and all that read it share one copy. Layout, little-endian: the magic, the header's bytes and checksum as
 * uint32, a header of JSON, then each column at a multiple of 64.
 */

const MAGIC = 'HRCOLS1\n'
const HEAD_BYTES = MAGIC.length + 8
const ALIGN = 64
/** 256 MiB: names of a million shards. */
const MAX_HEADER = 2 ** 28

export type ColumnArray = Uint8Array | Uint32Array | Float64Array
type ColumnType = 'uint8' | 'uint32' | 'float64'

interface ColumnPlace {
  readonly type: ColumnType
  readonly length: number
  /** In the file. */
  readonly offset: number
}

interface ColumnsHeader {
  readonly about: Readonly<Record<string, unknown>>
  readonly columns: Readonly<Record<string, ColumnPlace>>
  /** Of the file. */
  readonly bytes: number
}

const ITEM_BYTES: Readonly<Record<ColumnType, number>> = { uint8: 1, uint32: 4, float64: 8 }

function typeOf(array: ColumnArray): ColumnType {
  if (array instanceof Uint8Array) return 'uint8'
  return array instanceof Uint32Array ? 'uint32' : 'float64'
}

const roundUp = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN

const bytesOf = (array: ColumnArray): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** The pieces of such a file in order. `about` must be JSON. */
export function columnPieces(
  about: Readonly<Record<string, unknown>>,
  columns: Readonly<Record<string, ColumnArray>>,
): readonly Uint8Array[] {
  // Places are told in a header whose length depends on them: they count from the header's end.
  const places: Record<string, ColumnPlace> = {}
  let offset = 0
  for (const [name, array] of Object.entries(columns)) {
    places[name] = { type: typeOf(array), length: array.length, offset }
    offset = roundUp(offset + array.byteLength)
  }
  const header = Buffer.from(JSON.stringify({ about, columns: places, bytes: offset } satisfies ColumnsHeader))
  const start = roundUp(HEAD_BYTES + header.length)
  const head = Buffer.alloc(start)
  head.write(MAGIC, 'latin1')
  head.writeUInt32LE(header.length, MAGIC.length)
  head.writeUInt32LE(crc32c(header), MAGIC.length + 4)
  header.copy(head, HEAD_BYTES)
  const pieces: Uint8Array[] = [head]
  for (const array of Object.values(columns)) {
    const bytes = bytesOf(array)
    pieces.push(bytes, new Uint8Array(roundUp(bytes.length) - bytes.length))
  }
  return pieces
}

/** Reads ranges of a file: mapped, or in memory. */
interface Backing {
  readonly bytes: number
  read(offset: number, out: Uint8Array): void
  close(): void
}

function mapped(map: MappedBytes): Backing {
  return {
    bytes: map.bytes,
    read: (offset, out) => native.readMapped(map, offset, out),
    close: () => native.unmapFile(map),
  }
}

function inMemory(memory: Uint8Array): Backing {
  return {
    bytes: memory.length,
    read: (offset, out) => out.set(memory.subarray(offset, offset + out.length)),
    close: () => {},
  }
}

/** 4 KiB of a column are at hand. */
const BLOCK = 4096

/** Numbers of one column, by place. */
export class NumberColumn {
  readonly length: number
  readonly #backing: Backing
  readonly #offset: number
  readonly #perBlock: number
  readonly #itemBytes: number
  readonly #block: ColumnArray
  readonly #blockBytes: Uint8Array
  #first = -1

  constructor(backing: Backing, { type, length, offset }: ColumnPlace) {
    this.length = length
    this.#backing = backing
    this.#offset = offset
    this.#itemBytes = ITEM_BYTES[type]
    this.#perBlock = BLOCK / this.#itemBytes
    const memory = new ArrayBuffer(BLOCK)
    this.#blockBytes = new Uint8Array(memory)
    this.#block =
      type === 'uint8' ? this.#blockBytes : type === 'uint32' ? new Uint32Array(memory) : new Float64Array(memory)
  }

  at(index: number): number {
    const within = index % this.#perBlock
    const first = index - within
    if (first !== this.#first) this.#load(first)
    return this.#block[within] as number
  }

  #load(first: number): void {
    this.#first = -1
    const count = Math.min(this.#perBlock, this.length - first)
    this.#backing.read(this.#offset + first * this.#itemBytes, this.#blockBytes.subarray(0, count * this.#itemBytes))
    this.#first = first
  }
}

export class Columns {
  readonly about: Readonly<Record<string, unknown>>
  readonly #backing: Backing
  readonly #start: number
  readonly #header: ColumnsHeader
  #closed = false

  private constructor(backing: Backing, start: number, header: ColumnsHeader) {
    this.#backing = backing
    this.#start = start
    this.#header = header
    this.about = header.about
  }

  /** Of a file on this machine. E_CORRUPT for what is no such file, or cut off. */
  static map(path: string): Columns {
    return Columns.#open(mapped(native.mapFile(path)), path)
  }

  static inMemory(pieces: readonly Uint8Array[], name: string): Columns {
    return Columns.#open(inMemory(Buffer.concat(pieces)), name)
  }

  static #open(backing: Backing, name: string): Columns {
    try {
      const { header, start } = readColumnsHeader(backing, name)
      return new Columns(backing, start, header)
    } catch (error) {
      backing.close()
      throw error
    }
  }

  /** A column that is there. */
  numbers(name: string): NumberColumn {
    return new NumberColumn(this.#backing, this.#place(name))
  }

  /** All of a column, in memory. */
  all(name: string): Float64Array {
    const column = this.numbers(name)
    return Float64Array.from({ length: column.length }, (_, i) => column.at(i))
  }

  /** Bytes `from` to `to` of a column of bytes. */
  bytes(name: string, from: number, to: number): Uint8Array {
    const out = new Uint8Array(to - from)
    this.#backing.read(this.#place(name).offset + from, out)
    return out
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#backing.close()
  }

  #place(name: string): ColumnPlace {
    const place = this.#header.columns[name]
    if (place === undefined) throw corrupt('an index', `it has no column ${name}`)
    return { ...place, offset: this.#start + place.offset }
  }
}

function readColumnsHeader(backing: Backing, name: string): { header: ColumnsHeader; start: number } {
  const broken = (reason: string) => corrupt(name, reason)
  const head = Buffer.alloc(HEAD_BYTES)
  if (backing.bytes < HEAD_BYTES) throw broken('it is no index')
  backing.read(0, head)
  const length = head.readUInt32LE(MAGIC.length)
  if (head.toString('latin1', 0, MAGIC.length) !== MAGIC || length > MAX_HEADER) throw broken('it is no index')
  const start = roundUp(HEAD_BYTES + length)
  if (start > backing.bytes) throw broken('it is cut off')
  const text = new Uint8Array(length)
  backing.read(HEAD_BYTES, text)
  if (crc32c(text) !== head.readUInt32LE(MAGIC.length + 4)) throw broken('the checksum of its header is wrong')
  const header = JSON.parse(Buffer.from(text).toString()) as ColumnsHeader
  if (backing.bytes !== start + header.bytes) throw broken('it is cut off')
  return { header, start }
}
